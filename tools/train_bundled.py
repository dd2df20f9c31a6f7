"""Train the network that comes with the package.

Run ``python -m tools.train_bundled --out FILE``. Every image is drawn on the
fly, and is seen once. Two losses share the trunk: the head names the one shape of a whole image,
the local head names the shape at one place of the default layer, whatever surrounds it. The second
is what makes the units of that layer answer to local poses: each pose must be a sum, with weights
that are not negative, of the units at one place.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save as save_tensors
from torch import Tensor
from tqdm.auto import tqdm

from sklearn_groupcross import __version__
from sklearn_groupcross._files import written_whole
from sklearn_groupcross.networks.bundled import (
    BIN,
    POSE_BINS,
    SHAPE_PERIODS,
    BundledNet,
    preprocess_bundled,
)
from tools.shapes import ShapeBatch, add_surround, draw_shapes

__all__ = [
    "angle_errors",
    "held_out_accuracy",
    "kind_logits",
    "local_poses",
    "main",
    "pose_targets",
    "save_weights",
    "train",
]

IMAGE_SIZE = 49  # a little more than the 35 px field of the default layer
_STRIDE = 4


def pose_targets(kinds: Tensor, angles: Tensor) -> Tensor:
    """Distributions over poses, as targets of a cross-entropy.

    Parameters
    ----------
    kinds : Tensor of shape (n,)
        Index into `SHAPES`.
    angles : Tensor of shape (n,)
        Radians, counter-clockwise.

    Returns
    -------
    Tensor of shape (n, 70)
        Rows sum to 1. An angle between two bins is shared between them in proportion, so that there
        is no edge of a bin at which the target jumps.
    """
    bins = torch.tensor(POSE_BINS, dtype=torch.int64, device=kinds.device)
    first = bins.cumsum(0) - bins
    place = angles / BIN
    low = place.floor().long()
    share = (place - low).to(angles.dtype)
    n_bins, start = bins[kinds], first[kinds]
    targets = torch.zeros(len(kinds), sum(POSE_BINS), dtype=angles.dtype, device=kinds.device)
    targets.scatter_add_(1, (start + low % n_bins)[:, None], (1 - share)[:, None])
    targets.scatter_add_(1, (start + (low + 1) % n_bins)[:, None], share[:, None])
    return targets


def kind_logits(poses: Tensor) -> Tensor:
    """Sum out the angle.

    Parameters
    ----------
    poses : Tensor of shape (n, 70)
        Pose logits.

    Returns
    -------
    Tensor of shape (n, 8)
        Logits over `SHAPES`: the log of each kind's summed odds.
    """
    return torch.stack([block.logsumexp(1) for block in poses.split(POSE_BINS, 1)], 1)


def local_poses(net: BundledNet, features: Tensor, centers: Tensor) -> Tensor:
    """Pose logits read at the unit nearest each shape's centre.

    Parameters
    ----------
    net : BundledNet
        The network whose local head reads.
    features : Tensor of shape (n, 96, height, width)
        Activations of the default layer.
    centers : Tensor of shape (n, 2)
        Row and column in pixels.

    Returns
    -------
    Tensor of shape (n, 70)
        Logits.
    """
    units = (centers / _STRIDE).round().long()
    column = features[torch.arange(len(features)), :, units[:, 0], units[:, 1]]
    return net.local_head(column[:, :, None, None]).flatten(1)


def angle_errors(poses: Tensor, batch: ShapeBatch) -> Tensor:
    """Distance between the most likely angle of the true kind and the true angle.

    Parameters
    ----------
    poses : Tensor of shape (n, 70)
        Pose logits.
    batch : ShapeBatch
        The truth.

    Returns
    -------
    Tensor of shape (m,)
        Radians, modulo each kind's own period, for the m shapes that have an angle.
    """
    errors = []
    blocks = poses.split(POSE_BINS, 1)
    for label, (block, period) in enumerate(zip(blocks, SHAPE_PERIODS.values(), strict=True)):
        if period:
            rows = batch.kinds == label
            guess = block[rows].argmax(1) * BIN
            errors.append(((guess - batch.angles[rows] + period / 2) % period - period / 2).abs())
    return torch.cat(errors)


@torch.no_grad()
def held_out_accuracy(net: BundledNet, seed: int, n: int = 2048) -> dict[str, float]:
    """Score a network on images drawn afresh.

    Parameters
    ----------
    net : BundledNet
        Network to score.
    seed : int
        Seed of the images; not one that training used.
    n : int, default=2048
        Number of images.

    Returns
    -------
    dict of str to float
        `kind` and `angle` (within 22.5°) of lone shapes, from the whole image; `local_kind` and
        `local_angle` of shapes among others, from the units at one place.
    """
    net.eval()
    generator = torch.Generator().manual_seed(seed)
    scores: dict[str, list[Tensor]] = {"kind": [], "angle": [], "local_kind": [], "local_angle": []}
    for start in range(0, n, 256):
        batch = draw_shapes(min(256, n - start), IMAGE_SIZE, generator)
        crowd = add_surround(batch, generator)
        readings = {
            "": net(preprocess_bundled(batch.images)),
            "local_": local_poses(
                net, net.features(preprocess_bundled(crowd.images)), crowd.centers
            ),
        }
        for prefix, poses in readings.items():
            scores[prefix + "kind"].append((kind_logits(poses).argmax(1) == batch.kinds).float())
            scores[prefix + "angle"].append((angle_errors(poses, batch) < BIN).float())
    return {name: torch.cat(values).mean().item() for name, values in scores.items()}


def train(
    steps: int, seed: int = 0, batch_size: int = 128, learning_rate: float = 1.5e-3
) -> BundledNet:
    """Train from scratch.

    Parameters
    ----------
    steps : int
        Number of optimiser steps.
    seed : int, default=0
        Seed of the weights and of the images.
    batch_size : int, default=128
        Images per step, half of them lone shapes and half among others.
    learning_rate : float, default=1.5e-3
        Peak of the one-cycle schedule of AdamW.

    Returns
    -------
    BundledNet
        In evaluation mode.
    """
    generator = torch.Generator().manual_seed(seed)
    net = BundledNet()
    for module in net.modules():
        # drawn here and not by the module, whose own draws come from the global generator
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)) and module.bias is not None:
            torch.nn.init.kaiming_normal_(module.weight, generator=generator)
            # a push above zero: fewer units of the default layer that never wake up
            torch.nn.init.constant_(module.bias, 0.2 if module is net.conv3 else 0.0)
    net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=max(steps, 2), pct_start=0.15
    )
    bar = tqdm(range(steps), desc="training", disable=None)
    for step in bar:
        lone = draw_shapes(batch_size // 2, IMAGE_SIZE, generator)
        crowd = add_surround(draw_shapes(batch_size // 2, IMAGE_SIZE, generator), generator)
        images = torch.cat([lone.images, crowd.images])
        features = net.features(
            preprocess_bundled(images).contiguous(memory_format=torch.channels_last)
        )
        targets = pose_targets(
            torch.cat([lone.kinds, crowd.kinds]), torch.cat([lone.angles, crowd.angles])
        )
        local = local_poses(net, features, torch.cat([lone.centers, crowd.centers]))
        # the head averages over the image, so a crowd has no one right answer for it
        whole = net.classify(features[: len(lone.images)])
        loss = F.cross_entropy(local, targets) + F.cross_entropy(whole, targets[: len(whole)])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            # evidence for a pose, never against it: so each unit answers to few poses
            net.local_head.weight.clamp_(min=0)
        schedule.step()
        if step % 20 == 0:
            bar.set_postfix(loss=f"{loss.item():.3f}")
    return net.eval()


def save_weights(net: BundledNet, path: Path, metadata: dict[str, str]) -> None:
    """Write the weights, whole or not at all.

    Parameters
    ----------
    net : BundledNet
        Network to save.
    path : Path
        File to write; replaced if it is there.
    metadata : dict of str to str
        Stored in the header of the file.
    """
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    with written_whole(path) as temporary:
        temporary.write_bytes(save_tensors(tensors, metadata))


def main(argv: list[str] | None = None) -> int:
    """Run the script.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(description="Train the network that comes with the package.")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--seed", type=int, default=0, help="of weights and images (default: 0)")
    parser.add_argument("--steps", type=int, default=1500, help="default: 1500, about ten minutes")
    args = parser.parse_args(argv)
    if args.steps < 1:
        parser.error("--steps must be at least 1")
    if not args.out.parent.is_dir():
        parser.error(f"--out: there is no folder {args.out.parent}")
    net = train(args.steps, args.seed)
    accuracy = held_out_accuracy(net, args.seed + 1_000_003)
    metadata = {"seed": str(args.seed), "steps": str(args.steps), "version": __version__}
    metadata |= {f"held_out_{name}": f"{value:.4f}" for name, value in accuracy.items()}
    save_weights(net, args.out, metadata)
    sys.stdout.write("".join(f"{name}: {value}\n" for name, value in metadata.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
