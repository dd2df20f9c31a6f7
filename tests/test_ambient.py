"""What `own_state` gives, and that it is undone."""

import threading
import warnings

import numpy as np
import pytest
import torch

from sklearn_groupcross import _ambient
from sklearn_groupcross._ambient import own_state


def seen():
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_float32_matmul_precision(),
        np.geterr(),
    )


@pytest.mark.parametrize("gradients", [False, True])
def test_state_inside_is_that_of_a_fresh_process_and_that_outside_comes_back(gradients):
    fresh = seen()
    torch.set_float32_matmul_precision("medium")
    try:
        with (
            torch.inference_mode(),
            torch.autocast("cpu", dtype=torch.bfloat16),
            np.errstate(all="raise"),
        ):
            outside = seen()
            with own_state(gradients=gradients):
                grad, inference, autocast, _, errors = seen()
                assert (grad, inference, autocast) == (gradients, False, False)
                assert errors == fresh[-1]
                for part in ("cuda", "mkldnn"):
                    matmul = getattr(getattr(torch.backends, part), "matmul", None)
                    if hasattr(matmul, "fp32_precision"):
                        assert matmul.fp32_precision == "ieee"
            assert seen() == outside
            with pytest.raises(RuntimeError, match="inner"), own_state():
                raise RuntimeError("inner")
            assert seen() == outside
    finally:
        torch.set_float32_matmul_precision("highest")
    assert seen() == fresh


def test_it_is_a_decorator_that_may_be_nested():
    @own_state()
    def inner():
        return torch.is_grad_enabled()

    @own_state(gradients=True)
    def outer():
        return inner(), torch.is_grad_enabled()

    assert outer() == outer() == (False, True)


BACKENDS = torch.backends


def new_way(name, precision):
    def say():
        part = BACKENDS
        for step in name.split("."):
            part = getattr(part, step)
        part.fp32_precision = precision

    return say


WAYS = {
    "nothing": lambda: None,
    "old, medium": lambda: torch.set_float32_matmul_precision("medium"),
    "old, high": lambda: torch.set_float32_matmul_precision("high"),
    "allow_tf32": lambda: setattr(BACKENDS.cuda.matmul, "allow_tf32", True),
}
if hasattr(BACKENDS.mkldnn, "matmul"):
    WAYS["cuda alone"] = new_way("cuda.matmul", "tf32")
    WAYS["cpu alone"] = new_way("mkldnn.matmul", "bf16")
    WAYS["convolutions"] = new_way("mkldnn.conv", "bf16")


@pytest.fixture(params=WAYS)
def host_precision(request):
    before, _ = precision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch advises against its old way
        WAYS[request.param]()
    yield precision()
    torch.set_float32_matmul_precision("highest")  # both ways agree again
    _ambient._set_precision(before)
    assert precision() == (before, False)


def precision():
    """What a module or a host program sees that asks in either way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            allowed = BACKENDS.cuda.matmul.allow_tf32
        except RuntimeError:  # torch's answer to who says it in the new way and asks in the old
            allowed = None
        return _ambient._precision(), allowed


def test_products_are_full_inside_and_the_hosts_again_outside(host_precision):
    with own_state():
        (old, new), allowed = precision()
        assert set(new) <= {"none", "ieee"}
        if None not in (host_precision[0].old, host_precision[1]):
            assert (old, allowed) == ("highest", False)
        inside = precision()
        with _ambient._products.tf32():
            assert precision() != inside
            with own_state():  # of another thread, say: a fit in TF32 goes on in it
                assert precision() != inside
        assert precision() == inside
    assert precision() == host_precision


def test_the_last_thread_that_leaves_gives_the_host_its_precision_back(host_precision):
    inside, leave = threading.Event(), threading.Event()

    def other():
        with own_state():
            inside.set()
            assert leave.wait(30)

    thread = threading.Thread(target=other)
    with own_state():
        full = precision()
        thread.start()
        assert inside.wait(30)
    assert precision() == full
    leave.set()
    thread.join()
    assert precision() == host_precision


@pytest.mark.parametrize("wanted", [True, False])
def test_convolutions_of_cuda_are_full_unless_tf32_is_wanted(wanted):
    """What torch would do on CUDA, which need not be there to be told."""
    cudnn = torch.backends.cudnn

    def allows_tf32():
        return cudnn.conv.fp32_precision == "tf32" if hasattr(cudnn, "conv") else cudnn.allow_tf32

    before = allows_tf32()
    with _ambient.tf32_convolutions(torch.device("cuda"), wanted=wanted):
        assert allows_tf32() is wanted
    assert allows_tf32() is before
    with _ambient.tf32_convolutions(torch.device("cpu"), wanted=not before):
        assert allows_tf32() is before
