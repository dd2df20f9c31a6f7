"""Products with the active codes alone on a GPU; without one, in Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder import _trainer
from sklearn_groupcross.crosscoder._activations._largest import TopK
from sklearn_groupcross.crosscoder._active import _gathering
from sklearn_groupcross.crosscoder._active._gathering import gather
from sklearn_groupcross.crosscoder._batches import Samples
from sklearn_groupcross.crosscoder._selection import largest
from sklearn_groupcross.crosscoder._step import dense_step

from ..steps import assert_close as assert_same
from ..steps import steps
from ..test_devices import DEVICES as ALL_DEVICES

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="this build of torch comes without Triton"
)
# where there is CUDA kernels are compiled, and not for the CPU
DEVICES = ALL_DEVICES[1:] if torch.cuda.is_available() else ALL_DEVICES
pytestmark = needs_triton


@st.composite
def problems(draw):
    """Sizes, and places of codes row by row, in any number a row."""
    n, m, w = draw(st.integers(1, 5)), draw(st.integers(1, 12)), draw(st.integers(1, 40))
    places = draw(st.lists(st.integers(0, n * m - 1), max_size=25))
    if draw(st.booleans()):  # a code at a time, but in no order within its row
        places = sorted(set(places), key=lambda place: (place // m, -place))
    else:  # several at one place
        places = sorted(places)
    return n, m, w, places, draw(st.integers(0, 2**32 - 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("device", DEVICES)
@given(problem=problems(), tile=st.sampled_from([32, 64]), n_together=st.sampled_from([1, 4]))
@example(problem=(2, 3, 33, [], 0), tile=32, n_together=4)
@example(problem=(2, 3, 33, [0, 0, 0, 0, 0, 5], 0), tile=32, n_together=4)
@settings(max_examples=25)
def test_it_is_the_dense_product_and_so_are_its_gradients(device, dtype, problem, tile, n_together):
    n, m, w, places, seed = problem
    generator = torch.Generator().manual_seed(seed)
    codes, decoder, pull = (
        torch.randn(shape, generator=generator).to(device)
        for shape in [(len(places),), (m, w), (n, w)]
    )
    if dtype == torch.bfloat16:  # then what is rounded is as it was
        decoder, pull = decoder.to(dtype).float(), pull.to(dtype).float()
    codes.requires_grad_()
    decoder.requires_grad_()
    where = torch.tensor(places, dtype=torch.int64, device=device)
    with sizes(tile, n_together):
        product = gather(codes, where, n, decoder, dtype)
        found = torch.autograd.grad(product, [codes, decoder], pull)
    matrix = torch.zeros(n * m, dtype=torch.float64, device=device)
    matrix = matrix.index_add(0, where, codes.double()).reshape(n, m)
    expected = matrix @ decoder.double()
    assert product.dtype == torch.float32
    assert_close(product, expected, matrix.abs() @ decoder.abs().double())
    gradients = torch.autograd.grad(expected, [codes, decoder], pull.double())
    rows, columns = where // m, where % m
    scales = [
        (pull[rows] * decoder[columns]).abs().sum(1),
        matrix.abs().T @ pull.abs().double(),
    ]
    for one, other, scale in zip(found, gradients, scales, strict=True):
        assert one.dtype == torch.float32
        assert_close(one, other, scale)


def assert_close(found, expected, scale):
    """To 1e-5 of what is summed."""
    assert found.shape == expected.shape
    assert ((found.double() - expected).abs() <= 1e-5 * scale.double() + 1e-30).all()


@contextmanager
def sizes(tile, n_together):
    """Make tiles small, so that small matrices have several."""
    from sklearn_groupcross.crosscoder._active import _triton_kernels as kernels

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "TILE_BYTES", tile)
        patch.setattr(kernels, "N_TOGETHER", n_together)
        yield


@pytest.mark.parametrize("of_batch", [False, True])
def test_places_are_row_by_row_and_have_the_gradient(of_batch):
    values = torch.tensor([[3.0, -1.0, -2.0], [0.5, 9.0, 8.0]], requires_grad=True)
    kept, places = largest(values, 2, of_batch=of_batch)
    rows = places // 3
    assert (rows.diff() >= 0).all()
    torch.testing.assert_close(kept, values.flatten()[places].clamp_min(0))
    assert sorted(places.tolist()) == ([0, 3, 4, 5] if of_batch else [0, 1, 4, 5])
    kept.sum().backward()
    expected = torch.zeros(6)
    expected[places[kept > 0]] = 1
    assert torch.equal(values.grad.flatten(), expected)


@pytest.fixture
def always(monkeypatch):
    """Gather wherever it is possible, and count how often."""
    calls = []
    gathered = _gathering.gathered

    def counted(*arguments):
        calls.append(1)
        return gathered(*arguments)

    monkeypatch.setattr(_gathering, "is_faster_gathered", lambda *_: True)
    monkeypatch.setattr(_gathering, "gathered", counted)
    return calls


@pytest.mark.parametrize("device", DEVICES)
@given(step=steps(activations=["topk", "batch_topk"]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_step_is_the_dense_one(device, always, step):
    options, parameters, samples, l1, dead = step
    options = replace(options, device=torch.device(device))
    samples = Samples(samples.inputs.to(device), samples.targets.to(device))
    gathering, dense = (parameters.learnable(options.device) for _ in range(2))
    found = dense_step(gathering, options, samples, l1, dead.to(device))
    assert len(always) == 1
    always.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_gathering, "is_faster_gathered", lambda *_: False)
        expected = dense_step(dense, options, samples, l1, dead.to(device))
    assert not always
    for name, value in vars(expected).items():
        assert_same(getattr(found, name), value, name)
    for name, tensor in dense.named().items():
        assert_same(gathering.named()[name].grad, tensor.grad, name)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("activation", ["topk", "batch_topk"])
@pytest.mark.parametrize("device", DEVICES)
def test_a_run_ends_where_the_dense_one_does(device, activation, precision, always, monkeypatch):
    orbits = make_orbits(60, group=Dihedral(3), n_channels=8, random_state=0).orbits
    monkeypatch.setattr(
        _trainer, "is_faster_without_zeros", lambda *_: False
    )  # on the CPU numba would do it

    def fit():
        return GroupCrosscoder(
            Dihedral(3), 12, activation=activation, k=3, batch_size=20, max_epochs=3,
            dead_features="auxk", precision=precision, device=device, random_state=0,
        ).fit(orbits)  # fmt: skip

    there = fit()
    assert len(always) == 9
    monkeypatch.setattr(_gathering, "is_faster_gathered", lambda *_: False)
    atol = 1e-4 if precision == "float32" else 1e-2
    np.testing.assert_allclose(there.components_, fit().components_, atol=atol)
    assert len(always) == 9


class OnCuda:
    """Stands for a decoder on a device that may not be there."""

    device = torch.device("cuda")

    def __init__(self, n_atoms, width):
        self.n_atoms, self.width = n_atoms, width

    def __len__(self):
        return self.n_atoms

    def numel(self):
        return self.n_atoms * self.width


@pytest.mark.parametrize(
    ("n_atoms", "width", "k", "precision", "works", "expected"),
    [
        (128, 1 << 18, 1, "bfloat16", True, True),
        (128, (1 << 18) - 1, 1, "bfloat16", True, False),
        (127, 1 << 19, 1, "bfloat16", True, False),
        (128, 1 << 18, 1, "bfloat16", False, False),
        (127, 1 << 19, 1, "tf32", True, False),
        (60, 1 << 20, 2, "float32", True, True),
        (59, 1 << 20, 2, "float32", True, False),
    ],
)
def test_it_is_done_where_it_pays(n_atoms, width, k, precision, works, expected, monkeypatch):
    monkeypatch.setattr(_gathering, "works_on", lambda device, dtype: works)
    options, rule = SimpleNamespace(precision=precision, matmul_dtype=None), TopK(n_atoms, 1, k)
    there = SimpleNamespace(decoder=OnCuda(n_atoms, width))
    assert _gathering.is_faster_gathered(there, rule, options) == expected
    here = SimpleNamespace(decoder=torch.zeros(n_atoms, 1))  # numba does it
    assert not _gathering.is_faster_gathered(here, rule, options)


@pytest.fixture
def unknown():
    """Forget on which devices it works, before and after."""
    _gathering.works_on.cache_clear()
    yield
    _gathering.works_on.cache_clear()


@pytest.mark.parametrize("device", DEVICES)
def test_it_works_here(device, unknown):
    for dtype in (torch.float32, torch.bfloat16):
        assert _gathering.works_on(torch.device(device), dtype)


def test_what_does_not_compile_is_said_once_and_left_alone(unknown, monkeypatch):
    def fail(*_):
        raise RuntimeError("Failed to find C compiler.")

    monkeypatch.setattr(_gathering, "gather", fail)
    with pytest.warns(RuntimeWarning, match=r"\(RuntimeError: Failed to find C compiler.\). Train"):
        assert not _gathering.works_on(torch.device("cpu"), torch.float32)
    assert not _gathering.works_on(torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("name", ["_sums", "_products"])
@pytest.mark.parametrize("device", DEVICES)
def test_wrong_results_are_noticed(device, name, unknown, monkeypatch):
    function = getattr(_gathering, name)
    monkeypatch.setattr(_gathering, name, lambda *arguments: function(*arguments) + 1)
    with pytest.warns(RuntimeWarning, match="its results are wrong"):
        assert not _gathering.works_on(torch.device(device), torch.bfloat16)


def test_without_triton_products_of_all_atoms_are_left(unknown, monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    assert not _gathering.works_on(torch.device("cpu"), torch.float32)


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from sklearn_groupcross.crosscoder._active import _triton_kernels as kernels

for architecture in (80, 90):
    for numbers, tile in (("*fp32", kernels.TILE_BYTES // 4), ("*bf16", kernels.TILE_BYTES // 2)):
        for kernel in (kernels.add_rows, kernels.products_at):
            types = {
                "indptr": "*i64", "indices": "*i64", "data": "*fp32", "vectors": numbers,
                "matrix": numbers, "out": "*fp32", "width": "i32", "n_entries": "i32",
                "tile": "constexpr", "n_together": "constexpr",
            }
            source = ASTSource(
                kernel,
                {name: types[name] for name in kernel.arg_names},
                {"tile": tile, "n_together": kernels.N_TOGETHER},
            )
            compiled = compile(source, target=GPUTarget("cuda", architecture, 32))
            print(architecture, numbers, len(compiled.asm["cubin"]))
"""


def test_it_compiles_for_gpus_that_are_not_here():
    """For those of 2020 and 2022 on: the interpreter takes more than the compiler does."""
    without = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], env=without, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 8
