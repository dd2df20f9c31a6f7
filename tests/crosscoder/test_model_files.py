"""Files of models and checkpoints that are damaged, or whole and senseless: refused, by name."""

from __future__ import annotations

import copy
import json
import math
import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder import keeping_checkpoint
from sklearn_groupcross.crosscoder._persistence import CHECKPOINT_FORMAT, MODEL_FORMAT
from sklearn_groupcross.crosscoder._tensor_file import read_tensors, write_tensors
from sklearn_groupcross.crosscoder._trainer import Trainer
from sklearn_groupcross.groups import FiniteGroup, Quaternion

GROUP = Dihedral(3)
KINDS = {
    "relu": {},
    "topk": {"activation": "topk", "k": 3, "early_stopping": True, "n_iter_no_change": 2},
    "batch_topk": {"activation": "batch_topk", "k": 3, "compression": 0.9},
    "jumprelu": {"activation": "jumprelu", "encoder_input": "orbit", "augment": True},
}
quickly = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(60, group=GROUP, n_channels=3, random_state=0).orbits


def build(**options):
    defaults = {"group": GROUP, "n_features": 7, "max_epochs": 3, "batch_size": 20}
    return GroupCrosscoder(**{**defaults, "random_state": 0, **options})


@pytest.fixture(scope="module")
def files(orbits, tmp_path_factory):
    """Content of one file of every kind, by its name, as `read_tensors` gives it."""
    folder = tmp_path_factory.mktemp("files")
    contents = {}
    train_on = Trainer.train_on

    def interrupted(self, batch):
        if self.step == 4:
            signal.raise_signal(signal.SIGINT)
        train_on(self, batch)

    for name, options in KINDS.items():
        build(**options).fit(orbits).save(folder / name)
        contents[name] = read_tensors(folder / name, MODEL_FORMAT)
        place = folder / f"of {name}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Trainer, "train_on", interrupted)
            with pytest.raises(KeyboardInterrupt):
                build(checkpoint_dir=place, **options).fit(orbits)
        (file,) = place.iterdir()
        contents[f"checkpoint of {name}"] = read_tensors(file, CHECKPOINT_FORMAT)
    return contents


NAMES = [*KINDS, *(f"checkpoint of {name}" for name in KINDS)]


def is_refused(path):
    """Whether a file is refused, with its name; if not, what it holds can be used."""
    try:
        crosscoder = GroupCrosscoder.load(path)
    except ValueError as error:
        message = str(error)
    else:
        crosscoder.set_params(sparse_output=False)
        assert np.isfinite(crosscoder.transform(np.ones((2, 6 * 3), np.float32))).all()
        return False
    assert path.name in message
    return True


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_file_comes_back(files, tmp_path, name):
    write_tensors(tmp_path / "file", *files[name])
    assert not is_refused(tmp_path / "file")


@given(st.data())
@quickly
def test_no_bit_may_differ(files, tmp_path, data):
    path = tmp_path / "file"
    write_tensors(path, *files[data.draw(st.sampled_from(NAMES))])
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    assert is_refused(path)


@pytest.mark.parametrize("where", ["cut", "appended", "inserted before the arrays"])
@pytest.mark.parametrize("name", ["relu", "checkpoint of topk"])
def test_no_byte_is_too_many_or_too_few(files, tmp_path, name, where):
    path = tmp_path / "file"
    write_tensors(path, *files[name])
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    path.write_bytes(
        {
            "cut": content[:-1],
            "appended": content + b"\0",
            "inserted before the arrays": content[:start] + bytes(8) + content[start:],
        }[where]
    )
    assert is_refused(path)


deep: list = []
for _ in range(400):
    deep = [deep]
SENSELESS = st.sampled_from(
    [
        *(None, True, -1, 0, 70, 2**63, 10**40, -0.5, 1e308, math.nan, math.inf, "x", "", []),
        *({}, deep, {"family": "Cyclic", "arguments": [6]}),
        {"family": "Cyclic", "arguments": [10**5]},
        {"family": "Symmetric", "arguments": [10**6]},
        {"family": "Dihedral", "arguments": ["3"]},
    ]
)


def places(tree, path=()):
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(tree[key], (*path, key))


@given(st.data())
@settings(quickly, max_examples=150)
def test_senseless_headers_are_refused(files, tmp_path, data):
    """With a right digest. What is accepted is written again as it was."""
    path = tmp_path / "file"
    kind, arrays, header = files[data.draw(st.sampled_from(NAMES))]
    changed = copy.deepcopy(header)
    *outer, key = data.draw(st.sampled_from(list(places(changed))))
    tree = changed
    for name in outer:
        tree = tree[name]
    how = data.draw(st.sampled_from(["replace", "delete", "rename", "add"]))
    senseless, value = data.draw(SENSELESS), tree.pop(key)
    if how == "replace":
        value = senseless
    if how != "delete" and isinstance(tree, dict):
        tree[f"{key}_" if how == "rename" else key] = value
    elif how != "delete":
        tree.insert(key, value)
    if how == "add" and isinstance(tree, dict):
        tree["transform"] = "x"
    write_tensors(path, kind, arrays, changed)
    if not is_refused(path) and kind == MODEL_FORMAT:
        GroupCrosscoder.load(path).save(tmp_path / "again")
        _, _, again = read_tensors(tmp_path / "again", MODEL_FORMAT)
        assert {**again, "changed": []} == {**changed, "changed": []}


