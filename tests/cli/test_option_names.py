from __future__ import annotations

from argparse import Namespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import GroupCrosscoder, OrbitDataset, SymmetryAnalyzer
from sklearn_groupcross._stacks._validation import check_constraints
from sklearn_groupcross.cli._option_names import PARAMETERS, in_options

from .wrong_calls import commands

RUN = Namespace(
    **dict.fromkeys(["features", "k", "l1", "epochs", "seed", "no_augment", "group", "radius"]),
    **dict.fromkeys(["interpolation", "append", "max_samples", "positions", "sampling", "dtype"]),
    **dict.fromkeys(["family_distance", "jobs", "weights"]),
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("got n_positions=3.", "got --positions 3."),
        ("k=13 codes; n_features=12", "--k 13 codes; --features 12"),
        ("The 'max_epochs' parameter of GroupCrosscoder must be", "--epochs must be"),
        ("sampling='center' gives at most", "--sampling center gives at most"),
        ('write dtype="float32", or', "write --dtype float32, or"),
        ("give it too, with append=True.", "give it too, with --append."),
        ("its metadata['random_state'] is 3", "its --seed is 3"),
        ("augment=True would", "training without --no-augment would"),
        ("augment=False would", "--no-augment would"),
        ("max_samples is a number", "--max-samples is a number"),
        ("raise `n_features` or l1=0.1.", "raise --features or --l1 0.1."),
        ("weights='my file.pth'", "--weights 'my file.pth'"),
        # words, and what is no option of the command
        ("The radius lies between the positions of a group.", None),
        ("set n_channels=3, see max_samples_each and k", None),
        ("Network(..., radius=3) or f(radius=3)", None),
        ("pick=3", None),
    ],
)
def test_parameters_are_named_as_options(text, said):
    assert in_options(text, RUN) == (text if said is None else said)


def test_only_options_of_the_command_are_named():
    assert in_options("n_features=3, k=4", Namespace(k=None)) == "n_features=3, --k 4"


@given(st.text())
def test_any_text_passes(text):
    assert in_options(text, Namespace()) == text
    in_options(text, RUN)


def test_the_table_is_of_options_and_parameters():
    options = {action.dest for _, parser in commands() for action in parser._actions}
    assert set(PARAMETERS) <= options
    known = {*GroupCrosscoder().get_params(), *SymmetryAnalyzer().get_params(), "n_jobs"}
    known |= set(OrbitDataset.__init__.__annotations__)
    assert set(PARAMETERS.values()) <= known


def test_errors_of_estimators_are_translated():
    estimator = GroupCrosscoder(n_features=0)
    with pytest.raises(ValueError, match="n_features") as raised:
        check_constraints(estimator)
    assert in_options(str(raised.value), RUN).startswith("--features must be an int in the range")
