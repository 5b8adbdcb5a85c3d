"""What a run with nothing to do costs, by the number of its steps: a picture, as SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from html import escape

from benches.measure import Row

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 190, 24, 48
_COLOURS = ("#0b6e99", "#d9730d", "#6940a5", "#4d6461", "#ad1a72")

_Point = tuple[float, float]


def steps_plot(rows: Iterable[Row]) -> str:
    """Draw the medians of the rows about steps with nothing to do, both axes logarithmic: a straight line of slope 1
    is a cost that grows as the number of steps does.

    Args:
        rows: All rows; the others are passed over.
    """
    lines = _lines(rows)
    points = [point for line in lines.values() for point in line]
    x_most = math.ceil(max(math.log10(x) for x, _ in points))
    y_least = math.floor(min(math.log10(y) for _, y in points))
    y_most = max(y_least + 1, math.ceil(max(math.log10(y) for _, y in points)))

    def x_at(value: float) -> float:
        return _LEFT + math.log10(value) / x_most * (_WIDTH - _LEFT - _RIGHT)

    def y_at(value: float) -> float:
        return _HEIGHT - _BOTTOM - (math.log10(value) - y_least) / (y_most - y_least) * (_HEIGHT - _TOP - _BOTTOM)

    drawn: list[str] = []
    for power in range(x_most + 1):
        x = x_at(10**power)
        drawn.append(_rule(x, _TOP, x, _HEIGHT - _BOTTOM))
        drawn.append(_text(x, _HEIGHT - _BOTTOM + 18, f"{10**power:,}", "middle"))
    for power in range(y_least, y_most + 1):
        y = y_at(10.0**power)
        drawn.append(_rule(_LEFT, y, _WIDTH - _RIGHT, y))
        drawn.append(_text(_LEFT - 8, y + 4, f"{10.0**power:g} s", "end"))
    drawn.append(
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, "steps, none of which has anything to do", "middle")
    )
    ends: list[float] = []
    for (name, line), colour in zip(lines.items(), _COLOURS, strict=False):
        drawn += _curve([(x_at(x), y_at(y)) for x, y in line], colour)
        ends.append(_free(y_at(line[-1][1]), ends))
        drawn.append(_text(_WIDTH - _RIGHT + 12, ends[-1] + 4, name, "start", colour))
    body = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _lines(rows: Iterable[Row]) -> dict[str, list[_Point]]:
    found: dict[str, list[_Point]] = {}
    for row in rows:
        about = re.fullmatch(r"(fan|chain)-(\d+)", row.id)
        if about is None:
            continue
        for figure in row.figures:
            if figure.role == "floor" or (about[1] == "chain" and figure.role == "peer"):
                continue
            name = figure.name + (", in one chain" if about[1] == "chain" else "")
            found.setdefault(name, []).append((float(about[2]), figure.median))
    return {name: sorted(line) for name, line in found.items()}


def _curve(points: Sequence[_Point], colour: str) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]


def _free(y: float, taken: Sequence[float]) -> float:
    """A place for a name that lies on no other."""
    while any(abs(y - other) < 15 for other in taken):
        y += 15
    return y


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
