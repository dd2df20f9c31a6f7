from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import GroupCrosscoder, Network, load_network
from sklearn_groupcross.actions import center_crop
from sklearn_groupcross.faithfulness import downstream_effect
from sklearn_groupcross.orbits import ImageSource
from tests.faithfulness.handmade import GROUP, Handmade, exact, read, row, shrunken
from tests.tolerances import rounding


@pytest.fixture(scope="module")
def maps(network, smooth_images) -> torch.Tensor:
    return network.activations(read(smooth_images))


def logit_rounding(network: Network, images: np.ndarray) -> float:
    """By how much logits differ where the rest of the network runs through other kernels.

    It is a mean over 24 x 24 units and a linear layer of 96 channels.
    """
    return rounding(torch.float32, 24 * 24 + 96, network.run(read(images)).abs().max())


def test_an_exact_dictionary_changes_nothing(network, smooth_images, maps):
    effects = downstream_effect(exact(), network, smooth_images, labels=[0, 1, 2, 3, 4, 5])
    found, original = row(effects, "crosscoder"), row(effects, "original")
    atol = logit_rounding(network, smooth_images)
    assert found["kl"] == pytest.approx(0, abs=atol**2)  # its first order vanishes
    assert found["agreement"] == found["agreement_low"] == found["agreement_high"] == 1
    for column in ("recovered", "loss_recovered", "explained_variance"):
        assert found[column] == pytest.approx(1, abs=atol)
    assert found["l0"] == pytest.approx(float((maps > 0).sum(dim=1).double().mean()))
    assert found["cross_entropy"] == pytest.approx(original["cross_entropy"], abs=atol)


def test_the_logits_of_an_exact_dictionary(network, smooth_images, monkeypatch):
    seen = []
    run = Network.run_with_replacement

    def spy(self, *arguments):
        seen.append(run(self, *arguments))
        return seen[-1]

    monkeypatch.setattr(Network, "run_with_replacement", spy)
    downstream_effect(exact(), network, smooth_images)
    expected = network.run(read(smooth_images))
    torch.testing.assert_close(seen[0], expected, rtol=0, atol=1e-4)  # the unreplaced run
    torch.testing.assert_close(seen[1], expected, rtol=0, atol=1e-4)
    assert (seen[2] - expected).abs().max() > 0.1  # mean ablation


def test_a_dictionary_without_atoms_is_an_ablation(network, smooth_images, maps):
    zero, mean = np.zeros(96), maps.mean(dim=(0, 2, 3)).numpy()
    empty = {
        "to zero": Handmade.of(np.zeros((96, 96)), zero),
        "to mean": Handmade.of(np.zeros((96, 96)), mean),
    }
    effects = downstream_effect(empty, network, smooth_images, labels=np.arange(6))
    effects = effects.drop(columns="l0")
    for name, control in (("to zero", "zero ablation"), ("to mean", "mean ablation")):
        np.testing.assert_allclose(
            row(effects, name).to_numpy(float),
            row(effects, control).to_numpy(float),
            rtol=0,
            atol=logit_rounding(network, smooth_images),
        )
    assert row(effects, "mean ablation")["explained_variance"] == 0
    assert row(effects, "mean ablation")["recovered"] == 0
    assert row(effects, "zero ablation")["explained_variance"] < 0


def test_every_column_by_hand(network, smooth_images, maps):
    labels = np.array([3, 1, 4, 1, 5, 9])
    effects = downstream_effect(shrunken(0.5), network, smooth_images, labels=labels)
    found = row(effects, "crosscoder")
    log_p = network.run(read(smooth_images)).log_softmax(1)
    log_q = network.module.classify(0.5 * maps).log_softmax(1)
    mean = maps.mean(dim=(0, 2, 3), keepdim=True)
    log_mean = network.module.classify(mean.expand_as(maps)).log_softmax(1)
    kl, kl_mean = (float((log_p.exp() * (log_p - x)).sum(1).mean()) for x in (log_q, log_mean))
    truth = torch.from_numpy(labels)[:, None]
    loss, best, worst = (float(-x.gather(1, truth).mean()) for x in (log_q, log_p, log_mean))
    expected = {
        "explained_variance": 1 - float((0.5 * maps).square().sum() / (maps - mean).square().sum()),
        "kl": kl,
        "agreement": float((log_q.argmax(1) == log_p.argmax(1)).double().mean()),
        "recovered": 1 - kl / kl_mean,
        "accuracy": float((log_q.argmax(1) == truth[:, 0]).double().mean()),
        "cross_entropy": loss,
        "loss_recovered": (worst - loss) / (worst - best),
    }
    for column, value in expected.items():
        assert found[column] == pytest.approx(value, rel=1e-4, abs=1e-5), column


