"""What differs between two keys, in the words of the one who wrote the step; the most telling difference first."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scriptstep.content import Change, Entry, Manifest
from scriptstep.engine.key import Document

__all__ = ["FileSide", "Packages", "differences"]

# A manifest, and the folder that holds its files.
FileSide = tuple[Manifest, Path]
# Name to version and digest.
Packages = Mapping[str, tuple[str, str]]

# Beyond this a file's lines are not compared: a reason is worth no wait.
_TEXT_LIMIT = 256 * 1024
_NAMED = 2


def differences(
    new: Document,
    old: Document,
    *,
    files: Callable[[], tuple[FileSide, FileSide] | None],
    packages: Callable[[], tuple[Packages, Packages] | None],
    step_of: Callable[[str], str | None],
) -> list[str]:
    """Lists what differs between a step's key and an earlier one.

    Args:
        new: The document of the key now.
        old: The document of the earlier key.
        files: Gives the contents now and then, or None where one is gone; asked only if they differ.
        packages: Gives what is installed now and was then, or None where that is gone; asked only if they differ.
        step_of: Name of the step that writes an input port, or None.

    Returns:
        One line a difference; empty where the documents are equal.
    """
    found: list[str] = []
    if new["script"] != old["script"]:
        found.append(_scripts(new["script"], old["script"]))
    if new["content"] != old["content"]:
        found += _files(files())
    found += _arguments(new["arguments"], old["arguments"])
    found += _mapping("param", new["params"], old["params"], lambda v: str(v[1]))
    found += _mapping("parameter", new["parameters"], old["parameters"], lambda v: str(v[1]))
    found += _inputs(new["inputs"], old["inputs"], step_of)
    found += _mapping("output", new["outputs"], old["outputs"], lambda v: "declared anew")
    if new["version"] != old["version"]:
        found.append(f"version {old['version']} -> {new['version']}")
    found += _mapping("variable", new["variables"], old["variables"], str)
    found += _mapping("inherited variable", new["inherited"], old["inherited"], str)
    if new["packages"] != old["packages"]:
        found += _packages(packages())
    for name in ("python", "system", "framework", "communicator", "node_count"):
        if new[name] != old[name]:
            found.append(f"{name.replace('_', ' ')} {old[name]} -> {new[name]}")
    found += _mapping("count", new["process_counts"], old["process_counts"], str)
    if new["environment"] != old["environment"]:
        found.append("the declared environment changed" + _changed_keys(new["environment"], old["environment"]))
    if new["runtime"] != old["runtime"] or new["scheme"] != old["scheme"]:
        found.append("this version of scriptstep keys steps differently")
    return found


def _scripts(new: str | list[str], old: str | list[str]) -> str:
    if isinstance(new, str) and isinstance(old, str):
        return f"script {old} -> {new}"
    before, after = (f"script {s}" if isinstance(s, str) else f"a command, as {s[1]}" for s in (old, new))
    return f"{before} -> {after}"


def _files(sides: tuple[FileSide, FileSide] | None) -> list[str]:
    if sides is None:
        return ["files of the source directory changed"]
    (new, new_root), (old, old_root) = sides
    changes = old.diff(new)
    if not changes:
        return ["files of the source directory changed"]
    lines = [_change(c, new.get(c.path), new_root, old_root) for c in changes[:_NAMED]]
    if len(changes) > _NAMED:
        lines.append(f"{len(changes) - _NAMED} more files")
    return lines


def _change(change: Change, entry: Entry | None, new_root: Path, old_root: Path) -> str:
    name = change.path.decode("utf-8", "replace")
    if change.kind == "renamed" and change.old_path is not None:
        return f"{change.old_path.decode('utf-8', 'replace')} renamed to {name}"
    if change.kind == "mode":
        return f"{name} {'made executable' if entry and entry.kind == 'executable' else 'no longer executable'}"
    if change.kind == "changed":
        return f"{name} changed{_line_counts(old_root, new_root, change.path)}"
    return f"{name} {change.kind}"


def _line_counts(old_root: Path, new_root: Path, path: bytes) -> str:
    relative = path.decode("utf-8", "surrogateescape")
    texts: list[list[str]] = []
    for root in (old_root, new_root):
        try:
            file = root / relative
            if file.stat().st_size > _TEXT_LIMIT:
                return ""
            texts.append(file.read_text(encoding="utf-8").splitlines())
        except (OSError, ValueError):
            return ""
    added = removed = 0
    for tag, a, b, c, d in difflib.SequenceMatcher(None, texts[0], texts[1], autojunk=False).get_opcodes():
        if tag != "equal":
            removed += b - a
            added += d - c
    return f" (+{added} -{removed})"


def _arguments(new: list[list[list[str]]], old: list[list[list[str]]]) -> list[str]:
    if new == old:
        return []
    found: list[str] = []
    a, b = [_told(x) for x in old], [_told(x) for x in new]
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        flag = next((f"{x} " for x in reversed(b[max(k - 1, 0) : k]) if x.startswith("-")), "")
        before, after = " ".join(a[i:j]) or "(none)", " ".join(b[k:m]) or "(none)"
        found.append(f"argument {flag}{before} -> {after}" if not flag else f"{flag}{before} -> {after}")
    return found or ["arguments changed"]


def _told(argument: list[list[str]]) -> str:
    return "".join(value if kind == "text" else f"<{value}>" for kind, value in argument) or "''"


def _mapping(what: str, new: Mapping[str, Any], old: Mapping[str, Any], told: Callable[[Any], str]) -> list[str]:
    found: list[str] = []
    for name in sorted(set(new) | set(old)):
        if name not in old:
            found.append(f"{what} {name} added")
        elif name not in new:
            found.append(f"{what} {name} removed")
        elif new[name] != old[name]:
            before, after = told(old[name]), told(new[name])
            found.append(f"{what} {name} {before} -> {after}" if before != after else f"{what} {name} changed")
    return found


def _inputs(new: Mapping[str, Any], old: Mapping[str, Any], step_of: Callable[[str], str | None]) -> list[str]:
    found: list[str] = []
    for name in sorted(set(new) | set(old)):
        if name not in old or name not in new:
            found.append(f"input {name} {'added' if name in new else 'removed'}")
        elif new[name]["identity"] != old[name]["identity"]:
            step = step_of(name)
            found.append(f"the output of {step} changed" if step else f"input {name} changed")
        elif new[name] != old[name]:
            before, after = old[name].get("label"), new[name].get("label")
            is_renamed = before and after and before != after
            found.append(
                f"input {name} is called {after}, not {before}"
                if is_renamed
                else f"input {name} is handed on differently"
            )
    return list(dict.fromkeys(found))


def _packages(both: tuple[Packages, Packages] | None) -> list[str]:
    if both is None:
        return ["installed packages changed"]
    new, old = both
    found: list[str] = []
    for name in sorted(set(new) | set(old)):
        if name not in old:
            found.append(f"{name} {new[name][0]} installed")
        elif name not in new:
            found.append(f"{name} {old[name][0]} removed")
        elif new[name] != old[name]:
            a, b = old[name][0], new[name][0]
            found.append(f"{name} {a} -> {b}" if a != b else f"{name} {b} changed")
    if len(found) > _NAMED:
        return [*found[:_NAMED], f"{len(found) - _NAMED} more packages"]
    return found or ["installed packages changed"]


def _changed_keys(new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    names = sorted(k for k in set(new) | set(old) if new.get(k) != old.get(k))
    return f" ({', '.join(names[:3])})" if names else ""