@given(st.data())
@settings(quickly, max_examples=100)
def test_senseless_arrays_are_refused(files, tmp_path, data):
    path = tmp_path / "file"
    kind, arrays, header = files[data.draw(st.sampled_from(NAMES))]
    changed = dict(arrays)
    # what may be absent, and histories, which hold NaN when a run diverges
    sound = [n for n in arrays if not n.startswith("history_") and n not in ("dead", "records")]
    name = data.draw(st.sampled_from(sorted(sound)))
    array = changed.pop(name)
    how = data.draw(st.sampled_from(["delete", "rename", "NaN", "type", "row", "axis"]))
    if how == "rename":
        changed[f"{name}x"] = array
    elif how == "NaN":
        changed[name] = np.full_like(array, np.nan, np.result_type(array, np.float32))
    elif how == "type":
        changed[name] = array.astype(np.float16)
    elif how == "row":
        changed[name] = np.concatenate([array.reshape(-1), array.reshape(-1)[:1]])
    elif how == "axis":
        changed[name] = array[None]
    write_tensors(path, kind, changed, header)
    assert is_refused(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"k_": 70}, "k_=70 active codes of 7 atoms"),
        ({"k_": None}, "a k_ and a threshold_ that are not of activation='topk'"),
        ({"activation_": "batch_topk"}, "not of activation='batch_topk'"),
        ({"activation_": "gelu"}, "matching regex"),
        ({"n_channels_": 4}, "18 columns; 6 elements with 4 channels each make 24"),
        ({"group_": {"family": "Cyclic", "arguments": [10**5]}}, "at most 1024 elements"),
        ({"group_": {"family": "Cyclic", "arguments": [6]}}, r"fitted with group=Cyclic\(6\)"),
        ({"transform": "x"}, "unknown field `transform`"),
        ({"n_iter_": -1}, ">= 0"),
        ({"n_iter_": 4}, "history of 3 epochs and 9 steps, with n_iter_=4 and n_steps_=9"),
        ({"n_steps_": 10}, "history of 3 epochs and 9 steps, with n_iter_=3 and n_steps_=10"),
        ({"n_iter_": 4, "n_steps_": 8}, "with n_iter_=4 and n_steps_=8"),
        ({"feature_names_in_": ["a"]}, "names 1 of 18 columns"),
        ({"threshold_": 0.5}, "not of activation='topk'"),
    ],
)
def test_what_is_wrong_is_said(files, tmp_path, change, says):
    path = tmp_path / "model.safetensors"
    kind, arrays, header = files["topk"]
    write_tensors(path, kind, arrays, {**header, "fitted": {**header["fitted"], **change}})
    with pytest.raises(ValueError, match=f"model.safetensors .*{says}"):
        GroupCrosscoder.load(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"step": 4}, "records"),
        ({"step": 10**6}, "step 1000000 of 9"),
        ({"scale": -1.0}, "> 0"),
        ({"early_stopping": None}, "early_stopping"),
        ({"early_stopping": {"best": None, "waited": 0}}, "do not belong"),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_said(files, orbits, tmp_path, change, says):
    kind, arrays, header = files["checkpoint of topk"]
    key = "5" * 16
    path = tmp_path / f"crosscoder-{key}.checkpoint.safetensors"
    write_tensors(path, kind, arrays, {**header, "values": {**header["values"], **change}})
    with pytest.raises(ValueError, match=f"{path.name} .*{says}"):
        GroupCrosscoder.load(path)


def test_a_checkpoint_with_another_seed_than_its_run_is_not_gone_on_with(files, orbits, tmp_path):
    kind, arrays, header = files["checkpoint of relu"]
    crosscoder = build(checkpoint_dir=tmp_path)
    with keeping_checkpoint(crosscoder):
        crosscoder.fit(orbits)
        (file,) = tmp_path.glob("*.safetensors")
        changed = copy.deepcopy(header)
        changed["values"]["options"]["seed"] += 1
        write_tensors(file, kind, arrays, changed)
        crosscoder._checkpoint.close()
        with pytest.raises(ValueError, match=f"{file.name} .*disagrees with this run in seed"):
            build(checkpoint_dir=tmp_path).fit(orbits)


