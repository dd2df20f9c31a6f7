"""Orbits of many images into a store: resumed, appended to, written by several processes."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack
from pathlib import Path

import distributed
import joblib
import numpy as np
import pytest
import torch
from PIL import Image

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    Network,
    OrbitDataset,
    OrbitStore,
    _workers,
)
from sklearn_groupcross._workers import end_with_parent
from sklearn_groupcross.orbits import _extract, choose_chunk_bytes
from sklearn_groupcross.orbits._reader import OrbitReader
from sklearn_groupcross.orbits._settings import network_digest
from tests.orbits.stores import count_lines

CHUNK = 2 * 7 * 8 * 96 * 2  # bytes: the orbits of two images


@pytest.fixture
def folder(tmp_path, smooth_images) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    for number, image in enumerate(smooth_images):
        Image.fromarray(image).save(images / f"{number}.png")
    return images


def dataset(images, **options):
    options = {"network": "bundled", "group": Dihedral(4), "n_positions": 7, **options}
    return OrbitDataset(images, **options)


def files(store: Path) -> dict[str, bytes]:
    return {str(p.relative_to(store)): p.read_bytes() for p in store.rglob("*") if p.is_file()}


def same_files(one: Path, other: Path) -> bool:
    """But for locks, and for the names beside them that killed processes leave."""
    ours, theirs = (
        {name: data for name, data in files(each).items() if not name.endswith((".lock", ".owner"))}
        for each in (one, other)
    )
    return ours == theirs


def test_a_store_holds_what_the_array_holds(folder, tmp_path):
    orbits = dataset(folder)
    store = orbits.extract(tmp_path / "store")
    assert store.shape == (42, 8, 96)
    assert store.dtype == np.float16
    np.testing.assert_allclose(np.asarray(store), orbits.as_array(), rtol=2e-3, atol=1e-4)
    np.testing.assert_array_equal(store.positions, orbits.positions)
    np.testing.assert_array_equal(store.image_ids, orbits.image_ids)
    assert store.group == Dihedral(4)
    assert store.metadata["layers"] == {"relu3": [0, 96]}
    assert [image.name for image in store.images] == [f"{i}.png" for i in range(6)]
    assert store.verify().ok
    GroupCrosscoder(group=Dihedral(4), n_features=8, max_epochs=1, random_state=0).fit(store)
    with pytest.raises(ValueError, match="Dihedral"):
        GroupCrosscoder(group=Dihedral(2), n_features=8).fit(store)


def test_there_is_something_to_share_for_several_processes(folder, tmp_path):
    dataset(folder).extract(tmp_path / "store")
    assert len(list((tmp_path / "store").glob("chunk-*.jsonl"))) == 6


def test_what_is_there_is_not_read_again(folder, tmp_path, monkeypatch):
    dataset(folder).extract(tmp_path / "store")

    def never(*arguments):
        raise AssertionError("an image was read again")

    again = dataset(folder)
    monkeypatch.setattr(again, "_read", never)
    again.extract(tmp_path / "store")


def test_ctrl_c_loses_nothing_that_was_read(folder, tmp_path, monkeypatch):
    interrupted, read = dataset(folder), OrbitDataset._read
    n_read = 0

    def at_the_third(self, *arguments):
        nonlocal n_read
        n_read += 1
        if n_read == 4:
            raise KeyboardInterrupt
        return read(self, *arguments)

    monkeypatch.setattr(OrbitDataset, "_read", at_the_third)
    with pytest.raises(KeyboardInterrupt):
        interrupted.extract(tmp_path / "store")
    interrupted.extract(tmp_path / "store")
    assert n_read == 4 + 3  # the third image and what follows are read again, not the first three
    monkeypatch.undo()
    dataset(folder).extract(tmp_path / "whole")
    assert same_files(tmp_path / "store", tmp_path / "whole")


def test_other_settings_are_refused_by_name(folder, tmp_path):
    dataset(folder).extract(tmp_path / "store")
    for changes, word in [
        ({"random_state": 1}, "random_state"),
        ({"layer": "relu2"}, "n_channels|layer"),
        ({"group": Dihedral(2)}, "group"),
        ({"n_positions": 8}, "its image '0.png' has 7 positions, not 8"),
        ({"sampling": "energy"}, "sampling"),
    ]:
        with pytest.raises(ValueError, match=word):
            dataset(folder, **changes).extract(tmp_path / "store")


def test_appended_images_have_positions_of_their_own(folder, tmp_path):
    images = sorted(folder.iterdir())
    dataset(images[:4]).extract(tmp_path / "store")
    store = dataset(images).extract(tmp_path / "store", append=True)  # four of them are there
    np.testing.assert_allclose(np.asarray(store), dataset(images).as_array(), rtol=2e-3, atol=1e-4)
    np.testing.assert_array_equal(store.positions, dataset(images).positions)
    with pytest.raises(ValueError, match="random_state"):
        dataset(images, random_state=3).extract(tmp_path / "store", append=True)


class TestAppendedStores:
    """Appending is resumed and repeated by the same call, and what was discarded is refilled."""

    @pytest.fixture
    def grown(self, folder, tmp_path):
        images = sorted(folder.iterdir())
        dataset(images[:4]).extract(tmp_path / "store")
        dataset(images[4:]).extract(tmp_path / "store", append=True)
        return images, tmp_path / "store"

    def test_a_killed_append_is_resumed_by_the_same_call(self, grown, tmp_path, monkeypatch):
        images, finished = grown
        dataset(images[:4]).extract(tmp_path / "other")
        read, n_read = OrbitDataset._read, 0

        def killed(self, *arguments):
            nonlocal n_read
            n_read += 1
            if n_read == 2:
                raise KeyboardInterrupt
            return read(self, *arguments)

        monkeypatch.setattr(OrbitDataset, "_read", killed)
        with pytest.raises(KeyboardInterrupt):
            dataset(images[4:]).extract(tmp_path / "other", append=True)
        dataset(images[4:]).extract(tmp_path / "other", append=True)
        assert n_read == 3
        assert same_files(tmp_path / "other", finished)

    def test_a_finished_append_is_repeated_in_vain(self, grown, monkeypatch):
        images, store = grown
        before = files(store)
        monkeypatch.setattr(OrbitDataset, "_read", None)
        assert len(dataset(images[4:]).extract(store, append=True)) == 42
        assert files(store) == before

    def test_what_is_there_keeps_its_numbers_of_positions(self, grown, folder, tmp_path):
        images, store = grown
        before = files(store)
        OrbitStore(store).discard([3, 5])
        mended = dataset(images, n_positions=None, max_samples=9).extract(store, append=True)
        assert mended.verify().ok
        assert np.bincount(mended.image_ids).tolist() == [7] * 6
        assert {k: v for k, v in files(store).items() if k.endswith("npy")} == {
            k: v for k, v in before.items() if k.endswith("npy")
        }

    def test_the_first_call_says_how_to_open_what_it_began(self, grown):
        images, store = grown
        with pytest.raises(ValueError, match=r"holds these 4 images already, among 6: open it"):
            dataset(images[:4]).extract(store)

    def test_pending_images_that_are_not_given_are_named(self, grown):
        images, store = grown
        OrbitStore(store).discard([1])
        with pytest.raises(ValueError, match=r"lacks the orbits of 1\.png.*append=True"):
            dataset(images[4:]).extract(store, append=True)


class TestWhatFailsAtFirst:
    """Nothing that a first call leaves stands in the way of the call that it asks for."""

    def test_an_overflow(self, folder, tmp_path):
        module = torch.nn.Conv2d(3, 2, 3)
        module.weight.data.fill_(1e6)  # more than float16 holds
        network = Network(torch.nn.Sequential(module), input_size=32, default_layer="0")
        orbits = OrbitDataset(folder, network=network, group=Dihedral(4), n_positions=2)
        with pytest.raises(ValueError, match=r'extract\(..., dtype="float32"\)'):
            orbits.extract(tmp_path / "store")
        assert orbits.extract(tmp_path / "store", dtype="float32").verify().ok

    def test_wrong_arguments(self, folder, tmp_path):
        for options, message in [
            ({"n_jobs": 0}, "n_jobs is a number of processes"),
            ({"dtype": "float64"}, "float16 or float32"),
            ({"chunk_bytes": 0}, "at least 1"),
        ]:
            with pytest.raises(ValueError, match=message):
                dataset(folder).extract(tmp_path / "store", **options)
        with pytest.raises(TypeError, match="n_jobs is a whole number; got 1.5"):
            dataset(folder).extract(tmp_path / "store", n_jobs=1.5)
        assert not (tmp_path / "store").exists()

    def test_nan_is_refused_wherever_it_is_read(self, folder, tmp_path):
        module = torch.nn.Conv2d(3, 2, 3)
        module.weight.data[1] = torch.nan
        network = Network(torch.nn.Sequential(module), input_size=32, default_layer="0")
        for sampling in ("disk", "energy"):
            orbits = OrbitDataset(folder, network=network, group=Dihedral(4), sampling=sampling)
            for read in (
                orbits.as_array,
                lambda orbits=orbits: orbits[0],
                lambda orbits=orbits: orbits.extract(tmp_path / "store"),
            ):
                with pytest.raises(ValueError, match=r"image 0 \('0.png'\) contains NaN: in rows"):
                    read()


def test_several_processes_write_the_same_store(folder, tmp_path, monkeypatch):
    options = []

    def watched(**given):
        options.append(given)
        return joblib.Parallel(**given)

    monkeypatch.setattr(_workers, "Parallel", watched)
    one = dataset(folder).extract(tmp_path / "one", chunk_bytes=CHUNK)
    assert options == []
    dataset(folder).extract(tmp_path / "two", chunk_bytes=CHUNK, n_jobs=2)
    assert same_files(tmp_path / "one", tmp_path / "two")
    assert one.verify().ok
    assert [given["initializer"] for given in options] == [end_with_parent]


def test_a_chunk_that_another_process_writes_is_left_to_it(folder, tmp_path, monkeypatch):
    """Array tasks share one store: each takes what is free, and waits for the rest to be there."""
    dataset(folder).extract(tmp_path / "one", chunk_bytes=CHUNK)
    began = OrbitStore.create(
        tmp_path / "two",
        group=Dihedral(4),
        n_channels=96,
        images=OrbitStore(tmp_path / "one").images,
        metadata=OrbitStore(tmp_path / "one").metadata,
        chunk_bytes=CHUNK,
    )
    another = ExitStack()
    another.enter_context(began.writer(1))
    pending = []

    def the_other_dies(seconds):
        pending.append(began.pending())
        another.close()

    monkeypatch.setattr(_extract.time, "sleep", the_other_dies)
    with pytest.warns(
        RuntimeWarning, match=rf"Chunk 1 of .* process {os.getpid()} on .* waited for"
    ):
        dataset(folder).extract(tmp_path / "two", chunk_bytes=CHUNK)
    assert pending == [[1]]
    assert same_files(tmp_path / "one", tmp_path / "two")


def test_what_another_process_writes_meanwhile_is_not_read(folder, tmp_path, monkeypatch):
    dataset(folder).extract(tmp_path / "whole", chunk_bytes=CHUNK)
    write, n_written = _extract._write_chunk, []

    def after_the_other(given, path, options, chunk, *more):
        if chunk == 0:  # the other is quick, and writes the last chunk first
            write(given, path, options, 2, {image: image for image in range(len(given))})
        n_written.append(write(given, path, options, chunk, *more))
        return n_written[-1]

    monkeypatch.setattr(_extract, "_write_chunk", after_the_other)
    dataset(folder).extract(tmp_path / "store", chunk_bytes=CHUNK)
    assert n_written == [2, 2, 0]
    assert same_files(tmp_path / "store", tmp_path / "whole")


class Noisy(torch.nn.Conv2d):
    def forward(self, x):
        return torch.nn.functional.dropout(super().forward(x), training=True)


class ByBatch(torch.nn.BatchNorm2d):
    def __init__(self, n_channels):
        super().__init__(n_channels, track_running_stats=False)


@pytest.mark.parametrize(
    ("module", "said"),
    [(Noisy(3, 4, 5), "depends on chance"), (ByBatch(3), "statistics of each batch")],
)
def test_who_calls_for_several_processes_is_warned_and_once(
    module, said, folder, tmp_path, monkeypatch
):
    def in_parcels(**given):
        def work(tasks):
            for task in tasks:  # as it comes to a process
                function, arguments, options = pickle.loads(pickle.dumps(task))
                yield function(*arguments, **options)

        return work

    monkeypatch.setattr(_workers, "Parallel", in_parcels)
    network = Network(torch.nn.Sequential(module), input_size=32, default_layer="0")
    orbits = dataset(folder, network=network)
    with pytest.warns(UserWarning, match=said) as caught:
        orbits.extract(tmp_path / "store", chunk_bytes=1, n_jobs=2)
    assert [warning.filename for warning in caught] == [__file__]
    assert len(list((tmp_path / "store").glob("chunk-*.jsonl"))) == 6


@pytest.mark.slow
def test_a_dask_cluster_writes_the_same_store(folder, tmp_path):
    dataset(folder).extract(tmp_path / "one", chunk_bytes=CHUNK)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        dataset(folder).extract(tmp_path / "two", chunk_bytes=CHUNK, n_jobs=2)
    assert same_files(tmp_path / "one", tmp_path / "two")


@pytest.mark.skipif(os.name == "nt", reason="processes are forked and killed by signals")
@pytest.mark.parametrize("n_lives", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_it_ends_as_if_nothing_had_happened(folder, tmp_path, smooth_images, n_lives):
    """Some lives of one extraction end by SIGKILL while it writes, one more by its end."""
    for number in range(6, 36):
        turned = np.rot90(np.roll(smooth_images[number % 6], number, axis=0), number)
        Image.fromarray(np.ascontiguousarray(turned)).save(folder / f"{number}.png")
    # one process loads what it takes, and forks a child for each life
    program = textwrap.dedent(
        f"""
        import os, sys, time
        from sklearn_groupcross import Dihedral, OrbitDataset
        read, left = OrbitDataset._read, 0
        def slowly(self, *arguments):
            global left
            left -= 1
            # it does not come to the end, however late it is killed
            time.sleep(0.05 if left >= 0 else 600)
            return read(self, *arguments)
        def extract(name):
            dataset = OrbitDataset(
                {str(folder)!r}, network="bundled", group=Dihedral(4), n_positions=7
            )
            dataset.extract({str(tmp_path)!r} + "/" + name, chunk_bytes={2 * CHUNK})
        extract("whole")
        OrbitDataset._read = slowly
        for line in sys.stdin:
            left = int(line)
            if child := os.fork():
                print(child, flush=True)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            else:
                extract("store")
                os._exit(0)
        """
    )
    rng, store, n_there = np.random.default_rng(0), tmp_path / "store", []
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(n_lives):
            goal = count_lines(store) + rng.integers(1, 3)
            print(3, file=process.stdin, flush=True)
            child = int(process.stdout.readline())
            deadline = time.monotonic() + 60
            while count_lines(store) < goal and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.1))  # anywhere within the image that is read
            os.kill(child, signal.SIGKILL)
            assert int(process.stdout.readline()) == -signal.SIGKILL
            report = OrbitStore(store).verify()
            assert report.ok
            assert report.n_verified >= goal
            n_there.append(report.n_verified)
        assert n_there[-1] < 36
        print(36, file=process.stdin, flush=True)
        process.stdout.readline()
        assert int(process.stdout.readline()) == 0
        process.stdin.close()
    assert OrbitStore(store).verify().ok
    assert same_files(store, tmp_path / "whole")


def test_copies_are_reported(folder, tmp_path):
    (folder / "copy.png").write_bytes((folder / "3.png").read_bytes())
    with pytest.warns(
        UserWarning, match=r"1 of 7 images are copies of others \(3\.png = copy\.png"
    ):
        store = dataset(folder).extract(tmp_path / "store")
    assert len(store.images) == 7


def test_all_damaged_images_are_named_before_anything_is_read(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(OrbitDataset, "_read", None)
    (folder / "1.png").write_text("no image", encoding="utf-8")
    (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:500])
    message = r"^2 of 6 images cannot be used:\n.*1\.png is not an image.*\n.*4\.png cannot be"
    with pytest.raises(ValueError, match=message):
        dataset(folder).extract(tmp_path / "store")
    assert not list((tmp_path / "store").glob("chunk-*"))
    with pytest.raises(ValueError, match=message):
        dataset(folder).as_array(tmp_path / "orbits.npy")
    with pytest.raises(ValueError, match=message):
        dataset(folder).as_array()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "store"]


def test_of_a_store_that_is_there_only_pending_images_are_looked_at(folder, tmp_path):
    path = dataset(folder).extract(tmp_path / "store").path
    again = dataset(folder)
    again.images.check_all = lambda indices, progress: seen.extend(indices)
    seen: list[int] = []
    again.extract(path)
    assert seen == []
    OrbitStore(path).discard([3])
    again.extract(path)
    assert seen == [3]


def test_the_digest_knows_weights_and_structure(small_network):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    digests = [network_digest(Network(module)), network_digest(Network(copy.deepcopy(module)))]
    assert digests[0] == digests[1]
    other = copy.deepcopy(module)
    other[0].bias.data[2] += 1e-6
    digests.append(network_digest(Network(other)))
    digests.append(network_digest(Network(torch.nn.Sequential(module[0], torch.nn.GELU()))))
    digests.append(network_digest(Network(copy.deepcopy(module).to(torch.bfloat16))))
    assert len(set(digests[1:])) == 4


def test_batches_shrink_until_they_fit_in_memory(folder, monkeypatch):
    expected = dataset(folder, batch_size=8)[1]
    sizes, read = [], OrbitReader.read

    def short_of_memory(self, image, positions):
        sizes.append(self.batch_size)
        if self.batch_size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return read(self, image, positions)

    monkeypatch.setattr(OrbitReader, "read", short_of_memory)
    crowded = dataset(folder, batch_size=8)
    torch.testing.assert_close(crowded[1], expected, atol=1e-5, rtol=1e-5)
    assert sizes == [8, 4, 2]
    _ = crowded[2]
    assert sizes == [8, 4, 2, 2]  # what was learned is kept


def test_an_image_that_never_fits_is_an_error(folder, monkeypatch):
    def no_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(OrbitReader, "read", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        _ = dataset(folder)[0]


def test_chunks_and_their_number_grow_alike():
    """Sixteen of a GiB, and of four times the bytes twice as many, of twice the size."""
    assert choose_chunk_bytes(1000) * 16 >= 1000
    gib = 2**30
    assert [choose_chunk_bytes(n * gib) // 2**20 for n in (1, 4, 16, 64)] == [64, 128, 256, 512]
    assert choose_chunk_bytes(10**6 * gib) == 4 * gib
    assert choose_chunk_bytes(10**6 * gib, is_remote=True) == gib // 4
