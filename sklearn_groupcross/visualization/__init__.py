"""Pictures of what features want, by optimization. Needs the extra ``lucent`` (torch-lucent)."""

from ._visualize import Visualizations, visualize_features

__all__ = ["Visualizations", "visualize_features"]
