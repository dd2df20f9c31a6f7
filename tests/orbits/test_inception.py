from __future__ import annotations

import pytest

from sklearn_groupcross import InceptionOrbitDataset


def test_inception_dataset_names_its_networks(smooth_images):
    with pytest.raises(ValueError, match="got 'bundled'"):
        InceptionOrbitDataset(smooth_images, network="bundled")
