"""Found again, and being there: what other seeds say about planted dictionaries, and a consensus.

    python benchmarks/found_again.py

Orbits of Dihedral(8) and Dihedral(12), closed under the group (families with all their translates)
or not (one atom a family), from planted atoms with random stabilizers, four active in each orbit.
Ensembles of TopK crosscoders with a tenth more atoms than are planted learn from them, without
augmentation. A feature is called found again if at least half of the other runs have it (cosine of
0.7 up to the group, one to one), and planted if it has a cosine of √0.7 with a planted atom up to
the group: two features of that cosine whose errors have nothing in common have 0.7 with one
another. Printed for each case, with 95 % intervals (t distribution over planted dictionaries):

- the shares of features that are planted, and found again;
- precision and recall of "found again" as a test of "planted", and the precision of a coin, which
  is the share that is planted;
- of the consensus of each ensemble, its size beside the number of planted atoms, the share of it
  that is planted, and the share of planted atoms that have a partner of that cosine in it, up to
  the group and in their own pose; the last two for a single run as well.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from sklearn_groupcross import Dihedral, GroupCrosscoder, crosscoder_ensemble, make_orbits
from sklearn_groupcross.analysis import consensus_dictionary, found_again, match_dictionaries
from sklearn_groupcross.groups import FiniteGroup

PLANTED = 0.7**0.5
N_ACTIVE = 4


def measure(
    group: FiniteGroup, closed: bool, seed: int, options: argparse.Namespace
) -> dict[str, float]:
    """Figures of one planted dictionary."""
    data = make_orbits(
        options.samples,
        group=group,
        n_channels=48,
        n_families=5 if closed else 40,
        n_active=N_ACTIVE,
        closed=closed,
        noise=options.noise,
        random_state=seed,
    )
    ensemble = crosscoder_ensemble(
        GroupCrosscoder(
            group=group,
            n_features=round(options.atoms * len(data.components)),
            activation="topk",
            k=N_ACTIVE,
            batch_size=100,
            max_epochs=options.epochs,
            device="cpu",
            random_state=seed,
        ),
        data.orbits,
        options.runs,
    )
    found, planted = judge(ensemble, data.components, group)
    both = (found & planted).sum()

    def recovered(atoms: object, up_to_group: bool = True) -> float:
        matching = match_dictionaries(
            data.components, atoms, group=group, up_to_group=up_to_group, threshold=PLANTED
        )
        return float(matching.matched_first.mean())

    consensus = consensus_dictionary(ensemble)
    own = match_dictionaries(consensus.atoms, data.components, group=group, threshold=PLANTED)
    return {
        "planted": planted.mean(),
        "found again": found.mean(),
        "precision": both / found.sum(),
        "recall": both / planted.sum(),
        "consensus, features for one planted": len(consensus) / len(data.components),
        "consensus, planted": (own.best_first >= PLANTED).mean(),
        "consensus, of the planted": recovered(consensus.atoms),
        "consensus, of the planted, in pose": recovered(consensus.atoms, up_to_group=False),
        "single run, of the planted": recovered(ensemble[0]),
        "single run, of the planted, in pose": recovered(ensemble[0], up_to_group=False),
    }


def judge(
    ensemble: Sequence[GroupCrosscoder], truth: NDArray[np.floating], group: FiniteGroup
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each feature of each run is found again by half of the others, and is planted."""
    found, planted = [], []
    for i, one in enumerate(ensemble):
        others = [*ensemble[:i], *ensemble[i + 1 :]]
        found.append(found_again(one, others) >= 0.5)
        planted.append(match_dictionaries(one, truth, group=group).best_first >= PLANTED)
    return np.concatenate(found), np.concatenate(planted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="planted dictionaries a case")
    parser.add_argument("--runs", type=int, default=5, help="seeds of an ensemble")
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--atoms", type=float, default=1.1, help="for each that is planted")
    parser.add_argument("--noise", type=float, default=0.1)
    options = parser.parse_args()
    for n in (8, 12):
        for closed in (False, True):
            start = time.perf_counter()
            results = [measure(Dihedral(n), closed, seed, options) for seed in range(options.seeds)]
            seconds = time.perf_counter() - start
            print(f"Dihedral({n}), {'closed' if closed else 'not closed'} ({seconds:.0f} s)")
            for name in results[0]:
                values = np.array([result[name] for result in results])
                half = np.nan
                if len(values) > 1:
                    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
                print(f"  {name}: {values.mean():.3f} ± {half:.3f}", flush=True)


if __name__ == "__main__":
    main()
