"""How a group moves inputs: images and the positions in them, signals, sets, point clouds."""

from ._crop import center_crop, required_source_size
from ._hue_action import HueAction
from ._image_action import ImageAction
from ._laws import apply_action, check_action
from ._linear_action import LinearAction, PointCloudAction
from ._mask import circular_mask
from ._permutation_action import PermutationAction, SetAction, TimeShiftAction
from ._product import ImageProductAction, ProductAction, product_action
from ._protocols import Action, PositionedAction

__all__ = [
    "Action",
    "HueAction",
    "ImageAction",
    "ImageProductAction",
    "LinearAction",
    "PermutationAction",
    "PointCloudAction",
    "PositionedAction",
    "ProductAction",
    "SetAction",
    "TimeShiftAction",
    "apply_action",
    "center_crop",
    "check_action",
    "circular_mask",
    "product_action",
    "required_source_size",
]
