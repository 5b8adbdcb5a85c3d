"""A graph as a picture: a box a step, its verdict in words and colour, an arrow for what needs what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from scriptstep.console.text import cells, clip, html_of

__all__ = ["picture"]

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _LETTER = 150, 40, 24, 36, 7
_MOST_LETTERS = 40
_COLOURS = {
    "reused": "#cfe8f3",
    "run": "#ffe3b3",
    "run?": "#fff5dd",
    "stuck": "#f7c6c5",
    "ran": "#d3ecd0",
    "failed": "#f7c6c5",
}
_OTHER = "#eeeeee"


def picture(nodes: Sequence[tuple[str, str, str]], above: Mapping[str, Collection[str]]) -> str:
    """Draws a graph.

    Args:
        nodes: Id, name and verdict of each node, those before that others need.
        above: For each node, the nodes that it needs.

    Returns:
        SVG, to stand in a page.
    """
    layers: list[list[tuple[str, str, str]]] = []
    depth: dict[str, int] = {}
    for node in nodes:
        depth[node[0]] = level = 1 + max((depth[n] for n in above.get(node[0], ()) if n in depth), default=-1)
        layers += [[] for _ in range(level + 1 - len(layers))]
        layers[level].append(node)
    longest = max((min(cells(name), _MOST_LETTERS) for _, name, _ in nodes), default=0)
    width = max(_WIDTH, longest * _LETTER + 20)
    broadest = max((len(layer) for layer in layers), default=0)
    full = broadest * (width + _GAP_X)
    places: dict[str, tuple[float, float]] = {}
    boxes: list[str] = []
    for row, layer in enumerate(layers):
        left = (full - len(layer) * (width + _GAP_X)) / 2 + _GAP_X / 2
        for column, (node_id, name, verdict) in enumerate(layer):
            x, y = left + column * (width + _GAP_X), row * (_HEIGHT + _GAP_Y) + 4
            places[node_id] = (x + width / 2, y)
            boxes.append(_box(x, y, width, clip(name, _MOST_LETTERS), verdict))
    arrows = [
        f'<path d="M{places[n][0]:.0f} {places[n][1] + _HEIGHT:.0f} L{places[node][0]:.0f} {places[node][1]:.0f}" '
        'stroke="#777" fill="none" marker-end="url(#scriptstep-arrow)"/>'
        for node, _, _ in nodes
        for n in sorted(above.get(node, ()))
        if n in places
    ]
    height = len(layers) * (_HEIGHT + _GAP_Y)
    head = (
        '<defs><marker id="scriptstep-arrow" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#777"/></marker></defs>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{full:.0f}" height="{height:.0f}" '
        f'font-family="sans-serif" font-size="12">{head}{"".join(arrows)}{"".join(boxes)}</svg>'
    )


def _box(x: float, y: float, width: float, name: str, verdict: str) -> str:
    middle = x + width / 2
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_HEIGHT}" rx="5" '
        f'fill="{_COLOURS.get(verdict, _OTHER)}" stroke="#777"/>'
        f'<text x="{middle:.0f}" y="{y + 17:.0f}" text-anchor="middle">{html_of(name)}</text>'
        f'<text x="{middle:.0f}" y="{y + 32:.0f}" text-anchor="middle" fill="#555">{html_of(verdict)}</text>'
    )
