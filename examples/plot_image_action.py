"""
How a group moves an image
==========================

Everything starts from images that are turned and mirrored. Here we act with the sixteen elements
of ``Dihedral(8)`` on a photograph, and learn:

- in which order the elements come, and which way they turn,
- how a position follows the image, so that one part can be read in every view,
- why the image is turned first and cropped after.
"""

# %%
# The views
# ---------
# ``(g·x)(u) = x(g⁻¹u)``, with u measured from the image centre. Elements 0 to 7 are the turns by
# multiples of 45°, counter-clockwise; elements 8 to 15 mirror left and right first and turn then.
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from sklearn_groupcross import Dihedral
from sklearn_groupcross.actions import ImageAction, center_crop, required_source_size

group = Dihedral(8)
action = ImageAction(group)
image = load_sample_images().images[0]  # (height, width, 3), uint8
images = torch.from_numpy(image.copy()).permute(2, 0, 1)[None] / 255
size = 256
views = action.transform(images, size=size)
print(f"from {tuple(images.shape)} to {tuple(views.shape)}: one view an element")

# %%
# A position p, as (column, row) from the image centre with rows pointing down, moves to ``g·p``.
# The marks stay on the same part of the building in every view.
positions = torch.tensor([[-62.0, -38.0], [20.0, 55.0]])
moved = action.transform_positions(positions)  # (n_positions, order, 2)


def show(ax, image, title):
    """Draw a (3, height, width) tensor with its centre at (0, 0)."""
    reach = image.shape[-1] / 2
    extent = (-reach, reach, reach, -reach)
    ax.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy(), extent=extent)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=9)


figure, axes = plt.subplots(4, 4, figsize=(9, 9.6), layout="constrained")
for element, ax in enumerate(axes.flat):
    show(ax, views[0, element], f"{element}: {group.describe_element(element)}")
    for point, color in zip(moved[:, element], ("tab:orange", "tab:cyan"), strict=True):
        ax.plot(*point.numpy(), "o", markersize=9, markeredgecolor="white", color=color)

# %%
# A left action
# -------------
# Acting with h and then with g is acting with ``g h``, in this order: ``g·(h·x) = (gh)·x``. The
# other order is another picture, because a turn and a mirror do not commute. We turn a larger
# square by h, then by g, and compare the part that both turns cover. Turns by 45° interpolate
# between pixels, and twice blurs more than once: the first difference is small and not zero. The
# quarter turns and mirrors of the second line only rearrange pixels; it is exactly zero there.
inner = 180  # 256 px cover every turn of a square of 180 px
assert required_source_size(inner) <= size


def composition_error(g, h, product):
    """Mean absolute difference of g·(h·x) and product·x."""
    twice = action.transform(views[:, h], size=inner)[0, g]
    once = center_crop(views[0, product], inner)
    return float((twice - once).abs().mean())


for g, h in [(1, 9), (2, 10)]:
    right = composition_error(g, h, group.multiply(g, h))
    wrong = composition_error(g, h, group.multiply(h, g))
    print(
        f"g = {group.element_name(g)}, h = {group.element_name(h)}: "
        f"against gh {right:.3g}, against hg {wrong:.3g}"
    )

# %%
# Turn, then crop
# ---------------
# A square that is turned on its own shows its corners. A network would see them in some views and
# not in others, and the orbit would be that of a diamond, not of the photograph. So the action
# takes a larger source, turns it, and crops. Given too small a source, it refuses.
crop = center_crop(images[..., :426, :], size)
try:
    action.transform(crop)
except ValueError as error:
    print(error)

# %%
# Where only the square exists, ``mask=True`` keeps what every element sees: the inscribed disk.
masked = ImageAction(group, mask=True).transform(crop)
pixels = Image.fromarray((crop[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8))
cropped_first = torch.from_numpy(np.array(pixels.rotate(45))).permute(2, 0, 1) / 255

figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
show(axes[0], cropped_first, "crop, then turn: corners")
show(axes[1], views[0, 1], "turn, then crop: what we do")
show(axes[2], masked[0, 1], "mask=True: from the square alone")
plt.show()
