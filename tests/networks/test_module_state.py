"""A reading leaves the module as it was, and does not depend on how it was."""

from __future__ import annotations

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sklearn_groupcross import Cyclic, Network, OrbitDataset, load_network, receptive_field
from tests.networks.modules import Unsteady

IMAGES = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))


PARTS = [name for name, _ in Unsteady().named_modules()]


READINGS = {
    "activations": lambda network: network.activations(IMAGES, "block"),
    "several": lambda network: network.activations(IMAGES, ["conv", "block.1"])["block.1"],
    "node": lambda network: network.activations(IMAGES, "dropout"),
    "run": lambda network: network.run(IMAGES),
    "replacement": lambda network: network.run_with_replacement(IMAGES, "norm", lambda m: 2 * m),
    "field": lambda network: receptive_field(network, "block", 12, confirm=True),
    "names": lambda network: network.node_names,
}


def alike(one, other):
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@given(training=st.sets(st.sampled_from(PARTS)), reading=st.sampled_from(sorted(READINGS)))
def test_readings_are_those_of_evaluation_and_leave_every_part_in_its_mode(training, reading):
    module = Unsteady().eval()
    expected = READINGS[reading](Network(copy.deepcopy(module)))
    network = Network(module)
    for name, part in module.named_modules():
        part.training = name in training
    frozen = module.conv.weight.requires_grad_(False)
    state = {key: value.clone() for key, value in module.state_dict().items()}
    assert alike(READINGS[reading](network), expected)
    assert {name for name, part in module.named_modules() if part.training} == training
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    assert [p.requires_grad for p in module.parameters()] == [
        p is not frozen for p in module.parameters()
    ]
    assert not any(part._forward_hooks for part in module.modules())


def test_after_an_error_too():
    module = Unsteady().train()
    network = Network(module)

    def fail(maps):
        assert not module.training
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        network.run_with_replacement(IMAGES, "norm", fail)
    with pytest.raises(ValueError, match="reads 3 channels"):
        network.activations(IMAGES[:, :2], "norm")
    assert all(part.training for part in module.modules())


def test_wrapping_changes_nothing():
    module = Unsteady().train()
    Network(module)
    assert all(part.training for part in module.modules())
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_extraction_in_threads_gives_the_same_store(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(256, size=(110, 110, 3), dtype=np.uint8) for _ in range(8)]
    options = {"network": "bundled", "layer": ["relu2", "relu3"], "group": Cyclic(4)}
    dataset = OrbitDataset(images, n_positions=3, **options)
    expected = dataset.extract(tmp_path / "one", chunk_bytes=1)
    with joblib.parallel_config(backend="threading"):
        found = dataset.extract(tmp_path / "four", chunk_bytes=1, n_jobs=4)
    assert np.array_equal(found[:], expected[:])


def test_gradients_reach_weights_where_a_layer_is_read_for_them():
    network = Network(Unsteady())
    network.read_layer(IMAGES, "block").sum().backward()
    assert network.module.conv.weight.grad is not None
    assert not network.activations(IMAGES, "block").requires_grad


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("around", ["inference", "autocast", "grad", "defaults"])
def test_the_state_of_torch_does_not_reach_a_reading(around, dtype):
    network = Network(Unsteady())
    expected = [READINGS[name](network) for name in ("activations", "run", "replacement")]
    contexts = {
        "inference": torch.inference_mode,
        "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
        "grad": torch.enable_grad,
        "defaults": lambda: torch.device("meta"),
    }
    torch.set_default_dtype(dtype if around == "defaults" else torch.float32)
    try:
        with contexts[around]():
            found = [READINGS[name](network) for name in ("activations", "run", "replacement")]
    finally:
        torch.set_default_dtype(torch.float32)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
        assert not one.is_inference()
        assert not one.requires_grad


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_networks_are_loaded_alike_whatever_the_defaults(dtype, tmp_path):
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = load_network("bundled")
    torch.save(network.module.state_dict(), tmp_path / "weights.pth")
    expected = network.activations(images)
    torch.set_default_dtype(dtype)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            loaded = [load_network("bundled", w) for w in (None, tmp_path / "weights.pth")]
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    for other in loaded:
        tensors = [*other.module.parameters(), *other.module.buffers()]
        assert {(t.dtype, t.device.type) for t in tensors} == {(torch.float32, "cpu")}
        assert not any(t.is_inference() for t in tensors)
        assert torch.equal(other.activations(images), expected)


