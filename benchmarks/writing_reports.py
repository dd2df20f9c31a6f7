"""What writing the explorer of a run takes, part by part.

    python benchmarks/writing_reports.py RESULTS/crosscoder.safetensors [--alone] [--out PAGE.html]

The model lies in the folder of a run, with its orbits, images and network at hand. It is analysed
first, which is not timed. Then the page is written, beside the run's second seed unless --alone is
given: seconds of processor time of the whole and of its parts, of which some lie within others, and
the peak of resident memory, which holds what the analysis left.
"""

from __future__ import annotations

import argparse
import functools
import resource
import tempfile
import time
from pathlib import Path

from sklearn_groupcross.cli import _report as stage
from sklearn_groupcross.cli._parser import make_parser
from sklearn_groupcross.cli._record import processor
from sklearn_groupcross.report import ReportSubject, _excitation, _pictures, _report, write_report

#: Functions that are timed, and what they do.
PARTS = {
    (_report, "compare"): "matching two dictionaries",
    (_report, "strongest_blocks"): "finding strongest inputs",
    (_excitation, "measure_responses"): "measuring responses",
    (_report, "place_pictures"): "making pictures",
    (_report, "maps_of_firing"): "finding where features fire",
    (_pictures, "activations_around"): "of which reading the network",
    (_report, "blocks_atlas"): "transform blocks",
    (_report, "describe_dictionary"): "describing features",
    (_report, "assemble"): "putting the page together",
}


def timed(function, taken):
    """A function that adds its processor time to a list."""

    @functools.wraps(function)
    def call(*arguments, **options):
        started = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            taken.append(time.process_time() - started)

    return call


def subjects_of(model: Path, *, alone: bool):
    """What the stage of a run gives to `write_report`: of the model, and of the second seed."""
    options = make_parser().parse_args(["report", str(model), "--overwrite"])
    subject = stage.subject_of(options.model, options.orbits, options.others, verify=False)
    stage._take_settings_of_analysis(options, model.parent)
    dataset = stage.images_of(options, subject.store)
    found = stage.measured_as(subject, options)
    first = stage.shown_of(found, subject, dataset)
    second = None if alone else stage.other_of(found, subject, options, dataset)
    for shown in (first, second):
        if shown is not None and hasattr(shown["analysis"], "distances_"):
            shown["analysis"].embedding_  # noqa: B018  the first map of a process compiles UMAP
    return first, second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    first, second = subjects_of(options.model, alone=options.alone)
    taken = {words: [] for words in PARTS.values()}
    for (module, name), words in PARTS.items():
        setattr(module, name, timed(getattr(module, name), taken[words]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.html") if options.out is None else options.out
        started = time.process_time()
        write_report(path, **first, other=None if second is None else ReportSubject(**second))
        whole = time.process_time() - started
    print(f"{processor()}\n\n| part | processor s |\n|---|---|")
    for words, seconds in taken.items():
        print(f"| {words} | {sum(seconds):.1f} |")
    print(f"| all of it | {whole:.1f} |")
    print(f"\npeak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
