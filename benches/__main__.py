"""Run the benchmarks: `python -m benches --size normal`."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
import time
from pathlib import Path

from benches import content, data, engine, pipelines, report, scanning
from benches.measure import Row
from benches.peers import Peers, find_peers
from benches.sizes import SIZES, Sizes

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
GROUPS = {
    "scanning": scanning.rows,
    "content": content.rows,
    "data": data.rows,
    "engine": engine.rows,
    "pipelines": pipelines.rows,
}


def measure(scratch: Path, peers: Peers, sizes: Sizes, groups: list[str]) -> list[Row]:
    """Measure groups of rows.

    Args:
        scratch: A folder to work in; it is made, and must not be there yet.
        peers: Who takes part besides us.
        sizes: How much of everything.
        groups: Which groups, by name.
    """
    rows = []
    for name in groups:
        folder = scratch / name
        folder.mkdir(parents=True)
        print(f"bench: {name}", file=sys.stderr, flush=True)
        rows += GROUPS[name](folder, peers, sizes)
    return rows


def main() -> None:
    """Read the arguments, measure, print the table, and write it down where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benches", description="Measure scriptstep beside its peers.")
    parser.add_argument("--size", choices=SIZES, default="normal", help="how much of everything")
    parser.add_argument("--only", choices=GROUPS, action="append", help="measure this group alone, and write nothing")
    parser.add_argument("--tree", type=Path, help="measure content with this tree, such as the source of Linux")
    parser.add_argument("--no-install", action="store_true", help="take only peers that are installed already")
    options = parser.parse_args()

    began = time.monotonic()
    peers = find_peers(BUILD / "bench-venv", install=not options.no_install)
    # ext4 is slow for minutes after a mass delete: nothing is deleted before all is measured, save what a run left that
    # was broken off.
    scratch = BUILD / "bench"
    shutil.rmtree(scratch, ignore_errors=True)
    sizes = dataclasses.replace(SIZES[options.size], tree=options.tree)
    rows = measure(scratch, peers, sizes, options.only or list(GROUPS))
    print(report.as_table(rows))
    if options.only is None and options.size != "small":
        arguments = "" if options.tree is None else "--tree DIRECTORY"
        report.write(report.as_document(rows, peers, options.size, arguments), rows, HERE)
        print(f"bench: written to {HERE.name}/README.md and results.json", file=sys.stderr)
    print(f"bench: {time.monotonic() - began:.0f} s in all", file=sys.stderr)
    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