def test_worse_dictionaries_do_worse(network, smooth_images):
    effects = downstream_effect([shrunken(f) for f in (0.9, 0.6, 0.3)], network, smooth_images)
    assert effects["condition"].tolist() == [
        "original",
        "crosscoder 0",
        "crosscoder 1",
        "crosscoder 2",
        "mean ablation",
        "zero ablation",
    ]
    assert effects["kl"][:4].is_monotonic_increasing
    assert effects["explained_variance"][:4].is_monotonic_decreasing
    assert (effects["kl_low"] <= effects["kl"]).all()
    assert (effects["kl"] <= effects["kl_high"]).all()
    assert (effects["recovered_low"] <= effects["recovered"]).all()
    # labels were not given: nothing that needs them
    assert "accuracy" not in effects


def test_neither_order_nor_batches_matter(network, smooth_images):
    labels, order = np.arange(6), np.array([3, 0, 5, 1, 4, 2])
    means = ["l0", "explained_variance", "kl", "agreement", "recovered", "cross_entropy"]
    reference = downstream_effect(shrunken(0.5), network, smooth_images, labels=labels)
    moved = downstream_effect(
        shrunken(0.5), network, smooth_images[order], labels=labels[order], batch_size=4
    )
    pd.testing.assert_frame_equal(moved[means], reference[means], rtol=1e-4, atol=1e-5)
    one = downstream_effect(shrunken(0.5), network, smooth_images, labels=labels, batch_size=1)
    pd.testing.assert_frame_equal(one, reference, rtol=1e-4, atol=1e-5)


def test_many_positions_are_encoded_in_parts(network, smooth_images, monkeypatch):
    from sklearn_groupcross.faithfulness import _inputs

    reference = downstream_effect(shrunken(0.5), network, smooth_images)
    monkeypatch.setattr(_inputs, "_CODES_A_PASS", 96 * 1000)  # not a divisor of 6 * 24 * 24
    parts = downstream_effect(shrunken(0.5), network, smooth_images)
    pd.testing.assert_frame_equal(parts, reference, rtol=1e-6)


def test_the_seed_is_that_of_the_intervals_alone(network, smooth_images):
    first, again, other = (
        downstream_effect(shrunken(0.5), network, smooth_images, random_state=seed)
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    np.testing.assert_allclose(first["kl"], other["kl"], rtol=1e-5)
    assert not np.allclose(first["kl_low"], other["kl_low"], rtol=1e-4, equal_nan=True)


def test_one_image_has_no_interval(network, smooth_images):
    effects = downstream_effect(shrunken(0.5), network, smooth_images[:1])
    assert effects["kl"].notna().all()
    assert effects[["kl_low", "kl_high", "recovered_low", "agreement_high"]].isna().all(axis=None)


def test_the_scale_of_the_images_can_be_chosen(network, smooth_images):
    small, large = (
        downstream_effect(shrunken(0.5), network, smooth_images, source_size=size)
        for size in (96, 160)
    )
    assert small["kl"][1] != pytest.approx(large["kl"][1], rel=1e-3)


def test_the_fitted_estimator(network, smooth_images, maps):
    rows = maps.permute(0, 2, 3, 1).reshape(-1, 96).numpy()
    crosscoder = GroupCrosscoder(
        n_features=64, activation="topk", k=8, max_epochs=20, batch_size=256, random_state=0
    ).fit(rows)
    found = row(downstream_effect(crosscoder, network, smooth_images), "crosscoder")
    assert found["explained_variance"] == pytest.approx(crosscoder.score(rows), abs=1e-4)
    assert found["l0"] == pytest.approx((crosscoder.encode(rows) != 0).sum() / len(rows))
    assert found["l0"] <= 8


def test_another_number_of_channels_is_refused(network, smooth_images):
    with pytest.raises(ValueError, match=r"'crosscoder' reads activations of 96.*'relu2'.* 48"):
        downstream_effect(exact(), network, smooth_images, layer="relu2")
    assert not network.module.relu2._forward_hooks


def test_a_crosscoder_that_reads_orbits_is_refused(network, smooth_images):
    crosscoder = exact()
    crosscoder.encoder_ = np.zeros((96, 96 * GROUP.order))
    with pytest.raises(ValueError, match="reads whole orbits"):
        downstream_effect([exact(), crosscoder], network, smooth_images)


def test_a_network_without_a_classifier_is_refused(small_network, smooth_images):
    with pytest.raises(ValueError, match=r"puts out \(6, 12, 12, 12\).*class scores"):
        downstream_effect(exact(12), small_network, smooth_images)


def test_other_arguments_that_do_not_fit_are_refused(network, smooth_images):
    with pytest.raises(ValueError, match="No crosscoders"):
        downstream_effect([], network, smooth_images)
    with pytest.raises(ValueError, match="'original' is the name of a control"):
        downstream_effect({"original": exact()}, network, smooth_images)
    with pytest.raises(ValueError, match="batch_size is at least 1"):
        downstream_effect(exact(), network, smooth_images, batch_size=0)
    with pytest.raises(ValueError, match="at least the network's input size, 96 px; got 95"):
        downstream_effect(exact(), network, smooth_images, source_size=95)
    with pytest.raises(NotFittedError):
        downstream_effect(GroupCrosscoder(), network, smooth_images)


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: [p], lambda p: {"mine": p}])
def test_a_pipeline_is_refused_by_name(network, smooth_images, wrap):
    with pytest.raises(TypeError, match="is a Pipeline; activations.*it scales them itself"):
        downstream_effect(wrap(make_pipeline(exact())), network, smooth_images)


