"""
Features that hold, and their consensus
=======================================

Training starts at random atoms. What one start finds and another does not says more about the start
than about the network. Here the truth is planted, so that it can be seen what the other starts know
of it:

- `crosscoder_ensemble` fits several starts in shared passes,
- `found_again` says of each feature how many of the other runs have it,
- `consensus_dictionary` averages what at least half of the runs agree on.
"""

# %%
# Five runs over the same orbits
# ------------------------------
# Forty planted features, some of them rare: the odds of being active fall as 1 / rank. The
# dictionaries have ten atoms more than are planted.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    SymmetryAnalyzer,
    crosscoder_ensemble,
    make_orbits,
)
from sklearn_groupcross.analysis import consensus_dictionary, match_dictionaries

group = Dihedral(8)
planted = make_orbits(
    3000,
    group=group,
    n_channels=48,
    n_families=40,
    closed=False,
    frequencies=1.0,
    noise=0.3,
    random_state=0,
)
estimator = GroupCrosscoder(
    group, n_features=50, activation="topk", k=4, batch_size=100, max_epochs=15, random_state=0
)
ensemble = crosscoder_ensemble(estimator, planted.orbits, n_seeds=5)

# %%
# Found again, and true
# ---------------------
# An analyzer that is given the other runs has their verdict in its tables.

analysis = SymmetryAnalyzer().fit(ensemble[0], others=ensemble[1:])
print(analysis.features_table_[["symmetry", "energy", "found_again"]].head(8))
truth = match_dictionaries(ensemble[0], planted.components, group=group).best_first

# %%
# A consensus
# -----------
# Features of all runs that are one another's partners, aligned by the group and averaged. Errors of
# different starts are not the same, and average out.

consensus = consensus_dictionary(ensemble)
print(f"{len(consensus)} features, of so many runs each: {np.bincount(consensus.n_runs)}")
averaged = match_dictionaries(consensus.atoms, planted.components, group=group).best_first

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
jitter = np.random.default_rng(0).uniform(-0.03, 0.03, len(truth))
left.plot(analysis.found_again_ + jitter, truth, "o", color="#0072B2", alpha=0.6)
left.set(
    xlabel="share of other runs that find it again",
    ylabel="cosine with the nearest planted feature",
    title="a single run",
)
left.axvspan(0.45, 1.05, color="0.93", zorder=0)
jitter = np.random.default_rng(0).uniform(-0.03, 0.03, len(averaged))
right.plot(consensus.share + jitter, averaged, "o", color="#D55E00", alpha=0.6)
right.set(xlabel="share of runs that agree on it", title="their consensus", xlim=left.get_xlim())

# %%
# Features that at least half of the other runs have (shaded) are planted ones; the rest are mostly
# mixtures that one start happened to end in. The consensus leaves these out.
#
# A crosscoder of it
# ------------------
# The atoms are where a further fit starts. It has no more features than are agreed on.

refitted = clone(estimator).set_params(n_features=len(consensus), dict_init=consensus.components)
refitted.fit(planted.orbits)
print(f"a single run explains {ensemble[0].score(planted.orbits):.3f}")
print(f"the refitted consensus {refitted.score(planted.orbits):.3f}")
