from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross.report import _where
from sklearn_groupcross.report._excitation import Columns, collect_excitations
from sklearn_groupcross.report._kept import Kept
from sklearn_groupcross.report._pictures import N_CELLS, NoPictures, Patches
from sklearn_groupcross.report._strongest import strongest_blocks
from sklearn_groupcross.report._where import maps_of_firing

COLUMNS = Columns(n_strongest=3, quantiles=(0.5,), elements=(0,), shows_where=True)


@pytest.fixture(scope="module")
def features(small_crosscoder, orbits):
    return np.argsort(-small_crosscoder.transform(orbits).sum(0))[:3].tolist()


@pytest.fixture(scope="module")
def excitations(small_crosscoder, small_dataset, orbits, features):
    return collect_excitations(
        features,
        crosscoder=small_crosscoder,
        orbits=orbits,
        strongest=strongest_blocks(small_crosscoder, orbits, features),
        image_ids=small_dataset.image_ids,
        columns=COLUMNS,
    )


class Counting(Patches):
    """Counts the pairs of images and elements that are read."""

    def around(self, samples, elements):
        self.asked = [*getattr(self, "asked", []), *zip(samples, elements, strict=True)]
        return super().around(samples, elements)


def test_in_the_middle_of_what_is_shown_features_fire(
    small_crosscoder, small_dataset, features, excitations
):
    maps = maps_of_firing(
        features,
        excitations,
        small_crosscoder,
        Patches(small_dataset),
        small_dataset.image_ids,
        Kept(None),
    )
    assert maps.shape == (3, 4, N_CELLS, N_CELLS)
    for of_feature, samples in zip(maps, excitations["samples"], strict=True):
        there = samples >= 0
        assert (of_feature[there][:, 5:8, 5:8].max(axis=(1, 2)) > 0).all()
        assert (of_feature[there].max(axis=(1, 2)) == 255).all()
        assert not of_feature[~there].any()


def test_maps_are_those_of_every_picture_by_itself(
    small_crosscoder, small_dataset, features, excitations
):
    ids = small_dataset.image_ids
    pictures = Patches(small_dataset)
    together = maps_of_firing(features, excitations, small_crosscoder, pictures, ids, Kept(None))
    for row, column in np.argwhere(excitations["samples"] >= 0):
        at = slice(row, row + 1), slice(column, column + 1)
        one = {name: excitations[name][at] for name in ("samples", "elements")}
        alone = maps_of_firing([features[row]], one, small_crosscoder, pictures, ids, Kept(None))
        # the network's batches differ, and with them rounding
        difference = alone[0, 0].astype(int) - together[row, column]
        assert np.abs(difference).max() <= 1


def test_cells_that_are_not_encoded_are_those_without_codes(
    small_crosscoder, small_dataset, features, excitations
):
    pictures, ids = Patches(small_dataset), small_dataset.image_ids
    maps = maps_of_firing(features, excitations, small_crosscoder, pictures, ids, Kept(None))
    samples, elements = (excitations[name][:, 0].tolist() for name in ("samples", "elements"))
    around = pictures.around(samples, elements)
    codes = small_crosscoder.encode(np.nan_to_num(around).reshape(-1, around.shape[-1]))
    codes = codes.reshape(*around.shape[:3], -1)
    codes[~np.isfinite(around).all(axis=-1)] = 0
    assert (codes == 0).any()
    for row, feature in enumerate(features):
        own = codes[row, ..., feature]
        np.testing.assert_allclose(maps[row, 0] / 255, own / own.max(), atol=0.005)


def test_passes_change_nothing_and_what_is_kept_is_not_read_again(
    small_crosscoder, small_dataset, features, excitations, tmp_path, monkeypatch
):
    monkeypatch.setattr(_where, "_READ", 5)
    monkeypatch.setattr(_where, "_ENCODED", 2)
    ids, first, second = small_dataset.image_ids, Counting(small_dataset), Counting(small_dataset)

    def make(pictures):
        kept = Kept(tmp_path / "kept")
        return maps_of_firing(features, excitations, small_crosscoder, pictures, ids, kept)

    maps = make(first)
    np.testing.assert_array_equal(make(second), maps)
    n_shown = int((excitations["samples"] >= 0).sum())
    assert len(first.asked) == n_shown + 1  # and one to see that it can be asked
    assert len(second.asked) == 1
    of_image = [int(ids[sample]) for sample, _ in first.asked[1:]]
    assert of_image == sorted(of_image)


def test_without_images_or_with_whole_orbits_there_are_none(
    small_crosscoder, small_dataset, orbits, features, excitations
):
    ids = small_dataset.image_ids
    nothing = maps_of_firing(features, excitations, small_crosscoder, NoPictures(), ids, Kept(None))
    assert nothing is None
    whole = GroupCrosscoder(
        Dihedral(4), n_features=5, encoder_input="orbit", max_epochs=1, random_state=0
    ).fit(orbits)
    pictures = Patches(small_dataset)
    one = {name: array[:1] for name, array in excitations.items()}
    assert maps_of_firing([0], one, whole, pictures, ids, Kept(None)) is None
    silent = {name: np.full((1, 4), -1) for name in ("samples", "elements")}
    assert maps_of_firing([0], silent, small_crosscoder, pictures, ids, Kept(None)) is None
