"""The members of a family, arranged by pose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis import SymmetryAnalyzer
from ..groups import FiniteGroup, Subgroup, as_group
from ._channels import as_rgb
from ._family_layout import Layout, Slot, default_columns, lay_out_family
from ._fitting import Room, drawing, set_labels, set_title, settle, text_width
from ._style import PALETTE, get_axes, paper, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEMBER, _MEDOID, _GAP = PALETTE[0], PALETTE[1], PALETTE[5]
# Smaller texts cannot be read, and are left out.
_SMALLEST = 6.5


class FamilyWheelDisplay:
    """Members of a family around a circle, each where its pose turns the medoid to.

    The medoid is in the middle and, as the member that it is, at the top. What stands at 90° is
    the medoid's pattern turned by 90° counter-clockwise. Mirrored members stand on an inner ring,
    empty dashed places are gaps in the family's coverage. Where the medoid has a stabilizer, poses
    are the same modulo it, and once round is the smallest turn that leaves the medoid as it is. For
    groups that do not turn the plane there is a grid of named poses instead.

    Parameters
    ----------
    members : ndarray of shape (n_members,)
        Numbers of the features.
    poses : ndarray of shape (n_members,)
        The element that carries the medoid to each.
    group : FiniteGroup or str
    medoid : int
        One of the members.
    stabilizer : Subgroup
        Of the medoid.
    gaps : ndarray of shape (n_gaps,)
        Elements that carry the medoid to where no member is.
    patches : ndarray of shape (n_members, height, width, n_channels), optional
        What each member looks at: RGB in [0, 1].
    title : str, default=""

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self,
        members: NDArray[np.int64],
        poses: NDArray[np.int64],
        group: FiniteGroup | str,
        medoid: int,
        stabilizer: Subgroup,
        gaps: NDArray[np.int64],
        patches: NDArray[np.floating] | None = None,
        title: str = "",
    ) -> None:
        self.members = members
        self.poses = poses
        self.group = as_group(group)
        self.medoid = medoid
        self.stabilizer = stabilizer
        self.gaps = gaps
        self.patches = patches
        self.title = title

    @classmethod
    def from_estimator(
        cls, analyzer: SymmetryAnalyzer, family: int, patches: ArrayLike | None = None
    ) -> FamilyWheelDisplay:
        """Take a family from a fitted analyzer.

        Parameters
        ----------
        analyzer : SymmetryAnalyzer
        family : int
            Its label.
        patches : array-like of shape (n_members, height, width, n_channels), optional
            One for each of ``analyzer.families_[family].members``, such as
            `OrbitDataset.patches` of the sample at which it fires most.

        Raises
        ------
        ValueError
            If there is no such family, or not one patch a member.
        """
        if not 0 <= family < len(analyzer.families_):
            raise ValueError(
                f"There are {len(analyzer.families_)} families, numbered from 0; got {family}."
            )
        found = analyzer.families_[family]
        stabilizer = analyzer.atom_stabilizers_[found.medoid].subgroup
        return cls.from_arrays(
            found.poses,
            analyzer.group_,
            members=found.members,
            medoid=found.medoid,
            stabilizer=stabilizer,
            gaps=found.gaps,
            patches=patches,
            title=f"family {family} · medoid: feature {found.medoid} · {stabilizer.name}",
        )

    @classmethod
    def from_arrays(
        cls,
        poses: ArrayLike,
        group: FiniteGroup | str,
        *,
        members: ArrayLike | None = None,
        medoid: int | None = None,
        stabilizer: Subgroup | None = None,
        gaps: ArrayLike = (),
        patches: ArrayLike | None = None,
        title: str = "",
    ) -> FamilyWheelDisplay:
        """Take a family that was found before.

        Parameters
        ----------
        poses : array-like of shape (n_members,)
            Elements of the group.
        group : FiniteGroup or str
        members : array-like of shape (n_members,), optional
            Default: 0, 1, ...
        medoid : int, optional
            Default: the first member.
        stabilizer : Subgroup, optional
            Of the medoid. Default: the identity alone.
        gaps : array-like of shape (n_gaps,), optional
        patches : array-like of shape (n_members, height, width, n_channels), optional
        title : str, default=""

        Raises
        ------
        ValueError
            If lengths differ, there is no member, the medoid is none, the stabilizer is of another
            group, or an element is not in the group.
        """
        group = as_group(group)
        where = np.asarray(poses, dtype=np.int64)
        numbers = np.arange(len(where)) if members is None else np.asarray(members, dtype=np.int64)
        if where.ndim != 1 or not len(where) or numbers.shape != where.shape:
            raise ValueError(
                f"A family has one pose a member, at least one; got poses {where.shape} and "
                f"members {numbers.shape}."
            )
        empty = np.asarray(gaps, dtype=np.int64).reshape(-1)
        for element in np.concatenate([where, empty]):
            if not 0 <= element < group.order:
                raise ValueError(
                    f"Poses and gaps are elements of {group!r}, 0 to {group.order - 1}; got "
                    f"{element}."
                )
        center = int(numbers[0]) if medoid is None else int(medoid)
        if center not in numbers:
            raise ValueError(f"The medoid is a member; {center} is none of {numbers.tolist()}.")
        fixed = group.generated_subgroup(()) if stabilizer is None else stabilizer
        if fixed.group != group:
            raise ValueError(f"The stabilizer is one of {fixed.group!r}, and group is {group!r}.")
        pictures = None if patches is None else np.asarray(patches)
        if pictures is not None and (
            pictures.ndim != 4 or len(pictures) != len(where) or pictures.shape[3] != 3
        ):
            raise ValueError(
                f"Patches have shape ({len(where)}, height, width, 3), one a member; got "
                f"{pictures.shape}."
            )
        return cls(numbers, where, group, center, fixed, empty, pictures, title)

    def plot(self, ax: Axes | None = None, **image_options: Any) -> FamilyWheelDisplay:
        """Draw every place: its members, by patch or by number, or the gap.

        Where several members have one pose, the medoid or else the first of them is shown, and
        ``+2`` says how many more there are.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        **image_options
            Passed on to ``Axes.imshow`` of the patches.

        Returns
        -------
        self : FamilyWheelDisplay
        """
        with drawing(ax):
            self._plot(ax, image_options)
        return self

    def _plot(self, ax: Axes | None, image_options: dict[str, Any]) -> None:
        smallest = {
            element: coset[0] for coset in self.group.cosets(self.stabilizer) for element in coset
        }
        poses = sorted(set(smallest.values()))
        whole = lay_out_family(self.group, poses, self.stabilizer)
        left, right, bottom, top = whole.extent
        ax = get_axes(ax, (6.4, 6.4 * min(1.6, (top - bottom) / (right - left)) + 1.1), square=True)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        at: dict[int, list[int]] = {}
        # the medoid is shown rather than others of its pose
        for i in np.argsort(self.members != self.medoid, kind="stable"):
            at.setdefault(smallest[int(self.poses[i])], []).append(int(i))
        # texts first: they take their room from the picture
        self._write_texts(ax, whole.caption, len(at), len(poses), settle(ax))
        room = settle(ax)
        layout, unit = self._fit(poses, room)
        left, right, bottom, top = layout.extent
        ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")

        empty = {smallest[int(gap)] for gap in self.gaps}
        names = 0.92 * unit if layout.medoid is None else room.width
        for pose, slot in layout.slots.items():
            if pose in at:
                is_medoid = self.members[at[pose][0]] == self.medoid
                self._draw(ax, slot, at[pose], unit, is_medoid, image_options)
            elif pose in empty:
                self._circle(ax, slot, edgecolor=_GAP, linestyle=(0, (3, 2)), linewidth=1.1)
            if slot.name:
                size = size_of("xtick.labelsize")
                fits = text_width(slot.name, size) <= names
                name = slot.name if fits else "\n".join(_parts(slot.name))
                ax.text(*slot.name_at, name, ha="center", va="center", fontsize=size)
        if layout.medoid is not None:
            index = int(np.flatnonzero(self.members == self.medoid)[0])
            self._draw(ax, layout.medoid, [index], unit, True, image_options, "medoid\n")
        self.ax_, self.figure_ = ax, ax.figure

    def _fit(self, poses: list[int], room: Room) -> tuple[Layout, float]:
        """Lay out the places so that their names can be read; also, what a data unit is in points.

        Angles around a circle are left out where they are too many. Rows are made shorter until
        the names have room beside one another.
        """
        size = size_of("xtick.labelsize")
        layout = lay_out_family(self.group, poses, self.stabilizer)
        unit = _unit(layout, room)
        if layout.medoid is not None:
            around = 2 * np.pi * max(np.hypot(*slot.name_at) for slot in layout.slots.values())
            n_names = int(around * unit / (1.25 * text_width("000.0°", size)))
            layout = lay_out_family(self.group, poses, self.stabilizer, n_names=min(36, n_names))
            return layout, unit
        parts = [part for slot in layout.slots.values() for part in _parts(slot.name)]
        widest = max(text_width(part, size) for part in parts)
        for n_columns in range(default_columns(len(poses)), 1, -1):
            layout = lay_out_family(self.group, poses, self.stabilizer, n_columns=n_columns)
            unit = _unit(layout, room)
            if widest <= 0.92 * unit:
                break
        return layout, unit

    def _draw(
        self,
        ax: Axes,
        slot: Slot,
        indices: list[int],
        unit: float,
        is_medoid: bool,
        image_options: dict[str, Any],
        prefix: str = "",
    ) -> None:
        """Draw the members of one pose into its place."""
        first, more = indices[0], len(indices) - 1
        text = prefix + f"{self.members[first]}" + (f"\n+{more}" if more else "")
        color = _MEDOID if is_medoid else _MEMBER
        diameter = slot.diameter * unit
        if self.patches is None:
            self._circle(ax, slot, edgecolor=color, facecolor=f"{color}22", linewidth=1.6)
            size = _size_within(text, diameter)
            if size:
                ax.text(slot.x, slot.y, text, ha="center", va="center", fontsize=size, zorder=4)
            return
        circle = self._circle(ax, slot, edgecolor=color, linewidth=2.2 if is_medoid else 1.2)
        half = slot.diameter / 2
        extent = (slot.x - half, slot.x + half, slot.y - half, slot.y + half)
        options = {"extent": extent, "interpolation": "bilinear", "zorder": 2, **image_options}
        limits = ax.get_xlim(), ax.get_ylim()
        image = ax.imshow(as_rgb(self.patches[first]), **options)
        image.set_clip_path(circle)
        ax.set(xlim=limits[0], ylim=limits[1])
        # in the lower part of its circle, and not on what is below that
        text = text.replace("\n", " ")
        if text_width(text, _SMALLEST) + 4 <= 0.75 * diameter and diameter >= 4 * _SMALLEST:
            ax.text(
                slot.x,
                slot.y - half + 3 / unit,
                text,
                ha="center",
                va="bottom",
                fontsize=_SMALLEST,
                zorder=4,
                bbox={"facecolor": paper(), "edgecolor": color, "linewidth": 0.5, "pad": 0.8},
            )

    @staticmethod
    def _circle(ax: Axes, slot: Slot, **options: Any) -> Any:
        from matplotlib.patches import Circle

        options = {"facecolor": "none", "zorder": 3, **options}
        return ax.add_patch(Circle((slot.x, slot.y), slot.diameter / 2, **options))

    def _write_texts(self, ax: Axes, caption: str, n_taken: int, n_slots: int, room: Room) -> None:
        counts = f"{len(self.members)} features in {n_taken} of {n_slots} poses"
        if len(self.gaps):
            caption += f"; dashed: gaps ({len(self.gaps)})"
        set_title(ax, self.title + ("\n" if self.title else "") + counts, room)
        set_labels(ax, x=caption, room=room)


def _unit(layout: Layout, room: Room) -> float:
    """What a data unit of a layout is in points, if it fills the axes."""
    left, right, bottom, top = layout.extent
    return min(room.width / (right - left), room.height / (top - bottom))


def _parts(name: str) -> list[str]:
    """Pieces between which a name may be broken: words, and cycles of a permutation."""
    return re.findall(r"\([^)]*\)|[^\s(]+", name) or [name]


def _size_within(text: str, diameter: float) -> float | None:
    """Size of a text that fits into a circle, in points; None if it would be too small."""
    lines = text.count("\n") + 1
    # at size 1: half the diagonal of what is written
    diagonal = np.hypot(text_width(text, 10.0) / 10, 1.2 * lines - 0.3)
    size = min(10.0, 0.92 * diameter / diagonal)
    return float(size) if size >= _SMALLEST else None
