"""Why a step runs or is reused, as a page to read: every difference, with the lines that changed."""

from __future__ import annotations

import difflib
from html import escape
from typing import TYPE_CHECKING, Any

from scriptstep.console.text import ago, columns, count, escaped
from scriptstep.engine.comparing.differences import Difference, FileDifference

if TYPE_CHECKING:
    from scriptstep.engine.comparing.explanation import Explanation

__all__ = ["Explained"]

_JSON_VERSION = 1
# Beyond so many lines a file's changes are counted, not shown; `--full` shows all.
_LINES_A_FILE = 40
_FILES_SHOWN = 12
_PARTS_SHOWN = 8
_CONTEXT = 1


class Explained:
    """Why a step would run, ran, or was reused. Shown as a page.

    Args:
        explanation: What was found.

    Attributes:
        step: The step's name.
        verdict: What became of it or would, e.g. "would run".
        reasons: The reasons of the verdict, one text each.
        differences: Every difference from what it was compared with.
    """

    def __init__(self, explanation: Explanation) -> None:
        self._found = explanation
        self.step = explanation.step
        self.verdict = explanation.verdict
        self.reasons = explanation.reasons
        self.differences: tuple[Difference, ...] = explanation.differences

    def text(self, full: bool = False) -> str:
        """Lays it out for a terminal.

        Args:
            full: Show every line that changed, however many there are.

        Returns:
            Lines.
        """
        found, baseline = self._found, self._found.baseline
        lines = [f"{escaped(self.step)} {self.verdict}: {self._head()}"]
        if baseline is None or not found.differences:
            lines += [f"  {escaped(reason)}" for reason in self.reasons]
        body: list[str] = []
        rows = [self._row(one) for one in found.differences]
        for one, line in zip(found.differences, columns(rows), strict=True):
            body.append(f"  {line}")
            body += self._details(one, full)
        if body:
            lines += ["", *_shortened(body, found.differences, full)]
            beyond = [reason for reason in self.reasons if self._is_beyond(reason)]
            lines += [""] if beyond else []
            lines += [f"  {escaped(reason)}" for reason in beyond]
        if found.secrets:
            lines += ["", f"  not compared: {', '.join(map(escaped, found.secrets))} (secret)"]
        if found.same:
            lines += ["", f"  the same: {', '.join(map(escaped, found.same))}"]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Returns: it as plain data; `scriptstep explain --help` describes it."""
        baseline = self._found.baseline
        return {
            "version": _JSON_VERSION,
            "step": self.step,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "against": None if baseline is None else baseline.label,
            "same_key": self._found.same_key,
            "differences": [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "before": one.before,
                    "after": one.after,
                    "what": one.line,
                    "parts": list(one.parts),
                    "diff": _unified(one),
                }
                for one in self.differences
            ],
            "not_compared": list(self._found.secrets),
        }

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<{self.step} {self.verdict}: {self._head()}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"

    def _head(self) -> str:
        found, baseline = self._found, self._found.baseline
        if baseline is None:
            return "there is no earlier result to compare it with"
        when = f", {ago(baseline.created)}" if baseline.created else ""
        why = f" ({baseline.why})" if baseline.why else ""
        if found.differences:
            return f"{count(len(found.differences), 'difference')} from {escaped(baseline.label)}{when}{why}"
        if found.same_key or not baseline.elsewhere:
            return f"nothing differs from {escaped(baseline.label)}{when}{why}"
        return f"nothing that can be compared differs from {escaped(baseline.label)}, and yet the keys do"

    def _is_beyond(self, reason: str) -> bool:
        """Whether a reason is none of the differences: a condition, or the user's own word."""
        return not any(reason == one.line or reason.endswith(f"more {one.kind}s") for one in self.differences)

    def _row(self, one: Difference) -> tuple[str, str, str]:
        if isinstance(one, FileDifference):
            words = one.line.removeprefix(one.name).strip()
            return "file", escaped(one.name), escaped(words)
        if one.before is None and one.after is None:
            return one.kind, escaped(one.name), escaped(one.line if not one.name else _without(one))
        before, after = (escaped(v) if v is not None else None for v in (one.before, one.after))
        if before == after:
            return one.kind, escaped(one.name), escaped(_without(one))
        if self._found.baseline is not None and self._found.baseline.elsewhere:
            return one.kind, escaped(one.name), f"{after or 'none'} here, {before or 'none'} there"
        if before is None or after is None:
            return one.kind, escaped(one.name), f"{after} added" if before is None else f"{before} removed"
        return one.kind, escaped(one.name), f"{before} -> {after}"

    def _details(self, one: Difference, full: bool) -> list[str]:
        lines = [f"      {escaped(part)}" for part in (one.parts if full else one.parts[:_PARTS_SHOWN])]
        if len(one.parts) > len(lines):
            lines.append(f"      and {len(one.parts) - len(lines):,} more")
        if isinstance(one, FileDifference) and one.change.kind in ("changed", "renamed"):
            changed = _changed_lines(one)
            shown = changed if full or len(changed) <= _LINES_A_FILE else changed[:_LINES_A_FILE]
            lines += [f"    {line}" for line in shown]
            if len(changed) > len(shown):
                lines.append(f"      and {count(len(changed) - len(shown), 'more line')}: --full shows them")
        return lines


def _shortened(body: list[str], differences: tuple[Difference, ...], full: bool) -> list[str]:
    """Leaves out the files beyond the first ones; how many they are is said."""
    heads = [at for at, line in enumerate(body) if line.startswith("  file ")]
    if full or len(heads) <= _FILES_SHOWN:
        return body
    first = heads[_FILES_SHOWN]
    rest = next((at for at in range(heads[-1] + 1, len(body)) if not body[at].startswith("    ")), len(body))
    left = sum(1 for one in differences if one.kind == "file") - _FILES_SHOWN
    return [*body[:first], f"  and {count(left, 'more file')}: --full shows them", *body[rest:]]


def _without(one: Difference) -> str:
    """Returns: what became of something, without saying again what it is."""
    for lead in (f"{one.kind} {one.name} ", f"{one.name} "):
        if one.words.startswith(lead):
            return one.words.removeprefix(lead)
    return one.words


def _changed_lines(one: FileDifference) -> list[str]:
    """Returns: the lines that came and went, numbered, with one line around them."""
    texts = one.texts()
    if texts is None:
        return []
    old, new = texts
    width = len(str(max(len(old), len(new), 1)))
    lines: list[str] = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT):
        lines += [" " * width + " ..."] if lines else []
        for tag, a, b, c, d in group:
            if tag == "equal":
                lines += [f"{at + 1:>{width}}   {escaped(old[at])}" for at in range(a, b)]
                continue
            lines += [f"{at + 1:>{width}} - {escaped(old[at])}" for at in range(a, b)]
            lines += [f"{at + 1:>{width}} + {escaped(new[at])}" for at in range(c, d)]
    return lines


def _unified(one: Difference) -> str | None:
    if not isinstance(one, FileDifference) or (texts := one.texts()) is None:
        return None
    before, after = (
        (p or one.change.path).decode("utf-8", "surrogateescape") for p in (one.change.old_path, one.change.path)
    )
    return "\n".join(difflib.unified_diff(texts[0], texts[1], before, after, lineterm=""))
