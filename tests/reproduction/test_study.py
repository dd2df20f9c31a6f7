from __future__ import annotations

import numpy as np
import pytest

from examples.reproduction._study import Study


def test_parts_share_no_photograph(study):
    names = {
        part: {files.name(i) for i in range(len(files))} for part, files in study.parts.items()
    }
    sizes = {part: len(found) for part, found in names.items()}
    assert sizes == {"train": 16, "held_out": 12, "pilot": 4}
    assert len(set().union(*names.values())) == 32


def test_a_smaller_study_judges_on_photographs_of_the_larger(study, tmp_path):
    smaller = Study(study.config | {"n_train": 8, "n_held_out": 5}, tmp_path, study.images)
    for part in ("train", "held_out"):
        large, small = study.parts[part], smaller.parts[part]
        assert [small.name(i) for i in range(len(small))] == [
            large.name(i) for i in range(len(small))
        ]


def test_too_few_photographs_say_how_many_it_takes(study, tmp_path):
    larger = Study(study.config | {"n_train": 1000}, tmp_path, study.images)
    with pytest.raises(ValueError, match=r"holds 40 photographs; the study takes 1000 \(train\)"):
        _ = larger.parts


def test_kept_dictionaries_are_found_again_and_seeds_differ(study, monkeypatch):
    first = study.crosscoders()
    again = study.dictionaries(pytest.fail, "main", group=study.group)
    assert len(first) == 2
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.components_, other.components_)
    assert not np.array_equal(first[0].components_, first[1].components_)


def test_other_settings_are_other_dictionaries(study):
    augmented = study.crosscoders(augment=True)
    assert augmented[0].augment
    assert not np.array_equal(augmented[0].components_, study.crosscoders()[0].components_)


def test_by_several_processes_they_are_the_same(study, tmp_path):
    several = Study(study.config | {"jobs": 2}, tmp_path, study.images)
    orbits = study.orbits("train")
    fitted = several.dictionaries(lambda: orbits, "main", group=study.group)
    for one, other in zip(fitted, study.crosscoders(), strict=True):
        np.testing.assert_array_equal(one.components_, other.components_)
    assert several.each(divmod, [(7, 2), (9, 4)]) == [(3, 1), (2, 1)]


def test_kept_arrays_are_made_once(study):
    made = study.kept("squares", lambda: np.arange(3) ** 2)
    np.testing.assert_array_equal(made, study.kept("squares", pytest.fail))


def test_sets_of_probes_share_no_shape(study):
    shapes = [
        {probe.shape for probe in study.probe_readings(w).probes} for w in ("naming", "judging")
    ]
    # an edge has no size: the sets differ in its shades and positions
    assert {type(shape).__name__ for shape in shapes[0] & shapes[1]} == {"Edge"}
    assert study.probe_readings().activations.shape[2] == 8


def test_other_photographs_are_other_dictionaries(study, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for path in study.images.iterdir():
        (images / f"other-{path.name}").write_bytes(path.read_bytes())
    other = Study(study.config, study.folder, images)
    with pytest.raises(NotImplementedError):
        other.dictionaries(_fit, "main", group=study.group)


def _fit():
    raise NotImplementedError
