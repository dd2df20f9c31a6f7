"""Displays: they hold numbers and draw them in `plot`. Needs the extra ``plot`` (matplotlib)."""

from ._channels import as_rgb
from ._code_map import CodeMapDisplay
from ._diagnosis import DiagnosisDisplay
from ._distance_matrix import DistanceMatrixDisplay
from ._family_layout import Slot, lay_out_family
from ._family_wheel import FamilyWheelDisplay
from ._feature_map import FeatureMapDisplay
from ._frontier import FrontierDisplay
from ._saving import figure_to_png, save_figure
from ._self_profile import SelfProfileDisplay
from ._spectrum import SpectrumDisplay
from ._style import KIND_COLORS, KIND_MARKERS, PALETTE
from ._transform_block import TransformBlockDisplay, block_to_rgb
from ._visualization import VisualizationDisplay

__all__ = [
    "KIND_COLORS",
    "KIND_MARKERS",
    "PALETTE",
    "CodeMapDisplay",
    "DiagnosisDisplay",
    "DistanceMatrixDisplay",
    "FamilyWheelDisplay",
    "FeatureMapDisplay",
    "FrontierDisplay",
    "SelfProfileDisplay",
    "Slot",
    "SpectrumDisplay",
    "TransformBlockDisplay",
    "VisualizationDisplay",
    "as_rgb",
    "block_to_rgb",
    "figure_to_png",
    "lay_out_family",
    "save_figure",
]
