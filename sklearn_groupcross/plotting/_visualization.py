"""Pictures of what features want, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..crosscoder import GroupCrosscoder
from ..networks import Network
from ..visualization import Visualizations, visualize_features
from ._channels import as_rgb
from ._style import get_axes_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class VisualizationDisplay:
    """Images that features want: a row a feature, and below them those of random directions.

    The first column excites the encoder, the others the decoder's blocks.

    Parameters
    ----------
    visualizations : Visualizations

    Attributes
    ----------
    axes_ : ndarray of shape (n_features + n_controls, 1 + n_elements) of matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, visualizations: Visualizations) -> None:
        self.visualizations = visualizations

    @classmethod
    def from_estimator(
        cls, crosscoder: GroupCrosscoder, network: Network, **options: Any
    ) -> VisualizationDisplay:
        """Make the pictures; options are those of `visualize_features`.

        Parameters
        ----------
        crosscoder : GroupCrosscoder
            Fitted.
        network : Network
        **options
            Of `visualize_features`.

        Returns
        -------
        display : VisualizationDisplay
        """
        return cls(visualize_features(crosscoder, network, **options))

    def plot(self, figure: Figure | None = None, **image_options: Any) -> VisualizationDisplay:
        """Draw the pictures, and above each what it reaches.

        Parameters
        ----------
        figure : matplotlib Figure, optional
        **image_options
            Passed on to ``Axes.imshow``.

        Returns
        -------
        self : VisualizationDisplay
        """
        of = self.visualizations
        images = np.concatenate([of.images, of.control_images])
        values = np.concatenate([of.values, of.control_values])
        names = [f"feature {feature}" for feature in of.features]
        names += ["random direction"] * len(of.control_images)
        axes = get_axes_grid(figure, len(images), len(of.words), 1.7)
        for row, name in enumerate(names):
            for column, words in enumerate(of.words):
                ax = axes[row, column]
                ax.imshow(as_rgb(images[row, column]), **image_options)
                ax.set(xticks=[], yticks=[])
                reached = f"{values[row, column]:.2f}"
                ax.set_title(f"{words}\n{reached}" if row == 0 else reached, fontsize=8)
            axes[row, 0].set_ylabel(name, fontsize=8)
        self.axes_, self.figure_ = axes, axes[0, 0].figure
        return self
