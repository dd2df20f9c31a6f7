"""Where in images features fire, laid over the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..crosscoder import GroupCrosscoder
from ..faithfulness import FeatureMaps, feature_maps
from ..networks import Network
from ._fitting import arrange, drawing, fill, room_of, text_width
from ._style import get_axes_grid, size_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class CodeMapDisplay:
    """Codes of features over the images in which they fire: a row an image, a column a feature.

    Parameters
    ----------
    maps : FeatureMaps

    Attributes
    ----------
    axes_ : ndarray of shape (n_images, n_features) of matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, maps: FeatureMaps) -> None:
        self.maps = maps

    @classmethod
    def from_estimator(
        cls, crosscoder: GroupCrosscoder, network: Network, images: Any, **options: Any
    ) -> CodeMapDisplay:
        """Encode images; options are those of `feature_maps`.

        Parameters
        ----------
        crosscoder : GroupCrosscoder
            Fitted.
        network : Network
        images : array-like of images
            As `feature_maps` takes them.
        **options
            Of `feature_maps`.

        Returns
        -------
        display : CodeMapDisplay
        """
        return cls(feature_maps(crosscoder, network, images, **options))

    def plot(self, figure: Figure | None = None, **image_options: Any) -> CodeMapDisplay:
        """Draw every image in grey, and the codes over it: clear where a feature is silent.

        Parameters
        ----------
        figure : matplotlib Figure, optional
        **image_options
            Passed on to ``Axes.imshow`` of the codes.

        Returns
        -------
        self : CodeMapDisplay
        """
        with drawing(figure):
            self._plot(figure, image_options)
        return self

    def _plot(self, figure: Figure | None, image_options: dict[str, Any]) -> None:
        n_images, n_features = self.maps.maps.shape[:2]
        axes = get_axes_grid(figure, n_images, n_features, 2.2)
        side = self.maps.images.shape[1]
        # one scale for a feature in all images: where it is strong can be compared
        strongest = self.maps.maps.max(axis=(0, 2, 3))
        for row, image in enumerate(self.maps.images):
            for column in range(n_features):
                ax = axes[row, column]
                ax.imshow(image.mean(axis=2), cmap="gray", vmin=-0.3, vmax=1.3)
                codes = self.maps.maps[row, column]
                top = float(strongest[column]) or 1.0
                options = {
                    "cmap": "inferno",
                    "vmin": 0.0,
                    "vmax": top,
                    "extent": self.maps.extent,
                    "alpha": np.clip(2 * codes / top, 0, 0.85),
                    "interpolation": "nearest",
                }
                ax.imshow(codes, **{**options, **image_options})
                ax.set(xticks=[], yticks=[], xlim=(-0.5, side - 0.5), ylim=(side - 0.5, -0.5))
        self._name_columns(axes)
        self.axes_, self.figure_ = axes, axes[0, 0].figure

    def _name_columns(self, axes: Any) -> None:
        root = arrange(axes[0, 0].figure)
        size = size_of("axes.titlesize")
        # one size for all of them
        width = min(room_of(ax, root).width for ax in axes[0])
        narrow = any(text_width(word, size) > width for word in self._words())
        for ax, feature in zip(axes[0], self.maps.features, strict=True):
            name = f"{feature}" if narrow else f"feature {feature}"
            ax.set_title(fill(name, width, size), fontsize=size)
        if narrow:
            axes[0, 0].figure.suptitle("features", fontsize=size)

    def _words(self) -> list[str]:
        return ["feature", *map(str, self.maps.features)]
