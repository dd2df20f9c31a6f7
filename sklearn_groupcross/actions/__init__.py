"""How a group moves an image, and the positions in it."""

from ._image_action import ImageAction, centre_crop, required_source_size
from ._mask import circular_mask

__all__ = ["ImageAction", "centre_crop", "circular_mask", "required_source_size"]
