"""``groupcross plan``: what runs over many images would take."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from math import inf
from typing import Any

from tabulate import tabulate

from .._progress import tqdm
from ._arguments import as_json, check_installed
from ._costs import LARGEST_MANIFEST, Cost, Rates, Run, costs_of, sent_in_a_step, total
from ._parsing import Parser
from ._rates import measure_rates
from ._run_parser import add_run

_HOUR = 3600.0
# Bytes a second.
_GBIT = 1e9 / 8


def plan(options: argparse.Namespace) -> None:
    """Run ``groupcross plan``."""
    check_installed("jinja2", "matplotlib")
    rates = {}
    with tqdm(options.group, desc="measuring", unit="group") as groups:
        for group in groups:
            rates[group] = measure_rates(options, _defaults_of_runs(), group)
    plans = [
        plan_of(rates[group], group, run_of(options, n_images), options)
        for group in options.group
        for n_images in options.images
    ]
    if options.json:
        print(
            as_json(
                {"rates": {group: asdict(each) for group, each in rates.items()}, "plans": plans}
            )
        )
        return
    _print(plans, options)


def run_of(options: argparse.Namespace, n_images: int) -> Run:
    """The run over some images that options describe."""
    return Run(
        n_images=n_images,
        n_positions=options.positions,
        batch_size=options.batch_size,
        n_epochs=options.epochs,
        n_seeds=options.seeds,
        dtype_bytes=2 if options.dtype == "float16" else 4,
        n_workers=options.workers,
        n_processes=options.processes,
        bandwidth=inf if options.bandwidth is None else options.bandwidth * _GBIT,
    )


def plan_of(rates: Rates, group: str, run: Run, options: argparse.Namespace) -> dict[str, Any]:
    """What a run takes, stage by stage and in all, as JSON can hold it."""
    costs = costs_of(rates, run)
    return {
        "group": group,
        "order": rates.order,
        "images": run.n_images,
        "orbits": run.n_rows,
        "stages": {name: _with_prices(cost, options) for name, cost in costs.items()},
        "total": _with_prices(total(costs), options),
        "named": rates.analyze is not None,
        "bytes_sent_in_a_step": round(sent_in_a_step(rates, run)),
        "bytes_a_second_in_training": run.batch_size
        * rates.order
        * rates.n_channels
        * run.dtype_bytes
        / rates.step
        if rates.step
        else None,
        "manifest_too_large": rates.manifest.at(run.n_images) > LARGEST_MANIFEST,
    }


def _with_prices(cost: Cost, options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {
        "seconds": cost.seconds,
        "machine_seconds": cost.machine_seconds,
        "memory_bytes": round(cost.memory),
        "disk_bytes": round(cost.disk),
        "files": cost.n_files,
    }
    if options.price_per_hour is not None:
        found["price_of_time"] = cost.machine_seconds / _HOUR * options.price_per_hour
    if options.price_per_gb_month is not None:
        found["price_of_disk_a_month"] = cost.disk / 1e9 * options.price_per_gb_month
    return found


def _print(plans: list[dict[str, Any]], options: argparse.Namespace) -> None:
    headers = ["images", "group", "stage", "time", "machine hours", "memory", "disk", "files"]
    prices = ("price_of_time", "price_of_disk_a_month")
    shown = [name for name in prices if name in plans[0]["total"]]
    headers += [{"price_of_time": "price", "price_of_disk_a_month": "a month"}[n] for n in shown]
    rows: list[list[str]] = []
    for each in plans:
        about = [f"{each['images']:,}", f"{each['group']} ({each['order']})"]
        for name, cost in {**each["stages"], "all": each["total"]}.items():
            rows.append(
                [
                    *about,
                    name,
                    in_time(cost["seconds"]),
                    f"{cost['machine_seconds'] / _HOUR:,.2f}",
                    in_bytes(cost["memory_bytes"]),
                    in_bytes(cost["disk_bytes"]),
                    f"{cost['files']:,}",
                    *(f"{cost[price]:,.2f}" for price in shown),
                ]
            )
            about = ["", ""]
    right = ("left",) * 3 + ("right",) * (len(headers) - 3)
    print(tabulate(rows, headers=headers, disable_numparse=True, colalign=right))
    for note in _notes(plans, options):
        print(f"\n{note}")


def _notes(plans: list[dict[str, Any]], options: argparse.Namespace) -> list[str]:
    notes = []
    if unnamed := [each["group"] for each in plans if not each["named"]]:
        notes.append(
            f"Symmetries of {', '.join(dict.fromkeys(unnamed))} have no names here: they are "
            "extracted by the command line, fitted in Python, and neither analysed nor reported."
        )
    if large := [each["images"] for each in plans if each["manifest_too_large"]]:
        notes.append(
            f"A store's manifest ends at {in_bytes(LARGEST_MANIFEST)}: {min(large):,} images need "
            "several stores."
        )
    rates = [each["bytes_a_second_in_training"] for each in plans]
    if most := max((rate for rate in rates if rate), default=0):
        notes.append(
            f"Training reads up to {in_bytes(most)} a second, here from memory; a store that does "
            "not fit there needs a disk that gives as much."
        )
    if options.processes > 1:
        sent = {each["group"]: in_bytes(each["bytes_sent_in_a_step"]) for each in plans}
        each_group = ", ".join(f"{size} under {group}" for group, size in sent.items())
        untimed = "" if options.bandwidth else " That takes no time here: give --bandwidth."
        notes.append(f"In a step each process of a fit sends {each_group}.{untimed}")
    if options.price_per_hour is None:
        notes.append("--price-per-hour and --price-per-gb-month add what it costs.")
    return notes


def in_time(seconds: float) -> str:
    """A time for a person."""
    for size, unit in ((86400.0, "d"), (_HOUR, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.1f} s"


def in_bytes(n: float) -> str:
    """A number of bytes for a person, by powers of ten."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if n >= size:
            return f"{n / size:,.1f} {unit}"
    return f"{n / 1e3:.1f} kB"


def _defaults_of_runs() -> argparse.Namespace:
    """What ``groupcross run`` takes where nothing is said."""
    parser = Parser()
    add_run(parser.add_subparsers())
    options = parser.parse_args(["run", "."])
    options.typed_command, options.recorded = ["plan"], {}
    return options