def test_images_are_not_written_to():
    images = IMAGES.clone()
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 2, 1))
    for preprocess in (None, lambda x: x.sub_(0.5)):
        network = Network(module, preprocess)
        first = network.activations(images, "1")
        assert torch.equal(network.activations(images, "1"), first)
        assert torch.equal(images, IMAGES)
    with torch.inference_mode():
        shown = IMAGES.clone()
    assert torch.equal(network.activations(shown, "1"), first)


def test_statistics_of_the_batch_are_warned_of_once_and_where_they_are_used():
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.BatchNorm2d(4)
    )
    network = Network(module)
    network.activations(IMAGES, "0")  # not reached
    with pytest.warns(UserWarning, match=r"'1' have no running ones.*batch_size") as caught:
        network.activations(IMAGES, "2")
    assert caught[0].filename == __file__
    network.run(IMAGES)
    for read in ("run", "run_with_replacement"):
        more = (("2", lambda m: m),) if read != "run" else ((),)
        with pytest.warns(UserWarning, match="no running ones") as caught:
            getattr(Network(module), read)(IMAGES, *more[0])
        assert caught[0].filename == __file__
    assert not any(part._forward_pre_hooks for part in module.modules())
    # of one image alone
    Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4))).run(IMAGES)


class Training(nn.Conv2d):
    """A convolution behind which something runs as in training."""

    def __init__(self, after) -> None:
        super().__init__(3, 4, 3)
        self.after = after

    def forward(self, x):
        return self.after(super().forward(x))


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        (lambda x: nn.functional.dropout(x, training=True), "chance"),
        (lambda x: nn.functional.batch_norm(x, None, None, training=True), "the other images of"),
        (lambda x: nn.functional.instance_norm(x), None),
        (lambda x: x / x.new_zeros(()), None),  # is refused where orbits are read
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_readings_depend_on_is_found(after, cause, dtype):
    network = Network(nn.Sequential(Training(after)).to(dtype))
    found = network.unsteadiness(IMAGES[:1], ["0"])
    assert (found or "").startswith(cause or "")
    assert (found is None) == (cause is None)


def test_orbits_of_a_random_forward_pass_are_warned_of_once():
    images = [np.full((32, 32, 3), 99, np.uint8)] * 2
    options = {"layer": "0", "group": Cyclic(2), "n_positions": 2, "input_size": 24}
    noisy = nn.Sequential(Training(lambda x: nn.functional.dropout(x, training=True)))
    dataset = OrbitDataset(images, network=noisy, **options)
    with pytest.warns(UserWarning, match="for an image at 0 depends on chance") as caught:
        dataset[0]
    assert caught[0].filename == __file__
    dataset[1]
    OrbitDataset(images, network=nn.Sequential(nn.Conv2d(3, 4, 3)), **options)[0]


def test_a_module_as_preprocess_is_in_evaluation_mode_too():
    preprocess = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(3)).train()
    network = Network(nn.Sequential(nn.Conv2d(3, 4, 3)), preprocess)
    assert torch.equal(network.activations(IMAGES, "0"), network.activations(IMAGES, "0"))
    assert torch.equal(preprocess[1].running_mean, torch.zeros(3))
    assert preprocess[0].training


