"""Pages of `write_report`, whatever the orbits are of, in the browser."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, OrbitDataset, SymmetryAnalyzer
from sklearn_groupcross.actions import HueAction, ImageAction, PointCloudAction, TimeShiftAction
from sklearn_groupcross.orbits import make_orbits
from sklearn_groupcross.report import ReportSubject, write_report
from tests.report.page import read_page

RNG = np.random.default_rng(0)
IMAGE = {"words": "encoder: <b>1.2</b>", "src": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}
OF_PICTURES = re.compile(r"\bturn(s|ed)? (by )?\d|mirror|\bround\b|°", re.IGNORECASE)


def fitted(orbits, group, seed=0, **options):
    settings = {"n_features": 12, "k": 3, "max_epochs": 20, "activation": "topk", **options}
    crosscoder = GroupCrosscoder(group=group, random_state=seed, **settings).fit(orbits)
    return SymmetryAnalyzer().fit(crosscoder), crosscoder


def images(small_dataset, small_crosscoder):
    """Images under turns and mirrors, beside another seed, with visualizations."""
    orbits = small_dataset.as_array()
    analysis = SymmetryAnalyzer().fit(small_crosscoder)
    other = fitted(orbits, small_dataset.group, seed=1, n_features=24, k=4)
    subject = ReportSubject(*other, small_dataset, orbits, name="seed 1")
    wanted = {"note": "Made by optimization.", "features": {}, "control": [IMAGE]}
    wanted["features"] = {str(feature): [IMAGE, IMAGE] for feature in range(24)}
    options = {"other": subject, "name": "seed 0", "visualizations": wanted}
    return (analysis, small_crosscoder, small_dataset, orbits), options


def hues(small_dataset, small_crosscoder):
    """Images under turns and changes of hue: elements that CSS shows, and others."""
    action = ImageAction(Dihedral(4)) * HueAction(3)
    dataset = OrbitDataset(
        [small_dataset.images.load(i, 70).permute(1, 2, 0).numpy() for i in range(6)],
        network=small_dataset.network,
        action=action,
        n_positions=20,
    )
    orbits = dataset.as_array()
    return (*fitted(orbits, action.group), dataset, orbits), {}


def signals(small_dataset, small_crosscoder):
    """Signals under shifts in time."""
    action = TimeShiftAction(Cyclic(8))
    inputs = RNG.standard_normal((120, 16)).astype(np.float32)
    orbits = np.stack([np.roll(inputs, 2 * g, axis=1) for g in range(8)], axis=1)
    return (*fitted(orbits, action.group), None, orbits), {"inputs": inputs, "action": action}


def clouds(small_dataset, small_crosscoder):
    """Clouds of points under turns of the cube."""
    action = PointCloudAction("octahedral")
    inputs = RNG.standard_normal((120, 5, 3)).astype(np.float32)
    import torch

    moved = action.transform(torch.from_numpy(inputs)).numpy()
    orbits = moved.reshape(120, action.group.order, -1)
    more = {"inputs": inputs, "action": action, "draw": "points"}
    return (*fitted(orbits, action.group), None, orbits), more


def atoms(small_dataset, small_crosscoder):
    """Nothing but atoms."""
    made = make_orbits(10, group=Dihedral(4), n_families=3, closed=True, random_state=2)
    flat = made.components.reshape(len(made.components), -1)
    return (SymmetryAnalyzer(group=Dihedral(4)).fit(flat),), {}


@pytest.mark.parametrize("made", [images, hues, signals, clouds, atoms])
def test_every_page_of_every_kind(made, open_page, tmp_path, small_dataset, small_crosscoder):
    about, options = made(small_dataset, small_crosscoder)
    path = tmp_path / "report.html"
    write_report(path, *about, **options)
    content = read_page(path.read_text(encoding="utf-8"))
    run = content["runs"][0]
    number = int(run["features"]["number"][0])
    routes = ["overview", "map", "features", "families", f"feature-{number}", "run"]
    routes += [f"family-{family['label']}" for family in run["families"][:1]]
    routes += ["compare"] * (len(content["runs"]) == 2)
    page = open_page(path.as_uri())
    for route in routes:
        for width in (1400, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(f"{path.as_uri()}#{route}")
            page.wait_for_timeout(100)
            said = page.locator("main").inner_text()
            assert len(said) > 20, route
            assert not re.search(r"undefined|NaN|\[object|null\b", said), (route, said)
            assert page.evaluate("document.documentElement.scrollWidth") == width, route
            if made is signals and route != "run":
                assert not OF_PICTURES.search(said), (route, said)
    page.goto(f"{path.as_uri()}#feature-{number}")
    page.wait_for_timeout(100)
    drawn = page.locator("main .tile").count()
    assert (drawn > 0) == (run["pictures"] is not None)
    if made is images:
        assert page.get_by_text("Made by optimization.").is_visible()
        for whose in ("This feature", "Random mixture"):
            assert page.get_by_text(f"{whose}, encoder: <b>1.2</b>").first.is_visible()
