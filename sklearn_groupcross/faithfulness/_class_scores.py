"""Class scores of a network: how far they moved, image by image and in summary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import bootstrap
from torch import Tensor

FloatArray = NDArray[np.float64]

_N_RESAMPLES = 2000
_CONFIDENCE = 0.95


def check_scores(scores: Any, n_images: int, network: str) -> Tensor:
    """Return what a network put out, on the CPU.

    Raises
    ------
    ValueError
        If it is not of shape (n_images, n_classes).
    """
    if not isinstance(scores, Tensor) or scores.ndim != 2 or scores.shape[0] != n_images:
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(
            f"Network {network!r} puts out {shape} for {n_images} images; class scores of shape "
            "(n_images, n_classes) are needed. A module without a classifier cannot be measured."
        )
    return scores.cpu()


@dataclass
class ClassScores:
    """Class distributions that a network put out for some images.

    Attributes
    ----------
    log_probabilities : Tensor of shape (n_images, n_classes), float64
    from_probabilities : bool
        Whether the network puts out probabilities; otherwise logits.
    """

    log_probabilities: Tensor
    from_probabilities: bool

    @classmethod
    def of(cls, scores: Tensor) -> ClassScores:
        """Read scores of shape (n_images, n_classes), finding out what they are."""
        # InceptionV1 ends in a softmax, the other networks in logits
        sums = scores.double().sum(dim=1)
        is_distribution = bool((scores >= 0).all() and ((sums - 1).abs() < 1e-3).all())
        return cls(_log_probabilities(scores, is_distribution), is_distribution)

    def like(self, scores: Tensor) -> ClassScores:
        """Read scores of the same network as these were read."""
        return ClassScores(
            _log_probabilities(scores, self.from_probabilities), self.from_probabilities
        )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.log_probabilities.shape[1]

    def compare(
        self, original: ClassScores, labels: NDArray[np.int64] | None
    ) -> dict[str, FloatArray]:
        """Hold every image against the original network.

        Returns
        -------
        effect : dict of str to ndarray of shape (n_images,)
            ``kl`` in nats, ``agreement``; with labels ``accuracy`` and ``cross_entropy`` in nats.
        """
        log_q, log_p = self.log_probabilities, original.log_probabilities
        top = log_q.argmax(dim=1)
        effect = {
            "kl": (log_p.exp() * (log_p - log_q)).sum(dim=1).numpy(),
            "agreement": (top == log_p.argmax(dim=1)).double().numpy(),
        }
        if labels is not None:
            truth = torch.from_numpy(labels)
            effect["accuracy"] = (top == truth).double().numpy()
            effect["cross_entropy"] = -log_q.gather(1, truth[:, None])[:, 0].numpy()
        return effect


def _log_probabilities(scores: Tensor, are_probabilities: bool) -> Tensor:
    if not are_probabilities:
        return scores.double().log_softmax(dim=1)
    # a probability below the smallest float32 came out as 0; its logarithm has to stay finite
    return scores.double().clamp_min(torch.finfo(torch.float32).tiny).log()


def summarize(
    effect: dict[str, FloatArray],
    mean_ablation: dict[str, FloatArray],
    original: dict[str, FloatArray],
    seed: int,
) -> dict[str, float]:
    """Average over images what `ClassScores.compare` gave for one condition.

    Parameters
    ----------
    effect, mean_ablation, original : dict of str to ndarray of shape (n_images,)
        Of the condition, and of the two that its figures are related to.
    seed : int
        Of the bootstrap.

    Returns
    -------
    row : dict of str to float
        Columns of `downstream_effect`.
    """

    def recovered(kl: FloatArray, kl_mean: FloatArray, axis: int = -1) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1.0 - np.mean(kl, axis=axis) / np.mean(kl_mean, axis=axis)

    kl, kl_mean = effect["kl"], mean_ablation["kl"]
    row: dict[str, float] = {}
    for name, statistic, samples in (
        ("kl", np.mean, (kl,)),
        ("agreement", np.mean, (effect["agreement"],)),
        ("recovered", recovered, (kl, kl_mean)),
    ):
        defined = name != "recovered" or bool(kl_mean.mean() > 0)
        row[name] = float(statistic(*samples)) if defined else np.nan
        row[f"{name}_low"], row[f"{name}_high"] = (
            _interval(statistic, samples, seed) if defined else (np.nan, np.nan)
        )
    if "accuracy" in effect:
        row["accuracy"] = float(effect["accuracy"].mean())
        row["cross_entropy"] = loss = float(effect["cross_entropy"].mean())
        worst, best = (float(e["cross_entropy"].mean()) for e in (mean_ablation, original))
        row["loss_recovered"] = (worst - loss) / (worst - best) if worst != best else np.nan
    return row


def _interval(
    statistic: Callable[..., Any], samples: tuple[FloatArray, ...], seed: int
) -> tuple[float, float]:
    if len(samples[0]) < 2:
        return np.nan, np.nan
    # The same seed each time: conditions see the same resamples. Percentiles, since BCa is not
    # defined for samples that are all alike, such as the agreement of a good dictionary.
    interval = bootstrap(
        samples,
        statistic,
        n_resamples=_N_RESAMPLES,
        batch=max(1, (1 << 22) // len(samples[0])),
        vectorized=True,
        paired=True,
        confidence_level=_CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)
