"""Which device torch should use."""

from __future__ import annotations

import torch


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn ``"auto"`` into CUDA when there is one, else the CPU; check any other.

    Raises
    ------
    ValueError
        If the device is unknown or absent.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"Unknown device {device!r}: expected 'auto', 'cpu' or 'cuda'.") from error
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"Device {device!r} was asked for, but torch finds no CUDA here.")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"Device {device!r} was asked for, but torch finds {torch.cuda.device_count()} of CUDA "
            "here, counted from 0."
        )
    if resolved.type in ("cpu", "cuda"):
        return resolved
    if resolved.type == "mps":
        raise ValueError(
            f"Device {device!r}, Apple's GPU, has no float64, in which moments, scores and weights "
            "far from zero are summed here: take device='cpu'."
        )
    if resolved.type == "meta":
        raise ValueError(f"Device {device!r} holds no numbers: nothing can be computed there.")
    try:
        torch.empty(1, dtype=torch.float32, device=resolved)
    except (RuntimeError, AssertionError, ImportError) as error:  # whatever its backend says
        raise ValueError(
            f"Device {device!r} was asked for, but torch cannot use it here; 'auto' takes what "
            "there is."
        ) from error
    return resolved
