"""Whether features respond as their names say, on photographs that no name was taken from.

    THP_MEM_ALLOC_ENABLE=1 python benchmarks/named_responses.py ORBITS.npy IMAGES.npy MODEL...

ORBITS are orbits that no MODEL was fitted on, (n, order, channels), and IMAGES the image of each.
Every MODEL, a saved crosscoder, is named by `SymmetryAnalyzer` on the images of even rank and
judged on those of odd rank: a feature with a symmetry H responds as its name says if the mean
correlation of its code on y with its code on h·y is higher over the h in H other than the identity
than over all others; for a feature that the whole group fixes, than with other orbits of the image.

Printed, for the names of atoms as they stand, for those that images bear out where they suffice
(`gather_evidence`), and for those that responses carry, which are stated: how many, the share that
responds so with Wilson's interval of 95 %, and the same with the names dealt out among the
features; and of how many the nine strongest inputs, one an image, mostly fall silent when the
name's elements transform them. Then what responses say of all atoms with a symmetry.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from scipy.stats import binomtest

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer
from sklearn_groupcross.analysis import code_profiles
from sklearn_groupcross.groups import find_stabilizers


def responds(measured, names: list, features: np.ndarray) -> np.ndarray:
    """Whether features are more alike inside of the symmetry than outside: (k,), bool."""
    found = []
    for i, name in zip(features, names, strict=True):
        inside = np.zeros(measured.profiles.shape[1], dtype=bool)
        inside[list(name.subgroup.elements)] = True
        values, outside = measured.profiles[i], ~inside
        inside[0] = False
        control = values[outside].mean() if outside.any() else measured.elsewhere[i]
        found.append(values[inside].mean() > control)
    return np.array(found)


def silent(measured, names: list, features: np.ndarray) -> int:
    """Features that mostly fall silent on their strongest inputs, moved as their names allow."""
    shares = []
    for i, name in zip(features, names, strict=True):
        inputs = measured.strongest[i][measured.strongest[i, :, 0] > 0]
        shares.append((inputs[:, list(name.subgroup.elements)[1:]] > 0).mean())
    return int((np.array(shares) < 0.5).sum())


def report(title: str, stabilizers: list, stated: np.ndarray, measured) -> None:
    named = np.array([s.subgroup.order > 1 for s in stabilizers]) & stated
    features = np.flatnonzero(named & (measured.n_firings > 0))
    names = [stabilizers[i] for i in features]
    right = responds(measured, names, features)
    dealt = [names[j] for j in np.random.default_rng(0).permutation(len(names))]
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    n_round = sum(s.subgroup.order == measured.profiles.shape[1] for s in names)
    print(
        f"  {title:34} {len(right):5} ({n_round} round)  {right.mean():.3f} "
        f"({interval.low:.3f} to {interval.high:.3f}), "
        f"dealt out {responds(measured, dealt, features).mean():.3f}; "
        f"strongest inputs mostly silent: {silent(measured, names, features)}",
        flush=True,
    )


def main(orbits_file: str, images_file: str, *models: str) -> None:
    orbits = np.load(orbits_file, mmap_mode="r")
    images, rank = np.unique(np.load(images_file), return_inverse=True)
    even, odd = np.flatnonzero(rank % 2 == 0), np.flatnonzero(rank % 2 == 1)
    print(f"{len(images)} images; {len(even)} orbits for names, {len(odd)} to judge them")
    for model in models:
        crosscoder = GroupCrosscoder.load(model)
        start = time.perf_counter()
        part = np.ascontiguousarray(orbits[even])
        analysis = SymmetryAnalyzer().fit(crosscoder, orbits=part, image_ids=rank[even])
        named, part = time.perf_counter() - start, np.ascontiguousarray(orbits[odd])
        start = time.perf_counter()
        measured = code_profiles(crosscoder, part, rank[odd])
        judged = time.perf_counter() - start
        print(f"{model}: {named:.0f} s to name, {judged:.0f} s for code_profiles to judge")
        every = np.ones(len(analysis.stabilizers_), dtype=bool)
        words = analysis.features_table_["responses"]
        standing = find_stabilizers(analysis.group_, analysis.profiles_, analysis.threshold)
        report("atoms as they stand", standing, every, measured)
        report("atoms, by images where they suffice", analysis.atom_stabilizers_, every, measured)
        known = ~words.str.startswith("unknown").to_numpy()
        report("stated", analysis.stabilizers_, known, measured)
        report("unknown, atoms' names", analysis.stabilizers_, ~known, measured)
        print(words[words != ""].str.split(":").str[0].value_counts().to_string(), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
