"""The figures as a table in README.md and as results.json; neither names a host, a user or a path."""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from benches.measure import Figure, Row
from benches.peers import Peers
from benches.plot import steps_plot

SCHEMA = 2
BEGIN = "<!-- figures: begin (written by make bench) -->"
END = "<!-- figures: end -->"


def as_document(rows: list[Row], peers: Peers, size: str, arguments: str = "") -> dict[str, Any]:
    """Everything that was measured, as plain data.

    Args:
        rows: The rows.
        peers: Who took part, and who could not.
        size: The name of the sizes.
        arguments: What else the command was told.
    """
    return {
        "schema": SCHEMA,
        "command": f"make bench SIZE={size}" + (f' ARGS="{arguments}"' if arguments else ""),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": {
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "processor": _processor(),
            "system": f"{platform.system()} {platform.release().split('-')[0]}",
            "python": platform.python_version(),
        },
        "versions": {"scriptstep": _own_version(), **peers.versions},
        "absent": peers.absent,
        "rows": [
            {
                "id": row.id,
                "work": row.work,
                "note": row.note,
                "figures": [
                    {
                        "name": figure.name,
                        "role": figure.role,
                        "scope": figure.scope,
                        "unit": figure.unit,
                        "median": round(figure.median, 6),
                        "min": round(min(figure.values), 6),
                        "max": round(max(figure.values), 6),
                        "values": [round(value, 6) for value in figure.values],
                    }
                    for figure in row.figures
                ],
            }
            for row in rows
        ],
    }


def as_table(rows: list[Row]) -> str:
    """A Markdown table: a line for each pair of ours and another of the same scope, with the ratio of their medians."""
    lines = ["| Work | ours | beside | its figure | ours / it |", "|---|---|---|---|---|"]
    for row in rows:
        work = f"**{row.work}**" + (f"<br>{row.note}" if row.note else "")
        for ours in (figure for figure in row.figures if figure.role == "ours"):
            own = f"{ours.name}: {_spread(ours)}"
            others = [figure for figure in row.figures if figure.role != "ours" and figure.scope == ours.scope]
            for other in others:
                name = f"{other.name} (floor)" if other.role == "floor" else other.name
                lines.append(f"| {work} | {own} | {name} | {_spread(other)} | {_ratio(ours.median / other.median)} |")
                work, own = "", ""
            if not others:
                lines.append(f"| {work} | {own} | | | |")
                work = ""
    return "\n".join(lines)


def write(document: dict[str, Any], rows: list[Row], folder: Path) -> None:
    """Put the figures into a folder's README.md, between its markers, and beside it into results.json and steps.svg.

    Args:
        document: What `as_document` made.
        rows: The same rows.
        folder: The folder.

    Raises:
        ValueError: README.md has no markers.
    """
    page = folder / "README.md"
    text = page.read_text("utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page.name} has not both markers: {BEGIN} ... {END}")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    page.write_text(f"{before}{BEGIN}\n\n{_heading(document)}\n\n{as_table(rows)}\n\n{END}{after}", "utf-8")
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    (folder / "steps.svg").write_text(steps_plot(rows), "utf-8")


def _heading(document: dict[str, Any]) -> str:
    machine = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    text = (
        f"`{document['command']}`, {document['date']}: {machine['cores']} cores ({machine['processor']}), "
        f"{machine['system']}, Python {machine['python']}; {versions}."
    )
    if document["absent"]:
        text += " Absent: " + "; ".join(f"{name} ({reason})" for name, reason in document["absent"].items()) + "."
    return text + " Median (least to most) of the turns."


def _spread(figure: Figure) -> str:
    shown = _time if figure.unit == "s" else _memory
    if len(figure.values) == 1:
        return f"{shown(figure.median)} (one turn)"
    return f"{shown(figure.median)} ({shown(min(figure.values))} to {shown(max(figure.values))})"


def _time(seconds: float) -> str:
    for unit, parts in (("us", 1e6), ("ms", 1e3)):
        shown = _significant(seconds * parts, 3)
        if float(shown) < 1000:
            return f"{shown} {unit}"
    return f"{_significant(seconds, 3)} s"


def _memory(count: float) -> str:
    return f"{_significant(count / 1e6, 3)} MB"


def _ratio(value: float) -> str:
    if value < 0.1:
        return _significant(value, 2)
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _significant(value: float, digits: int) -> str:
    """A number with so many digits that count, never as 1e+03."""
    return f"{float(f'{value:.{digits}g}'):.8f}".rstrip("0").rstrip(".")


def _own_version() -> str:
    from importlib.metadata import version

    return version("scriptstep")


def _processor() -> str:
    """The name that the processor gives itself, or its family."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()
