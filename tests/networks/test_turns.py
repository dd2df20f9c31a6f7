from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
from torch import nn

from sklearn_groupcross import Network, load_network, receptive_field
from sklearn_groupcross.networks._module_state import reading
from sklearn_groupcross.networks._turns import Turns
from tests.networks.modules import Unsteady
from tests.networks.test_aliases import TwoNames

IMAGES = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def in_threads(tasks):
    """Results of some callables that four threads run; nobody waits for ever."""
    with ThreadPoolExecutor(4) as threads:
        return [future.result(timeout=60) for future in [threads.submit(task) for task in tasks]]


@pytest.mark.parametrize(
    ("make", "images", "layers"),
    [
        (lambda: load_network("bundled"), torch.rand(2, 3, 96, 96), ["conv1", "relu2", "relu3"]),
        (lambda: Network(TwoNames()), IMAGES, ["act", "act2", "again.0", "second.1", "unused"]),
        (lambda: Network(Unsteady().train()), IMAGES, ["conv", "block", "dropout"]),
    ],
    ids=["bundled", "several names", "nodes"],
)
def test_threads_read_one_network_as_one_thread_does(make, images, layers):
    network = make()
    modes = [part.training for part in network.module.modules()]
    parts = dict(network.module.named_modules(remove_duplicate=False))
    expected = [make().activations(images, layer) for layer in layers]
    expected.append(make().run(images))

    def read(k):
        return network.run(images) if k == len(layers) else network.activations(images, layers[k])

    order = [k for _ in range(12) for k in range(len(expected))]
    found = in_threads([partial(read, k) for k in order])
    assert [
        k for k, one in zip(order, found, strict=True) if not torch.equal(one, expected[k])
    ] == []
    assert [part.training for part in network.module.modules()] == modes
    assert dict(network.module.named_modules(remove_duplicate=False)) == parts
    assert not any(part._forward_hooks for part in network.module.modules())


def test_threads_read_networks_that_share_parts():
    module = TwoNames()
    networks = [Network(module), Network(nn.Sequential(module.first, module.act, module.second))]
    asked = [(networks[0], "act2"), (networks[1], "0"), (networks[1], "2.1")]
    expected = [network.activations(IMAGES, layer) for network, layer in asked]
    found = in_threads([partial(n.activations, IMAGES, layer) for n, layer in asked] * 12)
    assert all(map(torch.equal, found, expected * 12))


def test_threads_trace_graphs_while_others_read():
    """Also from within a reading, as from a function that replaces a layer."""
    other, readers = Network(Unsteady()), [Network(Unsteady()) for _ in range(8)]
    expected = other.activations(IMAGES, "dropout")

    def trace(network):
        return network.activations(IMAGES, "dropout")

    def trace_within(network):
        traced = []

        def replace(maps):
            traced.append(trace(Network(Unsteady())))
            return maps

        network.run_with_replacement(IMAGES, "norm", replace)
        return traced[0]

    tasks = [partial(f, n) for n in readers for f in (trace_within, trace)]
    tasks += [partial(other.activations, IMAGES, "dropout") for _ in range(16)]
    assert all(torch.equal(found, expected) for found in in_threads(tasks))


def test_threads_measure_fields_as_one_thread_does():
    networks = [Network(Unsteady()) for _ in range(2)]
    layers = ["conv", "norm", "block.0", "block"]
    expected = [receptive_field(networks[0], layer, 12) for layer in layers]
    found = in_threads([partial(receptive_field, networks[1], name, 12) for name in layers * 2])
    assert found == expected * 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_networks_that_are_read_in_threads_can_be_copied(copied):
    network = load_network("bundled")
    images = torch.rand(1, 3, 96, 96)
    expected = network.activations(images)
    assert torch.equal(copied(network).activations(images), expected)


def test_a_reading_waits_for_that_of_another_thread_and_not_for_its_own():
    module = Unsteady().train()
    inside, outside, after = threading.Event(), threading.Event(), []

    def hold():
        with reading(module), reading(module):
            inside.set()
            outside.wait(10)
            after.append("held")

    def follow():
        with reading(module.block):
            after.append("read")

    threads = [threading.Thread(target=target) for target in (hold, follow)]
    threads[0].start()
    assert inside.wait(10)
    assert not any(part.training for part in module.modules())
    threads[1].start()
    threads[1].join(0.1)
    outside.set()
    for thread in threads:
        thread.join(10)
    assert after == ["held", "read"]
    assert all(part.training for part in module.modules())


def in_order(*waits):
    """Threads that begin one after another: what each notes of its turn, in the order of turns."""
    notes, threads = [], []
    for wait in waits:
        begun = threading.Event()
        threads.append(threading.Thread(target=wait, args=(notes, begun), daemon=True))
        threads[-1].start()
        begun.wait(10)
    return notes, threads


def test_those_that_share_no_part_do_not_wait():
    turns, shared = Turns(), nn.ReLU()
    one, other, third = nn.Sequential(shared), nn.Sequential(shared), nn.Sequential(nn.ReLU())

    def at(module, name):
        def wait(notes, begun):
            begun.set()
            with turns.at(module):
                notes.append(name)

        return wait

    with turns.at(one) as parts, turns.at(one):  # nested within a thread
        assert parts == [one, shared]
        notes, threads = in_order(at(other, "other"), at(third, "third"))
        threads[1].join(10)
        assert notes == ["third"]
    threads[0].join(10)
    assert notes == ["third", "other"]


def test_alone_waits_for_all_and_lets_none_begin():
    turns, module = Turns(), nn.ReLU()
    tracing, done = threading.Event(), threading.Event()

    def trace(notes, begun):
        begun.set()
        with turns.alone():
            notes.append("alone")
            tracing.set()
            done.wait(10)

    def read(notes, begun):
        begun.set()
        with turns.at(nn.ReLU()):
            notes.append("read")

    with turns.at(module):
        notes, threads = in_order(trace)
        assert not tracing.wait(0.05)
    assert tracing.wait(10)
    late, more = in_order(read)
    more[0].join(0.05)
    assert late == []
    done.set()
    for thread in (*threads, *more):
        thread.join(10)
    assert (notes, late) == (["alone"], ["read"])


def test_a_turn_is_given_back_after_an_error():
    turns = Turns()
    for turn in (turns.at(nn.ReLU()), turns.alone()):
        with pytest.raises(ZeroDivisionError), turn:
            raise ZeroDivisionError
    assert turns._taken == []
    assert turns._alone is None
