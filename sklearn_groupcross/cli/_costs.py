"""What a run takes, reckoned from what its parts take for an image, a row and a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..crosscoder import communication_bytes
from ..orbits import choose_chunk_bytes

# Of an .npy file's header; a file that nobody writes to any more has no other bytes of its own.
_HEADER = 128
# Of a line of a chunk's journal, but for the image's number.
_JOURNAL_LINE = 111
# (column, row) of a sample in float32.
_POSITION = 8
# In memory: the numbers of a row, of its image and of its place in a pass, and their copies; and
# an image's name, digest and line of a manifest that is read.
_MEMORY_A_ROW, _MEMORY_AN_IMAGE = 48, 1024
# Two arrays, a journal and a lock.
_FILES_A_CHUNK = 4
# Of a store: its manifest, that one's lock, and the record of its extraction.
_FILES_A_STORE = 3
#: No larger manifest is read.
LARGEST_MANIFEST = 2**31


@dataclass(frozen=True)
class Line:
    """A cost that grows evenly: ``constant + slope * n``."""

    constant: float
    slope: float

    def at(self, n: float) -> float:
        """The cost of n."""
        return self.constant + self.slope * n

    @classmethod
    def through(cls, first: tuple[float, float], second: tuple[float, float]) -> Line:
        """The line through two measurements (n, cost), falling nowhere.

        Where the larger took no more than the smaller, all of it is constant.
        """
        (n, cost), (more, larger) = first, second
        slope = max(0.0, (larger - cost) / (more - n))
        return cls(max(0.0, larger - slope * more), slope)


@dataclass(frozen=True)
class Rates:
    """What was measured on a machine, for one network, group and dictionary.

    Times are in seconds, memory and files in bytes. Rows are orbits, and those of a fit are the
    rows that it is trained on.

    Attributes
    ----------
    order, n_channels : int
        Of an orbit.
    n_atoms, n_coordinates : int
        Of a dictionary, and what is kept of an orbit's numbers to train it in.
    start : float
        Until a command begins to work: its imports, the network.
    image : float
        Orbits of an image, read and written.
    step : float
        Of training.
    fit : Line
        Of one dictionary by rows, but for its steps.
    analyze, report : Line or None
        By rows of the store. None where symmetries of the group are not named.
    memory : dict of str to Line
        Most bytes of each stage by rows of the store, without mapped files.
    n_rows : int
        Rows of the largest store that was measured: it fills what the stages read at once.
    manifest : Line
        Bytes of a store's manifest by images.
    model : int
        Bytes of a model's file.
    page : int
        Bytes of the report.
    """

    order: int
    n_channels: int
    n_atoms: int
    n_coordinates: int
    start: float
    image: float
    step: float
    fit: Line
    analyze: Line | None
    report: Line | None
    memory: dict[str, Line]
    n_rows: int
    manifest: Line
    model: int
    page: int


@dataclass(frozen=True)
class Run:
    """A run that is planned.

    Each of `n_workers` has `n_processes` machines, which train a dictionary together; extraction is
    by workers alone. `bandwidth` is in bytes a second of a process; without it sending takes no
    time, which is too little.
    """

    n_images: int
    n_positions: int
    batch_size: int
    n_epochs: int
    n_seeds: int
    dtype_bytes: int = 2
    n_workers: int = 1
    n_processes: int = 1
    bandwidth: float = math.inf

    @property
    def n_rows(self) -> int:
        """Orbits of the store."""
        return self.n_images * self.n_positions

    @property
    def n_training_rows(self) -> int:
        """Orbits to train on: a sixth of the images is held out."""
        return (self.n_images - math.ceil(self.n_images / 6)) * self.n_positions

    @property
    def n_steps(self) -> int:
        """Training steps of a dictionary."""
        return math.ceil(self.n_training_rows / self.batch_size) * self.n_epochs


@dataclass(frozen=True)
class Cost:
    """What a stage takes.

    Attributes
    ----------
    seconds : float
        Until it is done.
    machine_seconds : float
        Of all machines together.
    memory : float
        Most bytes of a process at one time.
    disk : float
        Bytes that it leaves.
    n_files : int
        That it leaves.
    """

    seconds: float
    machine_seconds: float
    memory: float
    disk: float
    n_files: int


def costs_of(rates: Rates, run: Run) -> dict[str, Cost]:
    """What each stage of a run takes; stages that the group has not are left out.

    One machine does all of them in one command, and starts once; several have a command for each.
    """
    rows = run.n_rows
    start_again = rates.start if run.n_workers * run.n_processes > 1 else 0.0
    grown = _MEMORY_A_ROW * rows + _MEMORY_AN_IMAGE * run.n_images
    memory = {name: line.at(min(rows, rates.n_rows)) + grown for name, line in rates.memory.items()}
    extract = rates.image * run.n_images
    # chunks and seeds are shared out whole
    n_chunks = store_chunks(rates, run)
    share = math.ceil(n_chunks / run.n_workers) / n_chunks
    step = rates.step / run.n_processes + sent_in_a_step(rates, run) / run.bandwidth
    fit = rates.fit.at(run.n_training_rows) + step * run.n_steps
    rounds = math.ceil(run.n_seeds / run.n_workers)
    disk, n_files = store_size(rates, run)
    costs = {
        "extract": Cost(
            rates.start + share * extract,
            min(run.n_workers, n_chunks) * rates.start + extract,
            memory["extract"],
            disk + rates.manifest.at(run.n_images),
            n_files,
        ),
        "fit": Cost(
            start_again + rounds * fit,
            run.n_processes * (min(run.n_workers, run.n_seeds) * start_again + run.n_seeds * fit),
            memory["fit"],
            run.n_seeds * rates.model,
            run.n_seeds,
        ),
    }
    last = {"analyze": (rates.analyze, 0, 2), "report": (rates.report, rates.page, 1)}
    for name, (line, size, n_new) in last.items():
        if line is not None:
            seconds = start_again + line.at(rows)
            costs[name] = Cost(seconds, seconds, memory[name], size, n_new)
    return costs


def total(costs: dict[str, Cost]) -> Cost:
    """All stages, one after the other."""
    parts = costs.values()
    return Cost(
        sum(part.seconds for part in parts),
        sum(part.machine_seconds for part in parts),
        max(part.memory for part in parts),
        sum(part.disk for part in parts),
        sum(part.n_files for part in parts),
    )


def sent_in_a_step(rates: Rates, run: Run) -> float:
    """Bytes that each process sends in a step, with ``parallel="data"``."""
    n_bytes = communication_bytes(
        run.n_processes,
        parallel="data",
        n_atoms=rates.n_atoms,
        n_read=rates.n_channels,
        n_columns=rates.n_coordinates,
        n_biases=rates.n_coordinates,
        batch_size=run.batch_size,
        activation="topk",
    )
    return n_bytes / run.n_processes


def store_chunks(rates: Rates, run: Run) -> int:
    """Number of a store's chunks, each of whole images."""
    image = run.n_positions * rates.order * rates.n_channels * run.dtype_bytes
    in_a_chunk = max(1, choose_chunk_bytes(run.n_images * image) // image)
    return math.ceil(run.n_images / in_a_chunk)


def store_size(rates: Rates, run: Run) -> tuple[int, int]:
    """Bytes of a store's chunks, exactly, and the number of the store's files."""
    n_chunks = store_chunks(rates, run)
    row = rates.order * rates.n_channels * run.dtype_bytes + _POSITION
    journal = _JOURNAL_LINE * run.n_images + digits_to(run.n_images)
    return (
        run.n_rows * row + 2 * _HEADER * n_chunks + journal,
        _FILES_A_CHUNK * n_chunks + _FILES_A_STORE,
    )


def digits_to(n: int) -> int:
    """Digits of the numbers 0 to n - 1, written one after the other.

    Examples
    --------
    >>> digits_to(12)  # ten of one digit, two of two
    14
    """
    return sum(max(0, n - (10**d if d else 0)) for d in range(len(str(n))))
