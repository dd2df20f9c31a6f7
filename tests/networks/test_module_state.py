"""A reading leaves the module as it was, and does not depend on how it was."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sklearn_groupcross import Cyclic, Network, OrbitDataset, load_network, receptive_field
from sklearn_groupcross.networks._module_state import reading


class Unsteady(nn.Module):
    """Whatever behaves differently in training, and some parts called twice or by two names."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU()
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), self.act)
        self.head = nn.Linear(4, 5)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.drop(self.conv(x))))
        x = nn.functional.dropout(self.block(x), training=self.training)
        return self.head(x.mean((-2, -1)))


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


def in_threads(tasks):
    """Results of some callables that four threads run; nobody waits for ever."""
    with ThreadPoolExecutor(4) as threads:
        return [future.result(timeout=60) for future in [threads.submit(task) for task in tasks]]


@pytest.mark.parametrize(
    ("make", "images", "layers"),
    [
        (lambda: load_network("bundled"), torch.rand(2, 3, 96, 96), ["conv1", "relu2", "relu3"]),
        (lambda: Network(TwoNames()), IMAGES, ["act", "act2", "again.0", "second.1", "unused"]),
        (lambda: Network(Unsteady().train()), IMAGES, ["conv", "block", "dropout"]),
    ],
    ids=["bundled", "several names", "nodes"],
)
def test_threads_read_one_network_as_one_thread_does(make, images, layers):
    network = make()
    modes = [part.training for part in network.module.modules()]
    parts = dict(network.module.named_modules(remove_duplicate=False))
    expected = [make().activations(images, layer) for layer in layers]
    expected.append(make().run(images))

    def read(k):
        return network.run(images) if k == len(layers) else network.activations(images, layers[k])

    order = [k for _ in range(12) for k in range(len(expected))]
    found = in_threads([partial(read, k) for k in order])
    assert [
        k for k, one in zip(order, found, strict=True) if not torch.equal(one, expected[k])
    ] == []
    assert [part.training for part in network.module.modules()] == modes
    assert dict(network.module.named_modules(remove_duplicate=False)) == parts
    assert not any(part._forward_hooks for part in network.module.modules())


def test_threads_read_networks_that_share_parts():
    module = TwoNames()
    networks = [Network(module), Network(nn.Sequential(module.first, module.act, module.second))]
    asked = [(networks[0], "act2"), (networks[1], "0"), (networks[1], "2.1")]
    expected = [network.activations(IMAGES, layer) for network, layer in asked]
    found = in_threads([partial(n.activations, IMAGES, layer) for n, layer in asked] * 12)
    assert all(map(torch.equal, found, expected * 12))


def test_threads_trace_graphs_while_others_read():
    """Also from within a reading, as from a function that replaces a layer."""
    other, readers = Network(Unsteady()), [Network(Unsteady()) for _ in range(8)]
    expected = other.activations(IMAGES, "dropout")

    def trace(network):
        return network.activations(IMAGES, "dropout")

    def trace_within(network):
        traced = []

        def replace(maps):
            traced.append(trace(Network(Unsteady())))
            return maps

        network.run_with_replacement(IMAGES, "norm", replace)
        return traced[0]

    tasks = [partial(f, n) for n in readers for f in (trace_within, trace)]
    tasks += [partial(other.activations, IMAGES, "dropout") for _ in range(16)]
    assert all(torch.equal(found, expected) for found in in_threads(tasks))


def test_threads_measure_fields_as_one_thread_does():
    networks = [Network(Unsteady()) for _ in range(2)]
    layers = ["conv", "norm", "block.0", "block"]
    expected = [receptive_field(networks[0], layer, 12) for layer in layers]
    found = in_threads([partial(receptive_field, networks[1], name, 12) for name in layers * 2])
    assert found == expected * 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_networks_that_are_read_in_threads_can_be_copied(copied):
    network = load_network("bundled")
    images = torch.rand(1, 3, 96, 96)
    expected = network.activations(images)
    assert torch.equal(copied(network).activations(images), expected)


def test_a_reading_waits_for_that_of_another_thread_and_not_for_its_own():
    module = Unsteady().train()
    inside, outside, after = threading.Event(), threading.Event(), []

    def hold():
        with reading(module), reading(module):
            inside.set()
            outside.wait(10)
            after.append("held")

    def follow():
        with reading(module.block):
            after.append("read")

    threads = [threading.Thread(target=target) for target in (hold, follow)]
    threads[0].start()
    assert inside.wait(10)
    assert not any(part.training for part in module.modules())
    threads[1].start()
    threads[1].join(0.1)
    outside.set()
    for thread in threads:
        thread.join(10)
    assert after == ["held", "read"]
    assert all(part.training for part in module.modules())


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


class TwoNames(nn.Module):
    """One activation under two names, one block within two others."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3)
        self.act = nn.ReLU()
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3), self.act)
        self.act2 = self.act
        self.unused = self.act
        self.again = self.second

    def forward(self, x):
        return self.again(self.act2(self.second(self.act(self.first(x)))))


def test_of_a_module_with_several_names_each_is_read_where_it_is_called():
    module = TwoNames()
    network = Network(module)
    x, steps = IMAGES, {}
    with torch.no_grad():
        steps["act"] = x = module.act(module.first(x))
        steps["second.0"] = module.second[0](x)
        steps["second"] = steps["second.1"] = x = module.second(x)
        steps["act2"] = x
        steps["again.0"] = module.second[0](x)
        steps["again"] = steps["again.1"] = module.second(x)
    assert set(steps) < set(network.layer_names)
    for name, expected in steps.items():
        torch.testing.assert_close(network.activations(IMAGES, name), expected, rtol=0, atol=0)
    together = network.activations(IMAGES, list(steps))
    for name, expected in steps.items():
        torch.testing.assert_close(together[name], expected, rtol=0, atol=0)
    # a name that the forward pass does not use: the first call of what it names
    torch.testing.assert_close(network.activations(IMAGES, "unused"), steps["act"])
    assert receptive_field(network, "act2", 12).size == (5, 5)
    assert receptive_field(network, "again.0", 12).size == (7, 7)
    # and nothing is left of the copies
    assert module.act is module.act2 is module.second[1]
    assert module.second is module.again
    zeros = network.run_with_replacement(IMAGES, "again", torch.zeros_like)
    assert not zeros.any()
    changed = network.run_with_replacement(IMAGES, "second", lambda m: m + 1)
    torch.testing.assert_close(changed, module.second(steps["act2"] + 1))


def test_a_part_that_knows_its_owner_is_no_endless_path():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    module[1].owner = module
    assert Network(module).layer_names == ["0", "1"]


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
