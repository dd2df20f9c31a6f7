"""Fixtures that several rooms share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # threads of several processes that spin slow all of them
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():  # read where Triton is imported, which nothing has done yet
    os.environ.setdefault("TRITON_INTERPRET", "1")

from sklearn_groupcross import GroupCrosscoder, Network, OrbitDataset
from sklearn_groupcross.groups import Dihedral
from tests import processor, systems

# A busy machine makes single examples slow; laws do not depend on the clock. Derandomised, so that
# a red run is red for everyone.
settings.register_profile(
    "groupcross", deadline=None, derandomize=True, max_examples=40, report_multiple_bugs=False
)
settings.load_profile("groupcross")


def pytest_report_header() -> list[str]:
    """What the numbers of this run were computed with."""
    return processor.header()


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_not_ignored() -> Iterator[None]:
    """A shell has jobs in the background ignore the signal that some tests send."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def interrupts_arrive() -> Iterator[None]:
    """Ctrl-C is Python's in every test, though a library may have taken it over in C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if before is not None:  # C code's, before Python began
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def windows() -> Iterator[None]:
    """The package as on Windows, where folders cannot be opened nor open files replaced."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("there is no /proc/self/fd to tell which files are open")
    with systems.running_on(systems.Windows()):
        yield


@pytest.fixture(params=["mac", "windows"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[None]:
    """The package as on another system."""
    if request.param == "windows":
        request.getfixturevalue("windows")
        yield
        return
    with systems.running_on(systems.Mac()):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real weights and photographs, named by GROUPCROSS_DATA."""
    folder = os.environ.get("GROUPCROSS_DATA")
    if folder is None:
        pytest.skip("GROUPCROSS_DATA does not name a folder with bvlc_googlenet.safetensors")
    return Path(folder)


class SmallNetwork(torch.nn.Module):
    """Three layers with every operation that shifts or widens a receptive field."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv1 = torch.nn.Conv2d(3, 8, 5, stride=2, padding=2)
        self.pool = torch.nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = torch.nn.Conv2d(8, 12, 3, padding=1)
        self.relu = torch.nn.ReLU()
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.conv2(self.pool(torch.relu(self.conv1(x)))))


@pytest.fixture(scope="session")
def small_network() -> Network:
    return Network(SmallNetwork(), input_size=48, default_layer="relu", name="small")


@pytest.fixture(scope="session")
def smooth_images() -> np.ndarray:
    """Six images of random blobs, uint8, (6, 70, 70, 3): smooth, so that turns lose little."""
    noise = torch.rand(6, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    images = torch.nn.functional.interpolate(noise, size=(70, 70), mode="bicubic").clamp(0, 1)
    return (images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()


@pytest.fixture(scope="session")
def small_dataset(small_network: Network, smooth_images: np.ndarray) -> OrbitDataset:
    return OrbitDataset(smooth_images, network=small_network, group=Dihedral(4), n_positions=40)


@pytest.fixture(scope="session")
def small_crosscoder(small_dataset: OrbitDataset) -> GroupCrosscoder:
    return GroupCrosscoder(
        group=Dihedral(4), n_features=24, activation="topk", k=4, max_epochs=60, random_state=0
    ).fit(small_dataset.as_array())
