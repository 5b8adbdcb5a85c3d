"""What a step read from outside its copy, inputs and environment: notes and traces of an attempt, judged after it."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from scriptstep.console.text import columns, count, escaped, listed, typed
from scriptstep.engine.auditing.places import Places
from scriptstep.engine.executors.strace import Traced, why_not_traced
from scriptstep.records import asdict, dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AuditMode", "AuditReport", "Finding", "NEVER_SEEN", "judge", "read_notes", "unaudited"]

AuditMode: TypeAlias = Literal["report", "strict"]

NEVER_SEEN = "environment variables that are read, whether files are there (stat), the clock, random numbers, the GPU"

_SHOWN = 8
_KEPT = 1000  # findings that stand in the history; the file beside the step's logs has all
_COMPILED = re.compile(r"__pycache__[/\\]([^/\\]+?)\.[\w-]+(?:\.opt-\d)?\.pyc$")
_LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+$|::1$|localhost$|0\.0\.0\.0$")
_NAME_SERVER = 53
# Times of files go by a clock that is some milliseconds behind.
_CLOCK_S = 0.01
_PYTHON = re.compile(r"(python|pypy)[\d.]*$")

Note = Mapping[str, Any]
# What each kind of note holds, at least: a step can write into its notes, and must not stop the coordinator by that.
_NOTES: dict[str, dict[str, type]] = {
    "python": {"executable": str, "prefixes": list, "library": str, "site": list},
    "read": {"how": str, "path": str, "real": str, "changed": float, "who": str},
    "made": {"real": str},
    "moved": {"source": str, "real": str},
    "connected": {"host": str, "port": int, "who": str},
    "bound": {"port": int},
    "started": {"path": str, "comes_by": bool, "who": str},
}


@dataclass(frozen=True)
class Finding:
    """Something that a step read from outside.

    Attributes:
        how: "opened", "listed", "imported", "loaded" (a library), "started" (a program) or "connected to".
        what: A path, or an address with its port.
        where: File and line of the step's own code, nearest to the reading; None where there is none, or it is unknown.
        program: The program that did it, where it was not seen from inside Python; else None.
    """

    how: str
    what: str
    where: str | None = None
    program: str | None = None


@dataclass(frozen=True)
class AuditReport:
    """What an audit found of one attempt.

    Attributes:
        findings: What was read from outside, in the order that it was.
        unseen: Programs that were started, and not watched.
        natively: Whether native code and other programs were watched.
    """

    findings: tuple[Finding, ...]
    unseen: tuple[str, ...]
    natively: bool

    def to_json(self) -> dict[str, Any]:
        """Returns: it as plain data; what comes of JSON again is for `from_json`."""
        return {"version": 1, **asdict(self)}

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> AuditReport:
        """Returns: what `to_json` wrote."""
        return AuditReport(
            tuple(Finding(**finding) for finding in found["findings"]), tuple(found["unseen"]), bool(found["natively"])
        )

    def save(self, path: Path) -> None:
        """Writes it all into a file.

        Args:
            path: The file.
        """
        path.write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")

    def kept(self) -> dict[str, Any]:
        """Returns: it as it stands in the details of a step run."""
        return {"audit": replace(self, findings=self.findings[:_KEPT]).to_json()}

    def condition(self) -> dict[str, Any]:
        """Returns: what a result keeps of it, by which a later audit knows whether it need not run the step again."""
        return {"audit": {"findings": len(self.findings), "natively": self.natively}}

    def summary(self) -> str:
        """Returns: what came of it, in a few words."""
        told = f"audit: {count(len(self.findings), 'finding')}" if self.findings else "audit: clean"
        return f"{told}, but for {listed(self.unseen)}, not watched" if self.unseen else told

    def told(self, step: str, whole: str | os.PathLike[str]) -> str:
        """Tells the findings.

        Args:
            step: Name of the step.
            whole: The file that holds them all.

        Returns:
            Lines: the first findings, and where the rest is.
        """
        things = count(len(self.findings), "thing")
        rows = [
            (f.where or f"{f.program or 'a library'}:", f.how, escaped(typed(f.what))) for f in self.findings[:_SHOWN]
        ]
        lines = [f"step '{step}' read {things} from outside its copy, inputs and environment"]
        lines += [f"  {line}" for line in columns(rows, gap=2)]
        if len(self.findings) > _SHOWN:
            lines.append(f"  and {len(self.findings) - _SHOWN:,} more: {typed(whole)}")
        if self.unseen:
            lines.append(f"  not watched: {listed(self.unseen)}")
        return "\n".join(lines)


def read_notes(path: Path) -> list[Note]:
    """Reads what the Python processes of an attempt noted.

    Args:
        path: The file; it need not be there.

    Returns:
        The notes, in order; a line that is none is passed over.
    """
    notes: list[Note] = []
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return []
    for line in text.split("\n"):
        try:
            note = ast.literal_eval(line)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        wanted = _NOTES.get(str(note.get("do"))) if isinstance(note, dict) else None
        if wanted is not None and all(isinstance(note.get(name), kind) for name, kind in wanted.items()):
            notes.append(note)
    return notes


def judge(
    notes: Sequence[Note], traces: Iterable[Traced], places: Places, program: str, started: float, natively: bool
) -> AuditReport:
    """Finds what was read from outside.

    Args:
        notes: What Python processes noted.
        traces: What strace saw.
        places: What is inside.
        program: What the attempt began with.
        started: When the attempt began, seconds since the epoch.
        natively: Whether strace watched.

    Returns:
        The report.
    """
    judged = _Judge(places, started)
    traced = list(traces)
    judged.take_bound([*(n["port"] for n in notes if n["do"] == "bound"), *(t.port for t in traced if t.do == "bound")])
    for note in notes:
        judged.take_note(note)
    for trace in traced:
        judged.take_trace(trace)
    unseen = () if natively else tuple(dict.fromkeys(_unseen(notes, program)))
    return AuditReport(tuple(judged.found.values()), unseen, natively)


def unaudited(condition: Any, mode: AuditMode) -> str | None:
    """Tells why a result of an earlier attempt does not do for an audit.

    Args:
        condition: What the result keeps of its audit, or None.
        mode: What was asked for.

    Returns:
        The reason, or None where it does.
    """
    if condition is None:
        return "its result was not audited"
    if mode == "strict" and condition["findings"]:
        return f"the audit of its result had {count(condition['findings'], 'finding')}"
    if why_not_traced() is None and not condition["natively"]:
        return "its result was audited without strace"
    return None


def _unseen(notes: Sequence[Note], program: str) -> Iterator[str]:
    heard = {os.path.realpath(note["executable"]) for note in notes if note["do"] == "python"}
    started = [(note["path"], note["comes_by"]) for note in notes if note["do"] == "started"]
    for path, comes_by in [(program, True), *started]:
        name = os.path.basename(path)
        if not (comes_by and _PYTHON.match(name) and os.path.realpath(path) in heard):
            yield name


class _Judge:
    def __init__(self, places: Places, started: float) -> None:
        self._places, self._started = places, started
        self._made: set[str] = set()
        self._known: set[str] = set()  # real paths that Python's own notes tell of
        self._bound: set[int] = set()
        self.found: dict[tuple[str, ...], Finding] = {}

    def take_bound(self, ports: Iterable[int]) -> None:
        """Takes ports that the step listens on, perhaps: what it says to itself is not from outside."""
        self._bound |= set(ports)

    def take_note(self, note: Note) -> None:
        do = note["do"]
        if do == "made":
            self._made.add(note["real"])
        elif do == "moved":
            if self._is_own(note["source"]):
                self._made.add(note["real"])
        elif do == "read":
            self._known.add(note["real"])
            how = note["how"]
            if how == "looked" or note["who"] == "scriptstep" or self._is_own(note["real"], note["changed"]):
                return
            self._take_file(
                "connected to" if how == "connected" else how, note["path"], note["real"], note.get("where")
            )
        elif do == "connected" and note["who"] != "scriptstep":
            self._take_connection(note["host"], note["port"], note.get("name"), note.get("where"))
        elif do == "started" and note["who"] != "scriptstep":
            real = os.path.realpath(note["path"])
            self._known.add(real)
            if not self._is_own(real, _changed(real)):
                self._take_file("started", note["path"], real, note.get("where"))

    def take_trace(self, trace: Traced) -> None:
        program = os.path.basename(trace.program) or None
        if trace.do == "made":
            self._made.add(trace.real)
        elif trace.do == "connected" and trace.host:
            self._take_connection(trace.host, trace.port, None, None, program)
        elif trace.do in ("read", "started", "connected") and trace.real not in self._known:
            changed = _changed(trace.real)
            is_gone = changed is None and self._places.is_temporary(trace.real)
            if not is_gone and not self._is_own(trace.real, changed):
                how = {"read": "opened", "connected": "connected to"}.get(trace.do, trace.do)
                how = "listed" if how == "opened" and os.path.isdir(trace.real) else how
                self._take_file(how, trace.path, trace.real, None, program)

    def _is_own(self, real: str, changed: float | None = None) -> bool:
        """Returns: whether the step itself made a file or folder, or one that it is in.

        A temporary one that came to be meanwhile is taken for its own, too: native code may have made it.
        """
        if changed is not None and changed >= self._started - _CLOCK_S and self._places.is_temporary(real):
            return True
        while real not in self._made:
            above = os.path.dirname(real)
            if above == real:
                return False
            real = above
        return True

    def _take_file(self, how: str, path: str, real: str, where: str | None, program: str | None = None) -> None:
        if self._places.holds(path, real):
            return
        for root, python in self._places.strangers.items():
            if (real + os.sep).startswith(root):
                how, path, program = "started", python, None
                break
        shown = _COMPILED.sub(r"\1.py", path)
        self.found.setdefault((shown,), Finding(how, shown, where, program))

    def _take_connection(
        self, host: str, port: int, name: str | None, where: str | None, program: str | None = None
    ) -> None:
        if port in (0, _NAME_SERVER) or (_LOOPBACK.match(host) and self._bound & {port, 0}):
            return
        shown = f"[{host}]" if ":" in host else host
        what = f"{name}:{port} ({shown})" if name and name != host else f"{shown}:{port}"
        self.found.setdefault((host, str(port)), Finding("connected to", what, where, program))


def _changed(path: str) -> float | None:
    try:
        return os.stat(path).st_ctime
    except OSError:
        return None
