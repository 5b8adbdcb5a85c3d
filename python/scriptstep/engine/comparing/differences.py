"""What differs between two keys, in the words of the one who wrote the step; the most telling difference first."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scriptstep.content import Change, Entry, Manifest
from scriptstep.engine.key import Document
from scriptstep.engine.masking import HIDDEN
from scriptstep.records import dataclass, field

__all__ = ["Difference", "FileDifference", "Packages", "Side", "compare", "reasons"]

# Name to version and digest.
Packages = Mapping[str, tuple[str, str]]

# Beyond this a file's lines are not compared: a reason is worth no wait.
_TEXT_LIMIT = 256 * 1024
_NAMED = 2


@dataclass(frozen=True)
class Side:
    """One of two keys that are compared, with what it takes to tell more than that two digests differ.

    Attributes:
        document: What the key is made of, secrets hidden.
        files: Gives the files that count, or None where nobody knows them any more.
        packages: Gives what was installed, or None where nobody knows that any more.
        root: The folder that holds the files; None where they are not on this machine.
        tree: Gives what a tree that came as an input holds, or None.
    """

    document: Document
    files: Callable[[], Manifest | None] = lambda: None
    packages: Callable[[], Packages | None] = lambda: None
    root: Path | None = None
    tree: Callable[[str], Manifest | None] = lambda _: None


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Attributes:
        kind: What it is: "script", "file", "argument", "param", "parameter", "input", "output", "version", "variable",
            "inherited variable", "package", "python", "system", "framework", "communicator", "node count", "count",
            "environment" or "scheme".
        name: What the user calls it; empty where there is but one of the kind.
        before: How it was; None where it was not there, or where there is no telling.
        after: How it is; likewise.
        words: All of it, in a few words.
        parts: Of an input the names of the files in it that differ, each with what became of it.
    """

    kind: str
    name: str
    before: str | None
    after: str | None
    words: str
    parts: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """All of it in a line."""
        return self.words


@dataclass(frozen=True)
class FileDifference(Difference):
    """A file that differs.

    Attributes:
        change: How.
        roots: The folders that hold it, before and after; None where it is not on this machine.
    """

    change: Change = field(kw_only=True)
    roots: tuple[Path | None, Path | None] = field(kw_only=True)

    @property
    def line(self) -> str:
        """All of it in a line, with how many lines of text came and went."""
        texts = self.texts() if self.change.kind == "changed" else None
        if texts is None:
            return self.words
        added = removed = 0
        for tag, a, b, c, d in difflib.SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
            if tag != "equal":
                removed += b - a
                added += d - c
        return f"{self.words} (+{added} -{removed})"

    def texts(self) -> tuple[list[str], list[str]] | None:
        """Returns: its lines before and after; None where it is no text, is large, or is not on this machine."""
        paths = (self.change.old_path or self.change.path, self.change.path)
        found: list[list[str]] = []
        for root, path, there in zip(self.roots, paths, ("added", "removed"), strict=True):
            if self.change.kind == there:
                found.append([])
                continue
            if root is None:
                return None
            try:
                file = root / path.decode("utf-8", "surrogateescape")
                if file.stat().st_size > _TEXT_LIMIT:
                    return None
                found.append(file.read_text(encoding="utf-8").splitlines())
            except (OSError, ValueError):
                return None
        return found[0], found[1]


