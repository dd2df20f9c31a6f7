from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder._options import TrainingOptions
from sklearn_groupcross.crosscoder._schedule import l1_at, learning_rate_factor
from tests.tolerances import rounding

GROUP = Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(300, group=GROUP, n_channels=8, n_families=2, random_state=0).orbits


def small(**options):
    defaults = {
        "group": GROUP,
        "n_features": 12,
        "max_epochs": 5,
        "batch_size": 64,
        "random_state": 0,
    }
    return GroupCrosscoder(**{**defaults, **options})


def assert_same_weights(first, second):
    for name in ("components_", "intercept_", "encoder_", "encoder_intercept_"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert np.array_equal(first.threshold_, second.threshold_)
    assert first.history_ == second.history_


def options(**changes):
    values = {
        "group": GROUP,
        "n_channels": 8,
        "n_atoms": 12,
        "activation": "relu",
        "k": None,
        "l1": 0.5,
        "l1_weight": "joint",
        "encoder_input": "identity",
        "augment": False,
        "n_steps": 100,
        "learning_rate": 1.0,
        "warm_up": 0.1,
        "decay": 0.2,
        "l1_warm_up": 0.25,
        "max_grad_norm": 1.0,
        "dead_features": None,
        "dead_samples": 100,
        "precision": "float32",
        "device": torch.device("cpu"),
        "seed": 0,
    }
    return TrainingOptions(**{**values, **changes})


class TestSchedules:
    def test_the_learning_rate_rises_stays_and_falls_to_nearly_nothing(self):
        rates = [learning_rate_factor(step, options()) for step in range(100)]
        assert rates[0] == pytest.approx(0.1)
        assert rates[9:81] == [1.0] * 72
        assert rates[-1] == pytest.approx(0.05)
        assert np.all(np.diff(rates[80:]) < 0)

    def test_without_warm_up_and_decay_it_is_constant(self):
        constant = options(warm_up=0.0, decay=0.0)
        assert {learning_rate_factor(step, constant) for step in range(100)} == {1.0}

    def test_the_penalty_rises_from_its_start_to_itself(self):
        penalties = [l1_at(step, options()) for step in range(100)]
        assert penalties[0] == pytest.approx(0.5 / 25)
        assert penalties[24:] == [0.5] * 76
        assert l1_at(0, options(l1_start=0.4)) == pytest.approx(0.4 + 0.1 / 25)

    def test_without_an_end_nothing_decays(self):
        endless = options(n_steps=None)
        assert learning_rate_factor(10**6, endless) == 1.0
        assert l1_at(10**6, endless) == 0.5


@pytest.mark.parametrize("activation", ["relu", "topk", "batch_topk", "jumprelu"])
def test_streamed_and_in_memory_fits_agree_bit_for_bit(orbits, tmp_path, activation):
    half = orbits.astype(np.float16)
    np.save(tmp_path / "orbits.npy", half)
    mapped = np.load(tmp_path / "orbits.npy", mmap_mode="r")
    settings = {"activation": activation, "augment": True, "k": 3 if "topk" in activation else None}
    in_memory = small(**settings).fit(half)
    for X in (mapped, mapped.reshape(300, -1), torch.from_numpy(half), half.astype(np.float32)):
        assert_same_weights(in_memory, small(**settings).fit(X))


def test_the_history_of_steps_adds_up_to_that_of_epochs(orbits):
    history = small(max_epochs=3).fit(orbits).history_
    n_batches = -(-300 // 64)
    sizes = np.array([len(part) for part in np.array_split(np.arange(300), n_batches)])
    for name in ("loss", "fvu", "l0"):
        steps = np.reshape(history[f"step_{name}"], (3, n_batches))
        np.testing.assert_allclose(steps @ sizes / 300, history[name])


@pytest.mark.parametrize("gathers", [False, True])
def test_no_step_reads_from_the_device(gathers, orbits, monkeypatch):
    """A number that is read in every step stalls a GPU: `Tensor.item` and its kin are counted."""
    from sklearn_groupcross.crosscoder import _gathering, _trainer
    from sklearn_groupcross.crosscoder._trainer import Trainer

    # kernels, whose interpreter reads, are left out; what is around them has to be there
    sums = []
    monkeypatch.setattr(_gathering, "pays", lambda parameters, options: gathers)
    monkeypatch.setattr(
        _gathering,
        "_sums",
        lambda starts, chosen, weights, matrix: (
            sums.append(1) or matrix.new_zeros(len(starts) - 1, matrix.shape[1])
        ),
    )
    monkeypatch.setattr(
        _gathering,
        "_products",
        lambda starts, chosen, vectors, matrix: vectors.new_zeros(len(chosen)),
    )
    # sparse steps, which have to be told what is zero, are for the CPU
    monkeypatch.setattr(_trainer, "pays", lambda share, decoder: False)
    reads, in_step = [], False
    for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "nonzero"):
        original = getattr(torch.Tensor, name)

        def counted(self, *args, _original=original, _name=name, **kwargs):
            # meanwhile another thread reads the next batch, which is on the CPU
            if in_step and not threading.current_thread().name.startswith("orbits"):
                reads.append(_name)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, counted)
    train_on = Trainer.train_on

    def watched(self, batch):
        nonlocal in_step
        in_step = self.step % 16 != 0  # where dead atoms are counted, every 16 steps, it may
        train_on(self, batch)
        in_step = False

    monkeypatch.setattr(Trainer, "train_on", watched)
    small(activation="topk", k=2, batch_size=16).fit(orbits)
    assert reads == []
    assert bool(sums) == gathers


