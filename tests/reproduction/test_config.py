from __future__ import annotations

import numpy as np
import pytest

from examples.reproduction._config import DEFAULT, SCALES, merged, read_config
from examples.reproduction._stages import STAGES


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_says_all_that_the_study_reads(scale):
    config = read_config(DEFAULT, scale)
    assert {"n_train", "n_held_out", "n_pilot", "seeds", "dictionary"} <= set(config)
    # a claim that rests on one seed has no interval
    assert len(config["seeds"]) > 1


def test_five_seeds_and_five_orders_of_magnitude_in_the_full_study():
    config = read_config(DEFAULT, "full")
    assert len(config["seeds"]) == 5
    l1s = config["sparsity"]["l1s"]
    assert np.log10(max(l1s) / min(l1s)) > 4.99


def test_scales_change_only_what_common_knows():
    common = read_config_of("common")
    for scale in SCALES:
        changed = read_config_of(scale)
        sizes = {"n_train", "n_held_out", "n_pilot"}
        assert set(changed) - set(common) - sizes == set()
        for key, value in changed.items():
            if isinstance(value, dict):
                assert isinstance(common[key], dict)


def test_sections_of_stages_are_of_stages():
    tables = {key for key, value in read_config_of("common").items() if isinstance(value, dict)}
    assert tables - {"dictionary"} <= {stage.name for stage in STAGES}


def test_tables_are_merged_and_values_replaced():
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}) == {
        "a": {"b": 3, "c": 2},
        "d": [2],
    }


def test_unknown_scale_names_those_that_are_there():
    with pytest.raises(ValueError, match=r"no section \[huge\].*full, quick"):
        read_config(DEFAULT, "huge")


def read_config_of(section: str) -> dict:
    from examples.reproduction._config import tomllib

    return tomllib.loads(DEFAULT.read_text(encoding="utf-8"))[section]