def compare(new: Side, old: Side, step_of: Callable[[str], str | None] = lambda _: None) -> list[Difference]:
    """Lists what differs between a step's key and an earlier one.

    Args:
        new: The key now.
        old: The earlier key.
        step_of: Name of the step that writes an input port, or None.

    Returns:
        The differences; none where the documents are equal.
    """
    now, then = new.document, old.document
    found: list[Difference] = []
    if now["scheme"] != then["scheme"]:
        # Other differences may be of how things are written down, not of what they are.
        return [Difference("scheme", "", None, None, "this version of scriptstep keys steps differently")]
    if now["script"] != then["script"]:
        found.append(_scripts(now["script"], then["script"]))
    if now["content"] != then["content"]:
        found += _files(new, old)
    found += _arguments(now["arguments"], then["arguments"])
    found += _mapping("param", now["params"], then["params"], lambda v: _value(v[1]))
    found += _mapping("parameter", now["parameters"], then["parameters"], lambda v: _value(v[1]))
    found += _inputs(new, old, step_of)
    found += _outputs(now["outputs"], then["outputs"])
    found += _values(now, then, "version")
    found += _mapping("variable", now["variables"], then["variables"], _value)
    found += _mapping("inherited variable", now["inherited"], then["inherited"], _value)
    if now["packages"] != then["packages"]:
        found += _packages(new.packages(), old.packages())
    found += _values(now, then, "python", "system", "framework", "communicator", "node_count")
    found += _mapping("count", now["process_counts"], then["process_counts"], str)
    if now["environment"] != then["environment"]:
        names = sorted(
            k
            for k in set(now["environment"]) | set(then["environment"])
            if now["environment"].get(k) != then["environment"].get(k)
        )
        which = f" ({', '.join(names[:3])})" if names else ""
        found.append(Difference("environment", "", None, None, f"the declared environment changed{which}"))
    if now["runtime"] != then["runtime"]:
        found.append(Difference("scheme", "", None, None, "steps see another version of scriptstep"))
    return found


def reasons(found: Sequence[Difference]) -> list[str]:
    """Puts differences into a few words.

    Args:
        found: The differences.

    Returns:
        One line each; of many files or packages the first ones, and how many more there are.
    """
    lines: list[str] = []
    for kind in dict.fromkeys(one.kind for one in found):
        some = [one for one in found if one.kind == kind]
        if kind not in ("file", "package") or len(some) <= _NAMED:
            lines += [one.line for one in some]
        else:
            lines += [*(one.line for one in some[:_NAMED]), f"{len(some) - _NAMED} more {kind}s"]
    return list(dict.fromkeys(lines))


def _values(now: Document, then: Document, *names: str) -> list[Difference]:
    found: list[Difference] = []
    for name in names:
        if now[name] != then[name]:
            told = name.replace("_", " ")
            before, after = str(then[name]), str(now[name])
            found.append(Difference(told, "", before, after, f"{told} {before} -> {after}"))
    return found


def _scripts(new: str | list[str], old: str | list[str]) -> Difference:
    if isinstance(new, str) and isinstance(old, str):
        return Difference("script", "", old, new, f"script {old} -> {new}")
    before, after = (f"script {s}" if isinstance(s, str) else f"a command, as {s[1]}" for s in (old, new))
    return Difference("script", "", before, after, f"{before} -> {after}")


def _files(new: Side, old: Side) -> list[Difference]:
    now, then = new.files(), old.files()
    changes = [] if now is None or then is None else then.diff(now)
    if now is None or not changes:
        return [Difference("file", "", None, None, "files of the source directory changed")]
    roots = (old.root, new.root)
    return [
        FileDifference("file", _name(c.path), None, None, _change(c, now.get(c.path)), change=c, roots=roots)
        for c in changes
    ]


def _change(change: Change, entry: Entry | None) -> str:
    name = _name(change.path)
    if change.kind == "renamed" and change.old_path is not None:
        return f"{_name(change.old_path)} renamed to {name}"
    if change.kind == "mode":
        return f"{name} {'made executable' if entry and entry.kind == 'executable' else 'no longer executable'}"
    return f"{name} {change.kind}"


