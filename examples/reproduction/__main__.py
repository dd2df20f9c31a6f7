"""``python -m examples.reproduction``: the study, or some of its stages."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path

import pandas as pd

from ._config import DEFAULT, SCALES, read_config
from ._stages import STAGES, draw_stage, run_stage
from ._study import Study
from .claims import beside_full, judge


def main() -> int:
    options = _parse()
    scale = "quick" if options.quick else options.scale
    study = Study(
        read_config(options.config, scale), options.work / scale, options.images, options.weights
    )
    tables_of, figures_of = (options.results / what / scale for what in ("tables", "figures"))
    chosen = [stage for stage in STAGES if not options.stages or stage.name in options.stages]
    for stage in chosen:
        print(f"{stage.name}: {stage.question}", flush=True)
        start = time.perf_counter()
        command = f"python -m examples.reproduction --scale {scale} --stages {stage.name}"
        tables = run_stage(stage, study, tables_of, command, again=options.again)
        for figure in draw_stage(stage, tables, figures_of):
            print(f"  {figure}")
        print(f"  {time.perf_counter() - start:.0f} s", flush=True)
    verdicts = judge(tables_of)
    print(verdicts.to_string(index=False))
    of_full = tables_of.with_name("full") / "verdicts.csv"
    if scale != "full" and of_full.exists():
        table = beside_full(verdicts, pd.read_csv(of_full))
        table.to_csv(tables_of / "verdicts-beside-full.csv", index=False)
    return 0


def _parse() -> argparse.Namespace:
    data = os.environ.get("GROUPCROSS_DATA")
    parser = argparse.ArgumentParser(
        prog="python -m examples.reproduction",
        description="Repeat the study of docs/reproduction. What is done is not done again.",
    )
    add = parser.add_argument
    add("--scale", choices=SCALES, default="full", help="section of the configuration")
    add("--quick", action="store_true", help="short for --scale quick: shorter fits, claims alone")
    add("--stages", nargs="+", choices=[stage.name for stage in STAGES], metavar="STAGE",
        help="default: all; " + ", ".join(stage.name for stage in STAGES))  # fmt: skip
    add("--images", type=Path, default=data and Path(data, "images"),
        help="folder of photographs (default: images in $GROUPCROSS_DATA)")  # fmt: skip
    add("--weights", type=Path, default=data and Path(data, "bvlc_googlenet.safetensors"),
        help="of bvlc_googlenet (default: in $GROUPCROSS_DATA); others are downloaded")  # fmt: skip
    add("--work", type=Path, default=Path("reproduction-work"),
        help="folder for orbits and dictionaries, 25 GB (default: %(default)s)")  # fmt: skip
    add("--results", type=Path, default=Path("reproduction-results"),
        help="folder for tables and figures (default: %(default)s)")  # fmt: skip
    add(
        "--config",
        type=Path,
        default=DEFAULT,
        help="configuration file (default: config.toml here)",
    )
    add("--again", action="store_true", help="measure again what is measured; kept fits stay")
    options = parser.parse_args()
    if options.images is None:
        parser.error(
            "no photographs: give --images FOLDER (and --weights FILE), or set GROUPCROSS_DATA to "
            f"a folder with both. See {shlex.quote(str(Path(__file__).with_name('README.md')))}."
        )
    return options


if __name__ == "__main__":
    sys.exit(main())
