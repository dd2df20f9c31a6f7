from __future__ import annotations

import matplotlib as mpl
import pytest

from sklearn_groupcross import Dihedral, SymmetryAnalyzer, make_orbits


@pytest.fixture(autouse=True)
def close_figures():
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture(scope="session")
def analysis():
    """Four planted families of the symmetries of the square."""
    group = Dihedral(4)
    planted = make_orbits(5, group=group, n_families=4, random_state=5)
    atoms = planted.components.reshape(len(planted.components), -1)
    return SymmetryAnalyzer(group=group).fit(atoms)