def _name(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _arguments(new: list[list[list[str]]], old: list[list[list[str]]]) -> list[Difference]:
    if new == old:
        return []
    found: list[Difference] = []
    a, b = ([tuple(map(tuple, argument)) for argument in side] for side in (old, new))
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "replace" and j - i == m - k:
            # As many as before: one was put in the place of each.
            found += [_argument(old[i + n : i + n + 1], new, k + n, k + n + 1) for n in range(j - i)]
        elif tag != "equal":
            found.append(_argument(old[i:j], new, k, m))
    return found


def _argument(old: list[list[list[str]]], new: list[list[list[str]]], start: int, end: int) -> Difference:
    flag = next((x for x in map(_told, new[max(start - 1, 0) : start]) if x.startswith("-") and "=" not in x), "")
    before, after = (" ".join(map(_told, some)) or "(none)" for some in (old, new[start:end]))
    # One that is a flag itself says what it is.
    is_flag = before.startswith("-") and after.startswith("-")
    if is_flag:
        flag = after.partition("=")[0] if "=" in after else ""
    what = "" if is_flag else flag or "argument"
    change = f"{before} -> {after}" if before != after else f"{flag} changed" if is_flag else "changed"
    return Difference("argument", flag, before, after, f"{what} {change}".strip())


def _told(argument: list[list[str]]) -> str:
    told = {"text": "{}", "secret": HIDDEN}
    return "".join(told.get(kind, "<{}>").format(value) for kind, value in argument) or "''"


def _value(value: Any) -> str:
    """Returns: a value of the document as the user knows it."""
    return HIDDEN if isinstance(value, Mapping) and "secret" in value else str(value)


def _mapping(kind: str, new: Mapping[str, Any], old: Mapping[str, Any], told: Callable[[Any], str]) -> list[Difference]:
    found: list[Difference] = []
    for name in sorted(set(new) | set(old)):
        before = told(old[name]) if name in old else None
        after = told(new[name]) if name in new else None
        if name not in old:
            found.append(Difference(kind, name, None, after, f"{kind} {name} added"))
        elif name not in new:
            found.append(Difference(kind, name, before, None, f"{kind} {name} removed"))
        elif new[name] != old[name]:
            words = f"{kind} {name} {before} -> {after}" if before != after else f"{kind} {name} changed"
            found.append(Difference(kind, name, before, after, words))
    return found


def _outputs(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[Difference]:
    found: list[Difference] = []
    for name in sorted(set(new) | set(old)):
        if name not in old or name not in new:
            words = f"output {name} {'added' if name in new else 'removed'}"
            found.append(Difference("output", name, None, None, words))
            continue
        parts = [part for part in new[name] if new[name][part] != old[name].get(part)]
        if parts:
            before, after = (", ".join(f"{part} {side[name].get(part)}" for part in parts) for side in (old, new))
            found.append(Difference("output", name, before, after, f"output {name}: {before} -> {after}"))
    return found


def _inputs(new: Side, old: Side, step_of: Callable[[str], str | None]) -> list[Difference]:
    found: list[Difference] = []
    now, then = new.document["inputs"], old.document["inputs"]
    for name in sorted(set(now) | set(then)):
        if name not in then or name not in now:
            words = f"input {name} {'added' if name in now else 'removed'}"
            found.append(Difference("input", name, None, None, words))
        elif now[name]["identity"] != then[name]["identity"]:
            step = step_of(name)
            words = f"the output of {step} changed" if step else f"input {name} changed"
            parts = _within(now[name]["identity"], then[name]["identity"], new, old)
            found.append(Difference("input", name, None, None, words, parts))
        elif now[name] != then[name]:
            before, after = then[name].get("label"), now[name].get("label")
            if before and after and before != after:
                words = f"input {name} is called {after}, not {before}"
                found.append(Difference("input", name, before, after, words))
            else:
                found.append(Difference("input", name, None, None, f"input {name} is handed on differently"))
    return found


def _within(now: Mapping[str, Any], then: Mapping[str, Any], new: Side, old: Side) -> tuple[str, ...]:
    """Returns: which files of an input differ, where both sides are known."""
    if now["from"] == then["from"] == "files":
        a, b = dict(then["content"]), dict(now["content"])
        words = {True: "added", False: "removed"}
        return tuple(
            f"{name} {'changed' if name in a and name in b else words[name in b]}"
            for name in sorted(set(a) | set(b))
            if a.get(name) != b.get(name)
        )
    if not (now["from"] == then["from"] == "step" and now["content"] and then["content"]):
        return ()
    after, before = new.tree(now["content"]), old.tree(then["content"])
    if after is None or before is None:
        return ()
    return tuple(_change(c, after.get(c.path)) for c in before.diff(after) if c.path)


def _packages(new: Packages | None, old: Packages | None) -> list[Difference]:
    unknown = Difference("package", "", None, None, "installed packages changed")
    if new is None or old is None:
        return [unknown]
    found: list[Difference] = []
    for name in sorted(set(new) | set(old)):
        before, after = (side[name][0] if name in side else None for side in (old, new))
        if name not in old:
            found.append(Difference("package", name, None, after, f"{name} {after} installed"))
        elif name not in new:
            found.append(Difference("package", name, before, None, f"{name} {before} removed"))
        elif new[name] != old[name]:
            words = f"{name} {before} -> {after}" if before != after else f"{name} {after} changed"
            found.append(Difference("package", name, before, after, words))
    return found or [unknown]
