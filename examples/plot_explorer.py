"""
The explorer, in a notebook and in a file
=========================================

Two dictionaries of two photographs, side by side: what one seed finds, and what another has in its
place. The page below is the one that ``groupcross run`` writes.
"""

# %%
# Two dictionaries
# ----------------
from sklearn.datasets import load_sample_images

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    SymmetryAnalyzer,
    load_network,
)
from sklearn_groupcross.report import ReportSubject

images, network, group = load_sample_images().images, load_network("bundled"), Dihedral(8)
side = OrbitDataset(images, network=network, group=group).source_size
tiles = [
    image[top : top + side, left : left + side]
    for image in images
    for top in range(0, image.shape[0] - side + 1, side)
    for left in range(0, image.shape[1] - side + 1, side)
]
dataset = OrbitDataset(tiles, network=network, group=group, n_positions=150)
orbits = dataset.as_array()
crosscoders = [
    GroupCrosscoder(
        group,
        40,
        activation="topk",
        k=8,
        augment=True,
        compression="auto",
        learning_rate=0.006,
        max_epochs=60,
        batch_size=256,
        random_state=seed,
    ).fit(orbits)
    for seed in (0, 1)
]
first, second = crosscoders
names = {"orbits": orbits, "image_ids": dataset.image_ids}
analysis = SymmetryAnalyzer(refit=False).fit(first, **names, others=[second])
other = SymmetryAnalyzer(refit=False).fit(second, **names, others=[first])

# %%
# Beside one another
# ------------------
# In a notebook the value of a cell is shown; ``explorer.save("explorer.html")`` keeps it as a file.
# Try a patch of a wheel, the map with *Lasso*, and *Comparison*.
explorer = analysis.explore(
    first,
    dataset,
    orbits,
    name="seed 0",
    findings=analysis.diagnose(first, orbits, others=[second]),
    other=ReportSubject(other, second, dataset, orbits, name="seed 1"),
    title="Two photographs",
)
explorer  # noqa: B018
# sphinx_gallery_thumbnail_path = "_static/explorer-map-1400.webp"
