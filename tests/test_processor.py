"""What the CPU can do, by the flags that LLVM finds."""

from __future__ import annotations

from collections.abc import Iterator

import llvmlite.binding
import pytest
import torch

from sklearn_groupcross import _processor


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    caches = (_processor._features, _processor.multiplies_bfloat16)
    for each in caches:
        each.cache_clear()
    yield
    for each in caches:
        each.cache_clear()


@pytest.mark.parametrize(
    ("flags", "names", "has_bfloat16"),
    [
        ("sse2 avx avx2 fma", "AVX2, FMA", False),
        ("avx2 fma avx512f avx512vnni avx512bf16", "AVX2, FMA, AVX-512, VNNI, bfloat16", True),
        ("avx2 avx512f amx-bf16", "AVX2, AVX-512, AMX bfloat16", True),
        ("neon bf16", "NEON, bfloat16", False),
        ("sse2", "none known", False),
    ],
)
def test_instructions_are_named_and_those_for_bfloat16_are_known(
    monkeypatch: pytest.MonkeyPatch, flags: str, names: str, has_bfloat16: bool
) -> None:
    found = {**dict.fromkeys(flags.split(), True), "avx512fp16": False}
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", lambda: found)
    assert _processor.instruction_sets() == names
    assert _processor.multiplies_bfloat16() is has_bfloat16


def test_a_system_that_does_not_tell_has_no_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> None:
        raise RuntimeError("not on this system")

    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", unknown)
    assert _processor.instruction_sets() == "none known"
    assert not _processor.multiplies_bfloat16()


def test_what_torch_uses_is_there() -> None:
    used = torch.backends.cpu.get_cpu_capability()  # less than there is, where a variable says so
    if used in ("AVX2", "AVX512"):
        assert used in _processor.instruction_sets().replace("-", "")