class TestWarmStart:
    def test_it_goes_on_from_the_last_weights(self, orbits):
        cold = small(max_epochs=60).fit(orbits)
        warm = small(max_epochs=60, warm_start=True).fit(orbits)
        assert_same_weights(cold, warm)
        warm.set_params(max_epochs=1, learning_rate=1e-9).fit(orbits)
        np.testing.assert_allclose(warm.components_, cold.components_, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(warm.transform(orbits), cold.transform(orbits), atol=1e-4)

    def test_jumprelu_keeps_its_thresholds(self, orbits):
        warm = small(activation="jumprelu", warm_start=True, max_epochs=30).fit(orbits)
        before = warm.threshold_.copy()
        warm.set_params(max_epochs=1, learning_rate=1e-9).fit(orbits)
        np.testing.assert_allclose(warm.threshold_, before, rtol=1e-5)

    def test_of_another_size_it_is_refused(self, orbits):
        fitted = small(warm_start=True).fit(orbits).set_params(n_features=13)
        with pytest.raises(ValueError, match="warm_start goes on from the last fit.*Fit a clone"):
            fitted.fit(orbits)

    def test_under_another_group_it_is_refused(self, orbits):
        """Of the same order, so that all shapes agree."""
        fitted = small(warm_start=True).fit(orbits).set_params(group=Cyclic(6))
        with pytest.raises(ValueError, match=r"last fit, under Dihedral\(3\); now group is Cyclic"):
            fitted.fit(orbits)
        assert fitted.group_ == GROUP


class TestDictInit:
    def test_atoms_start_there(self, orbits):
        start = np.random.default_rng(0).standard_normal((7, 6, 8))
        crosscoder = small(n_features=None, dict_init=start, learning_rate=1e-9).fit(orbits)
        atoms = crosscoder.components_ / np.linalg.norm(crosscoder.components_, axis=1)[:, None]
        flat = start.reshape(7, 48)
        expected = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        np.testing.assert_allclose(atoms, expected, atol=1e-4)

    @pytest.mark.parametrize(
        ("start", "message"),
        [
            (np.ones((12, 47)), r"of shape \(12, 48\)"),
            (np.ones((11, 48)), "dict_init has 11 atoms; n_features=12"),
            (np.eye(12, 48) - np.eye(12, 48)[[0]], "atoms that are zero"),
            (np.full((12, 48), np.nan), "must be finite"),
        ],
    )
    def test_bad_starts_are_refused(self, orbits, start, message):
        with pytest.raises(ValueError, match=message):
            small(dict_init=start).fit(orbits)


class TestPartialFit:
    def test_portions_are_learned_from(self, orbits):
        crosscoder = small()
        scores = []
        for _ in range(25):
            for part in np.array_split(orbits, 3):
                crosscoder.partial_fit(part)
            scores.append(crosscoder.score(orbits))
        assert scores[-1] > 0.5 > scores[0]
        assert len(crosscoder.history_["loss"]) == 75
        assert crosscoder.n_iter_ == len(crosscoder.history_["step_loss"])

    @pytest.mark.parametrize("activation", ["relu", "batch_topk"])
    def test_a_pickle_in_between_changes_nothing(self, orbits, activation):
        crosscoder = small(activation=activation, k=3).partial_fit(orbits[:150])
        copied = pickle.loads(pickle.dumps(crosscoder))
        assert_same_weights(crosscoder.partial_fit(orbits[150:]), copied.partial_fit(orbits[150:]))

    def test_after_fit_it_goes_on_from_there(self, orbits):
        crosscoder = small(max_epochs=60).fit(orbits)
        before = crosscoder.score(orbits)
        crosscoder.partial_fit(orbits)
        assert crosscoder.score(orbits) > before - 0.05

    def test_fit_starts_again(self, orbits):
        crosscoder = small().partial_fit(orbits)
        assert_same_weights(crosscoder.fit(orbits), small().fit(orbits))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"n_features": 13}, r"n_features=13 \(was 12\)"),
            ({"activation": "topk", "k": 2}, r"activation='topk' \(was 'relu'\), k=2 \(was None\)"),
            ({"l1": 0.5}, r"l1=0.5 \(was 0.1\)"),
            ({"encoder_input": "orbit"}, "encoder_input='orbit'"),
            ({"augment": True}, "augment=True"),
            ({"group": Cyclic(6)}, r"group=Cyclic\(6\) \(was Dihedral\(3\)\)"),
        ],
    )
    def test_changed_parameters_are_refused(self, orbits, changes, message):
        crosscoder = small().partial_fit(orbits)
        before = crosscoder.components_.copy()
        with pytest.raises(ValueError, match="partial_fit goes on with.*" + message):
            crosscoder.set_params(**changes).partial_fit(orbits)
        np.testing.assert_array_equal(crosscoder.components_, before)
        assert len(clone(crosscoder).fit(orbits).components_) == crosscoder.n_features

    def test_what_has_no_effect_may_change(self, orbits):
        crosscoder = small().partial_fit(orbits)
        changed = copy.deepcopy(crosscoder).set_params(max_epochs=3, early_stopping=True, verbose=0)
        assert_same_weights(crosscoder.partial_fit(orbits), changed.partial_fit(orbits))

    def test_after_fit_the_message_is_about_partial_fit(self, orbits):
        fitted = small().fit(orbits).set_params(n_features=13)
        with pytest.raises(ValueError, match="^partial_fit goes on from the last.*or call fit"):
            fitted.partial_fit(orbits)

    def test_other_columns_are_refused(self, orbits):
        with pytest.raises(ValueError, match="expecting 48 features"):
            small().partial_fit(orbits).partial_fit(orbits[:, :, :4])


