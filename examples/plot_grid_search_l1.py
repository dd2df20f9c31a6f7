"""
Choosing the penalty by grid search
===================================

Explained variance alone votes for a weak penalty. Here a pipeline and a grid search over nine
values of ``l1`` choose one for a reason, on planted data, where we can see afterwards which value
finds the planted atoms best, and by how much each choice misses it.
"""

# %%
# Planted orbits, in groups that stand for photographs
# ----------------------------------------------------
# Four families under the symmetries of a square; three atoms make up a sample. Samples come in
# groups of twenty, as positions come in photographs, and a group is never split between training
# and validation.
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitScaler, make_orbits
from sklearn_groupcross.model_selection import (
    KneePoint,
    SparsestWithin,
    description_length,
    score_crosscoder,
)
from sklearn_groupcross.plotting import FrontierDisplay

group = Dihedral(4)
planted = make_orbits(
    1200, group=group, n_channels=32, n_families=4, n_active=3, noise=0.3, random_state=0
)
X = planted.orbits.reshape(1200, -1)
images = np.repeat(np.arange(60), 20)
n_atoms = len(planted.components)
print(f"{n_atoms} planted atoms, 3 active in each sample")

# %%
# The search
# ----------
# The pipeline scales first, by one factor for all blocks: a ``StandardScaler`` would break the
# symmetry under permuting them. `score_crosscoder` measures explained variance, L0, dead atoms and
# description length in one pass; ``refit`` says which candidate wins.
pipeline = make_pipeline(
    OrbitScaler(group),
    GroupCrosscoder(
        group=group, n_features=2 * n_atoms, batch_size=128, max_epochs=30, random_state=0
    ),
)
l1s = np.geomspace(0.003, 1, 9)
search = GridSearchCV(
    pipeline,
    {"groupcrosscoder__l1": l1s},
    scoring=score_crosscoder,
    refit=SparsestWithin(0.02),
    cv=GroupKFold(2),
).fit(X, groups=images)
chosen = search.best_params_["groupcrosscoder__l1"]
print(f"chosen: l1 = {chosen:.3g}")

# %%
# The frontier: to the left fewer active codes, upwards more explained variance.
FrontierDisplay.from_cv_results(search).plot()
plt.show()


# %%
# Which penalty recovers the truth?
# ---------------------------------
# Every candidate is fitted on all data, and its atoms are matched one to one with the planted ones.
def recovery(crosscoder):
    atoms = crosscoder.components_
    atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True).clip(1e-12)
    cosines = planted.components.reshape(n_atoms, -1) @ atoms.T
    return cosines[linear_sum_assignment(-cosines)].mean()


recovered = [recovery(clone(pipeline).set_params(groupcrosscoder__l1=l1).fit(X)[-1]) for l1 in l1s]
l0 = -search.cv_results_["mean_test_neg_l0"]
bits = -search.cv_results_["mean_test_neg_description_length"]
print("    l1      L0  explained   bits  recovery")
for i, l1 in enumerate(l1s):
    explained = search.cv_results_["mean_test_explained_variance"][i]
    print(f"{l1:6.3g}  {l0[i]:6.1f}  {explained:9.3f}  {bits[i]:5.0f}  {recovered[i]:8.3f}")

# %%
# How far each rule is from the best penalty on the grid:
rules = {
    "explained variance": int(np.argmax(search.cv_results_["mean_test_explained_variance"])),
    "SparsestWithin(0.02)": search.best_index_,
    "KneePoint()": KneePoint()(search.cv_results_),
    "description length": int(np.argmin(bits)),
}
best = int(np.argmax(recovered))
print(f"best recovery: {recovered[best]:.3f} at l1 = {l1s[best]:.3g}")
for rule, i in rules.items():
    print(f"{rule:22} l1 = {l1s[i]:.3g}: misses it by {recovered[best] - recovered[i]:.3f}")

# %%
# The description length misses it by far, and says why: where ``bits`` is not below
# ``gaussian_bits``, the same fidelity is cheaper without any dictionary, and the fewer codes the
# better. By default it asks for 90 % of the variance. From one noisy block, no candidate explains
# more than 83 %, and what lacks has to be sent as if it were noise. Where 30 % may be lost, codes
# pay, and fewer bits go to the penalty that finds the atoms.
for l1 in (l1s[best], l1s[-1]):
    half = clone(pipeline).set_params(groupcrosscoder__l1=l1).fit(X[:600])
    for distortion in (0.1, 0.3):
        length = description_length(half, X[600:], distortion=distortion)
        print(
            f"l1 = {l1:.3g}, distortion {distortion}: {length.bits:.1f} bits with codes, "
            f"{length.gaussian_bits:.1f} without"
        )

# %%
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.semilogx(l1s, recovered, "o-", color="0.3")
for size, (rule, i) in enumerate(rules.items()):  # rings of growing size: rules may agree
    ax.plot(l1s[i], recovered[i], "o", ms=9 + 4 * size, mfc="none", mew=2, label=rule)
ax.set(xlabel="l1", ylabel="recovery of planted atoms (cosine)")
ax.legend()
plt.show()