def test_wrappers_are_looked_through():
    module = Unsteady()
    expected = READINGS["activations"](Network(module))
    for wrapped in (nn.DataParallel(module), torch.compile(module)):
        network = Network(wrapped)
        assert network.module is module
        assert torch.equal(READINGS["activations"](network), expected)
        prefix = "module." if isinstance(wrapped, nn.DataParallel) else "_orig_mod."
        assert torch.equal(network.activations(IMAGES, f"{prefix}block"), expected)
        assert receptive_field(network, f"{prefix}block", 12).size == (5, 5)
        again = pickle.loads(pickle.dumps(network))
        assert torch.equal(READINGS["activations"](again), expected)


@pytest.mark.skipif(
    not hasattr(torch.compiler, "set_stance"), reason="torch before 2.6 cannot run them eagerly"
)
def test_compiled_parts_run_as_python():
    module = Unsteady()
    expected = READINGS["activations"](Network(module))
    module.block = torch.compile(module.block)
    module.norm.compile()
    network = Network(module)
    assert torch.equal(READINGS["activations"](network), expected)
    assert torch.equal(network.activations(IMAGES, "block.2"), expected)


def test_layers_within_scripts_are_refused_in_words():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch: scripts are deprecated
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5))
        scripts = torch.jit.script(module), torch.jit.trace(module.eval(), IMAGES)
        frozen = torch.jit.freeze(torch.jit.script(module.eval()))
    for script in scripts:
        with pytest.raises(ValueError, match=r"'0' .* cannot be read: the module is a script of t"):
            Network(script).activations(IMAGES, "0")
        outer = Network(nn.Sequential(script.train(), nn.ReLU()))
        with pytest.raises(ValueError, match=r"'0\.0' .* its part '0' is a script of torch.jit"):
            outer.activations(IMAGES, "0.0")
        assert torch.equal(outer.activations(IMAGES, "0"), outer.activations(IMAGES, "0"))
        assert script.training
    torch.testing.assert_close(Network(frozen).run(IMAGES), Network(module).run(IMAGES))


def test_weights_without_shape_or_values_are_named():
    lazy = Network(nn.Sequential(nn.LazyConv2d(4, 3)))
    with pytest.raises(ValueError, match=r"'0.weight' has no shape yet .*run the module once"):
        lazy.activations(IMAGES, "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of torch: lazy modules are new
        lazy.module(IMAGES)
    assert lazy.activations(IMAGES, "0").shape == (3, 4, 10, 10)
    empty = Network(nn.Sequential(nn.Conv2d(3, 4, 3, device="meta")))
    for use in (lambda: empty.activations(IMAGES, "0"), lambda: empty.to("cpu")):
        with pytest.raises(ValueError, match=r"'0.weight' is on the meta device"):
            use()
    assert receptive_field(empty, "0", 12, confirm=False).size == (3, 3)
    with pytest.raises(ValueError, match=r"'0.weight' is on the meta device"):
        receptive_field(empty, "0", 12)


def test_weights_are_looked_for_once_for_a_device(monkeypatch):
    from sklearn_groupcross.networks import _layers

    asked, check = [], _layers.check_weights_are_there
    monkeypatch.setattr(
        _layers, "check_weights_are_there", lambda *a: asked.append(a[1]) or check(*a)
    )
    network = Network(Unsteady())
    for name in ("activations", "run", "replacement", "node", "activations"):
        READINGS[name](network)
    assert asked == [torch.device("cpu")]
    network.to("meta")
    with pytest.raises(ValueError, match=r"'conv.weight' is on the meta device"):
        network.run(IMAGES)


class Restless(torch.nn.Module):
    """Goes back to training whenever it runs."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)

    def forward(self, x):
        self.train()
        return self.norm(self.conv(x))


@pytest.mark.parametrize("training", [False, True])
def test_a_module_that_trains_while_it_is_read_is_refused_and_has_its_modes_again(training):
    module = Restless().train(training)
    network = Network(module, input_size=16)
    for read in (network.run, lambda images: network.activations(images, "norm")):
        with pytest.raises(ValueError, match=r"put into training mode while it ran.*train\(\)"):
            read(torch.rand(2, 3, 16, 16))
        assert [part.training for part in module.modules()] == [training] * 3