class TestEarlyStopping:
    def test_it_stops_and_keeps_the_best_epoch(self, orbits):
        stopped = small(
            early_stopping=True, max_epochs=400, n_iter_no_change=3, learning_rate=0.05, l1=0.0
        ).fit(orbits[:60])
        unexplained = stopped.history_["validation_fvu"]
        np.testing.assert_allclose(stopped.history_["validation_loss"], unexplained)  # l1 is 0
        assert len(unexplained) < 400
        assert np.argmin(unexplained) == len(unexplained) - 4
        held_out = stopped._split(60, None, stopped._draw_seed())[1]
        part = orbits[:60][held_out].reshape(len(held_out), -1)
        error = np.square(part - stopped.inverse_transform(stopped.transform(part))).sum(1).mean()
        variance = np.square(orbits[:60] - orbits[:60].mean(0)).sum((1, 2)).mean()
        assert error / variance == pytest.approx(min(unexplained), rel=1e-3)

    @pytest.mark.parametrize("activation", ["relu", "jumprelu"])
    def test_it_does_not_stop_before_learning_has_begun(self, orbits, activation):
        """A warm-up is a share of the longest run that is allowed: little is learned within it."""
        options = {"activation": activation, "l1": 0.3, "learning_rate": 0.02}
        stopped = small(early_stopping=True, max_epochs=1000, **options).fit(orbits)
        assert 50 < len(stopped.history_["validation_fvu"]) < 1000
        assert (
            stopped.score(orbits) > small(max_epochs=200, **options).fit(orbits).score(orbits) - 0.1
        )

    def test_the_best_state_is_not_the_one_before_the_penalty(self, orbits):
        """The penalty costs reconstruction, and is what the dictionary is for."""
        options = {"l1": 1.0, "max_epochs": 100, "learning_rate": 0.02}
        l0 = [
            (small(early_stopping=stop, **options).fit(orbits).transform(orbits) > 0).sum(1).mean()
            for stop in (True, False)
        ]
        assert l0[0] < 2 * l0[1] + 0.5

    def test_groups_are_held_out_whole(self):
        groups = np.repeat(np.arange(20), 15)
        crosscoder = small(early_stopping=True)
        learned, held_out = crosscoder._split(300, groups, seed=0)
        assert len(np.intersect1d(groups[learned], groups[held_out])) == 0
        assert len(held_out) == 30
        scattered = crosscoder._split(300, None, seed=0)[1]
        assert len(np.unique(groups[scattered])) > 5


def test_bfloat16_products_give_nearly_the_same_dictionary(orbits):
    exact, fast = (
        small(max_epochs=60, precision=precision).fit(orbits)
        for precision in ("float32", "bfloat16")
    )
    assert fast.score(orbits) == pytest.approx(exact.score(orbits), abs=0.01)
    assert not np.array_equal(exact.components_, fast.components_)
    assert fast.components_.dtype == np.float32


def test_blockwise_weights_favour_atoms_in_few_blocks():
    from sklearn_groupcross.crosscoder._objective import atom_weights

    flat = torch.ones(1, 48)
    narrow = torch.zeros(1, 48)
    narrow[0, :8] = 6**0.5  # the same norm, in one block of six
    for atom, ratio in ((flat, 1.0), (narrow, 6**-0.5)):
        joint, blockwise = (
            atom_weights(atom, options(l1_weight=weight)) for weight in ("joint", "blockwise")
        )
        atol = rounding(torch.float32, 48)  # a norm of 48 numbers
        assert joint.item() == pytest.approx(1.0, abs=atol)
        assert blockwise.item() == pytest.approx(ratio, abs=atol)