def test_something_else_is_refused(network, smooth_images):
    with pytest.raises(TypeError, match="must be a GroupCrosscoder; got a PCA"):
        downstream_effect(PCA(), network, smooth_images)
    with pytest.raises(TypeError, match="network is a Network.*got a int"):
        downstream_effect(exact(), 3, smooth_images)


def test_networks_may_be_named(network, smooth_images):
    by_name = downstream_effect(exact(), "bundled", smooth_images)
    pd.testing.assert_frame_equal(by_name, downstream_effect(exact(), network, smooth_images))


def test_real_weights(shared_data):
    network = load_network("bvlc_googlenet", shared_data / "bvlc_googlenet.safetensors")
    paths = sorted((shared_data / "images").glob("*.jpg"))
    chosen = np.random.default_rng(0).permutation(len(paths))
    train, test = ([paths[i] for i in part] for part in (chosen[:10], chosen[240:248]))
    source = ImageSource(train)
    squares = torch.stack([center_crop(source.load(i, 256), 224) for i in range(len(train))])
    rows = network.activations(squares).permute(0, 2, 3, 1).reshape(-1, 480).numpy()
    crosscoder = GroupCrosscoder(
        n_features=256, activation="topk", k=32, max_epochs=10, random_state=0
    ).fit(rows[::3])
    labels = [int(path.name[:4]) for path in test]
    effects = downstream_effect(crosscoder, network, test, labels=labels)
    assert row(effects, "original")["accuracy"] >= 0.5
    assert row(effects, "mean ablation")["accuracy"] <= 0.1
    assert row(effects, "crosscoder")["kl_high"] < row(effects, "mean ablation")["kl_low"]
    assert row(effects, "crosscoder")["loss_recovered"] > 0.4
    assert row(effects, "zero ablation")["recovered"] < row(effects, "crosscoder")["recovered"]


def test_sets_of_features(network, smooth_images, maps):
    some, most = np.arange(5), np.arange(96) >= 5
    effects = downstream_effect(
        exact(),
        network,
        smooth_images,
        keep={"all": np.arange(96), "most": most, "none": []},
        ablate={"without some": some, "without none": np.zeros(96, dtype=bool)},
    )
    assert effects["condition"].tolist()[2:7] == [
        *("all", "most", "none", "without some", "without none")
    ]
    for name, same in (
        ("all", "crosscoder"),
        ("without some", "most"),  # nothing is left unexplained by an exact dictionary
        ("none", "zero ablation"),  # its bias is zero
    ):
        found, other = (
            row(effects, n).drop(["condition", "l0"], errors="ignore") for n in (name, same)
        )
        np.testing.assert_allclose(found.to_numpy(float), other.to_numpy(float), atol=1e-4)
    assert row(effects, "without none")["kl"] == pytest.approx(0, abs=1e-8)
    assert row(effects, "most")["kl"] > 1e-4
    assert row(effects, "none")["l0"] == 0
    total = row(effects, "crosscoder")["l0"]
    assert row(effects, "without some")["l0"] == row(effects, "most")["l0"] < total


def test_what_is_not_explained_stays(network, smooth_images):
    effects = downstream_effect(shrunken(0.5), network, smooth_images, ablate={"nothing": []})
    assert row(effects, "nothing")["kl"] == pytest.approx(0, abs=1e-8)
    assert row(effects, "nothing")["explained_variance"] == 1
    assert row(effects, "crosscoder")["kl"] > 1e-3


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"keep": {"some": [96]}}, "'some' is no set of features: indices from 0 to 95"),
        ({"keep": {"some": [0.5]}}, "'some' is no set"),
        ({"ablate": {"some": np.ones(95, dtype=bool)}}, "'some' is no set"),
        ({"keep": {"some": [1]}, "ablate": {"some": [2]}}, "Two conditions are named 'some'"),
        ({"keep": {"original": [1]}}, "Two conditions are named 'original'"),
    ],
)
def test_sets_that_are_none(network, smooth_images, sets, message):
    with pytest.raises(ValueError, match=message):
        downstream_effect(exact(), network, smooth_images, **sets)
    with pytest.raises(ValueError, match="of one crosscoder; got 2"):
        downstream_effect([exact(), exact()], network, smooth_images, keep={"some": [1]})