def test_histories_may_hold_nan(orbits, tmp_path):
    crosscoder = build().fit(orbits)
    crosscoder.history_["step_loss"][2] = math.nan
    crosscoder.history_["step_l0"][1] = math.inf
    crosscoder.save(tmp_path / "file")
    again = GroupCrosscoder.load(tmp_path / "file").history_
    np.testing.assert_equal(again, crosscoder.history_)


def test_old_formats_are_refused_by_their_name(files, tmp_path):
    _, arrays, header = files["relu"]
    write_tensors(tmp_path / "old", "sklearn_groupcross.GroupCrosscoder/3", arrays, header)
    with pytest.raises(ValueError, match=r"old is not .* its format is '.*/3', expected '.*/4'"):
        GroupCrosscoder.load(tmp_path / "old")


def test_a_family_of_ones_own_cannot_be_saved(tmp_path):
    class Klein(FiniteGroup):
        pass

    group = Klein([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
    X = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    crosscoder = GroupCrosscoder(group, 4, max_epochs=1).fit(X)
    with pytest.raises(ValueError, match=r"FiniteGroup\(group.cayley_table\) can be saved"):
        crosscoder.save(tmp_path / "file")
    crosscoder.set_params(group=FiniteGroup(group.cayley_table)).fit(X).save(tmp_path / "file")
    assert GroupCrosscoder.load(tmp_path / "file").group == FiniteGroup(group.cayley_table)


@pytest.mark.parametrize("number", ["l1", "n_features", "learning_rate"])
def test_true_is_no_number(files, tmp_path, number):
    kind, arrays, header = files["relu"]
    changed = json.loads(json.dumps(header))
    changed["parameters"][number] = True
    write_tensors(tmp_path / "file", kind, arrays, changed)
    with pytest.raises(ValueError, match=f"file has the parameter {number}=True; expected a num"):
        GroupCrosscoder.load(tmp_path / "file")


def test_a_file_of_huge_claims_takes_no_memory(tmp_path):
    """A header that is longer than the file, and an array that is."""
    entry = '{"x": {"dtype": "F32", "shape": [%d], "data_offsets": [0, %d]}}'
    text = (entry % (2**40, 2**42)).encode()
    for claim in (len(text), 2**40):
        (tmp_path / "file").write_bytes(claim.to_bytes(8, "little") + text)
        with pytest.raises(ValueError, match="file is damaged"):
            GroupCrosscoder.load(tmp_path / "file")


def test_quaternions_are_no_dihedral_group(files, tmp_path):
    """The parameter may be another group only if the file says that it was set later."""
    kind, arrays, header = files["relu"]
    changed = copy.deepcopy(header)
    changed["parameters"]["group"] = {"family": "Quaternion", "arguments": []}
    write_tensors(tmp_path / "file", kind, arrays, changed)
    with pytest.raises(ValueError, match="its parameter is Quaternion"):
        GroupCrosscoder.load(tmp_path / "file")
    write_tensors(tmp_path / "file", kind, arrays, {**changed, "changed": ["group"]})
    assert GroupCrosscoder.load(tmp_path / "file").group == Quaternion()


@pytest.mark.parametrize("name", ["scale", "variance"])
def test_a_checkpoint_in_other_units_than_the_data_is_not_gone_on_with(
    files, orbits, tmp_path, name
):
    kind, arrays, header = files["checkpoint of relu"]
    crosscoder = build(checkpoint_dir=tmp_path)
    with keeping_checkpoint(crosscoder):
        crosscoder.fit(orbits)
        (file,) = tmp_path.glob("*.safetensors")
        changed = copy.deepcopy(header)
        changed["values"][name] = 2.0**70
        write_tensors(file, kind, arrays, changed)
        crosscoder._checkpoint.close()
        with pytest.raises(ValueError, match=f"{file.name} .*disagrees with the data in {name}"):
            build(checkpoint_dir=tmp_path).fit(orbits)


@pytest.mark.parametrize(
    ("parameter", "value"), [("max_epochs", 2**63), ("n_features", 2**40), ("device", "x" * 10**6)]
)
def test_parameters_beyond_reason_are_refused_in_few_words(files, tmp_path, parameter, value):
    path = tmp_path / "model.safetensors"
    kind, arrays, header = files["topk"]
    changed = copy.deepcopy(header)
    changed["parameters"] |= {parameter: value}
    write_tensors(path, kind, arrays, changed)
    with pytest.raises(ValueError, match=r"model\.safetensors") as refusal:
        GroupCrosscoder.load(path)
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize("group", [2, True, 0.5])
def test_a_group_is_no_number(files, tmp_path, group):
    path = tmp_path / "model.safetensors"
    kind, arrays, header = files["topk"]
    changed = {**header, "parameters": {**header["parameters"], "group": group}}
    write_tensors(path, kind, arrays, changed)
    with pytest.raises(ValueError, match=r"model.safetensors has .* as its parameter group"):
        GroupCrosscoder.load(path)
