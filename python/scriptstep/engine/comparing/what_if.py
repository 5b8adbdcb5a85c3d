"""Changes that are only thought of: what would a pipeline do if an argument or a file were another?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scriptstep.console import notice
from scriptstep.content import ContentStore, Explanation, Manifest, digest_bytes, explain
from scriptstep.engine.contents import decides
from scriptstep.engine.planner import Planner
from scriptstep.engine.sources import ResolvedInput
from scriptstep.engine.submission import Submission
from scriptstep.errors import ArgumentError
from scriptstep.graph import Argument, InputSpec, StepSpec
from scriptstep.history import History
from scriptstep.records import dataclass, replace

__all__ = ["WhatIf", "WhatIfPlanner", "with_arguments"]


@dataclass(frozen=True)
class WhatIf:
    """Changes that are only thought of.

    Attributes:
        arguments: (step, flag or name of a param, value) each.
        touched: Files whose content is taken to be another; absolute.
    """

    arguments: Sequence[tuple[str, str, str]] = ()
    touched: Sequence[Path] = ()


def with_arguments(specs: Mapping[str, StepSpec], changes: Iterable[tuple[str, str, str]]) -> dict[str, StepSpec]:
    """Gives steps other arguments or params.

    Args:
        specs: The steps, by node.
        changes: (step, flag or name of a param, value) each; of several steps of a name each gets it.

    Returns:
        The steps, by node.

    Raises:
        ArgumentError: There is no such step, or it has no such flag.
    """
    changed = dict(specs)
    for step, name, value in changes:
        nodes = [node_id for node_id, spec in changed.items() if spec.name == step]
        if not nodes:
            known = ", ".join(sorted({spec.name for spec in specs.values()}))
            raise ArgumentError(f"the pipeline has no step '{step}'; it has {known}")
        for node_id in nodes:
            changed[node_id] = _with_value(changed[node_id], name, value)
    return changed


def _with_value(spec: StepSpec, name: str, value: str) -> StepSpec:
    if name in spec.params:
        return replace(spec, params={**spec.params, name: value})
    arguments = list(spec.arguments)
    flags: list[str] = []
    for at, argument in enumerate(arguments):
        text = argument[0] if argument and isinstance(argument[0], str) else ""
        flag, equals, _ = text.partition("=")
        flags += [flag] if flag.startswith("-") else []
        if flag != name:
            continue
        if equals:
            arguments[at] = (f"{flag}={value}",)
        elif at + 1 < len(arguments):
            new: Argument = (value,)
            arguments[at + 1] = new
        else:
            break
        return replace(spec, arguments=tuple(arguments))
    known = ", ".join([*dict.fromkeys(flags), *spec.params]) or "none"
    raise ArgumentError(f"step '{spec.name}' has no argument or param '{name}' with a value; it has {known}")


class WhatIfPlanner(Planner):
    """A planner that takes some files to be other than they are.

    Args:
        submission: What would be submitted.
        specs: Its steps, by node.
        history: The history.
        store: The content store.
        touched: Files whose content is taken to be another; absolute.
    """

    def __init__(
        self,
        submission: Submission,
        specs: Mapping[str, StepSpec],
        history: History,
        store: ContentStore,
        touched: Sequence[Path],
    ) -> None:
        super().__init__(submission, specs, history, store, "")
        self._touched = touched
        self._hit: set[Path] = set()
        self._left_out: dict[Path, Explanation] = {}

    def look_for_touched(self) -> None:
        """Finds which steps notice the touched files, those whose keys cannot be known among them."""
        for spec in self._specs.values():
            self.touched_in(spec, decides(spec, self._contents.of(spec)))

    def touched_in(self, spec: StepSpec, content: Manifest) -> list[str]:
        """Returns: which of the touched files count as a step's code, as paths in its source directory."""
        found: list[str] = []
        for file in self._touched:
            path = os.path.relpath(file, spec.source_directory)
            if path == os.pardir or path.startswith(os.pardir + os.sep):
                continue
            told = explain(spec.source_directory, path)
            if not told.kept:
                self._left_out[file] = told
                continue
            if content.get(os.fsencode(path)) is not None:
                self._hit.add(file)
                found.append(path)
        return found

    def tell_untouched(self) -> None:
        """Says of each touched file that no step would notice why that is so."""
        for file in self._touched:
            if file in self._hit:
                continue
            told = self._left_out.get(file)
            if told is None:
                notice(f"{os.path.relpath(file)} is no code of any step, and no input by content", level="warning")
            elif told.file is not None and told.rule is not None:
                rule = f"line {told.line} of {os.fsdecode(told.file)} ({os.fsdecode(told.rule)})"
                notice(f"{os.path.relpath(file)} is left out by {rule}: no step notices it", level="warning")
            else:
                notice(f"{os.path.relpath(file)} is never code: no step notices it", level="warning")

    def _content_digest(self, spec: StepSpec, content: Manifest) -> str:
        kept = decides(spec, content)
        touched = self.touched_in(spec, kept)
        return _other(kept.digest) if touched else kept.digest

    def _resolve(self, spec: InputSpec) -> ResolvedInput:
        found = super()._resolve(spec)
        if not self._touched:
            return found
        identity: Any = found.identity
        files = {path for _, path in found.files or ()}
        for file in self._touched:
            lies_in = found.location is not None and file.is_relative_to(found.location)
            if not lies_in and str(file) not in files:
                continue
            self._hit.add(file)
            if identity["from"] == "dataset":
                notice(
                    f"dataset {spec.name} is known by its definition: a change of {os.path.relpath(file)} runs nothing",
                    help="input_identity='content' would run what reads it",
                )
            else:
                identity = {**identity, "content": _other(repr(identity["content"]))}
        return replace(found, identity=identity)


def _other(digest: str) -> str:
    return digest_bytes("scriptstep 2026 what if", digest.encode("utf-8", "surrogateescape"))
