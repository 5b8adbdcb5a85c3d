"""What an input stands for here and now: where its files lie, and what identifies it in the key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scriptstep.content import ContentStore, Entry, Manifest, digest_bytes, scan, spell
from scriptstep.data.definition import make_definition, tabular_definition
from scriptstep.data.materialize import Files, materialize, single_file
from scriptstep.data.places import LocalPlace, Place
from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException
from scriptstep.graph import DataLocation, DatasetSource, InputSpec, ParameterSource, StepOutput
from scriptstep.history import definition_id
from scriptstep.records import dataclass, field
from scriptstep.workspace.datastore import Datastore
from scriptstep.workspace.urls import place_of_source
from scriptstep.workspace.workspace import Workspace

__all__ = ["FileRow", "ResolvedInput", "SourceResolver", "changed_files", "file_rows"]

# name, size, mtime_ns, digest: what one file of a dataset was when a result was recorded. One that a script is given
# by itself has no name.
FileRow = tuple[str, int, int, str]
_ONE = ""


@dataclass(frozen=True)
class ResolvedInput:
    """One input of a step, found.

    Attributes:
        spec: The input as declared.
        identity: What stands for it in the key.
        label: The last part of the path that the script is given.
        tree: Digest of the stored tree that is handed on, where it is one.
        location: The user's own file or folder, where it is one; it may have to be fetched first.
        held: What that holds, where it was read whole.
        files: What a dataset, or a folder that lies far away, stands for, else None; they may have to be fetched first.
        definition: The dataset's definition, else None.
        dataset_id: The dataset's id, else None.
        written: False where the step above never wrote it.
    """

    spec: InputSpec
    identity: Any
    label: str
    tree: str | None = None
    location: Path | None = None
    held: Manifest | None = None
    files: Files | None = None
    definition: Mapping[str, Any] | None = None
    dataset_id: str | None = None
    written: bool = True

    @property
    def seen_label(self) -> str | None:
        """Returns: the label, where the path that the script is given ends in it; scripts go by such names."""
        names_itself = bool((self.spec.path_on_compute or "").strip("/"))
        return None if names_itself or (self.spec.mode == "direct" and self.dataset_id is not None) else self.label


@dataclass
class SourceResolver:
    """Finds the inputs of the steps of one run; what was read once in a run is not read again.

    Attributes:
        workspace: Where names are looked up.
        store: The content store.
        parameters: Values of the pipeline's parameters.
        default_datastore: The pipeline's own default, or None for the workspace's.
        by_content: Whether datasets are known by content instead of by definition.
    """

    workspace: Workspace
    store: ContentStore
    parameters: Mapping[str, Any]
    default_datastore: str | None
    by_content: bool
    _scanned: dict[Path, Manifest] = field(default_factory=dict)

    def resolve(self, spec: InputSpec, outputs: Mapping[str, Mapping[str, str]]) -> ResolvedInput:
        """Finds one input.

        Args:
            spec: The input as declared.
            outputs: What the steps above wrote: node id to port to tree digest.

        Returns:
            Where it lies and what identifies it.

        Raises:
            UserErrorException: There is nothing where it points.
        """
        source = spec.source
        if isinstance(source, ParameterSource):
            value = self.parameters[source.name]
            if not isinstance(value, (DataLocation, DatasetSource)):
                raise ArgumentError(
                    f"input '{spec.name}' takes its data from parameter '{source.name}', which is no data: {value!r}"
                )
            source = value
        if isinstance(source, StepOutput):
            return self._step_output(spec, source, outputs)
        if isinstance(source, DataLocation):
            return self._location(spec, source)
        return self._dataset(spec, source)

    def place_of(self, source: Mapping[str, Any]) -> Place:
        """Where one source of a dataset's definition lies.

        Args:
            source: `{"tree": ...}`, `{"datastore": ..., "path": ...}`, `{"path": ...}` or `{"url": ...}`.

        Returns:
            Its file, folder, or pattern.
        """
        return place_of_source(source, self._datastore, self._tree, lambda: self.workspace)

    def scan(self, path: Path) -> Manifest:
        """Returns: what a file or folder of the user's holds, read once in a run."""
        if path not in self._scanned:
            self._scanned[path] = scan(path, rules=None, cache=self.workspace._place.home / "stat")
        return self._scanned[path]

    def forget(self) -> None:
        """Forgets what was read: after a step ran, files may differ."""
        self._scanned.clear()

    def contents(self, files: Files) -> Callable[[str], str]:
        """Returns: what tells the content of each of some files: its stamp where it lies far away, else its digest."""
        known: dict[str, str] = {}
        for folder in files.wholes:
            above = os.fsencode(folder)
            for entry in self.scan(folder):
                if entry.kind in ("file", "executable"):
                    known[os.fsdecode(os.path.join(above, entry.path))] = _content(entry)

        def content(file: str) -> str:
            if (stamp := files.stamp(file)) is not None:
                return stamp
            if (here := known.get(file)) is not None:
                return here
            return "".join(map(_content, self.scan(Path(file))))

        return content

    def _tree(self, digest: str) -> Path:
        # What is damaged is set aside by being asked for, and then it is missing.
        self.store.ensure(digest)
        return self.store.content_path(digest)

    def _datastore(self, name: str | None) -> Any:
        chosen = name or self.default_datastore
        return Datastore.get(self.workspace, chosen) if chosen else self.workspace.get_default_datastore()

    def _step_output(
        self, spec: InputSpec, source: StepOutput, outputs: Mapping[str, Mapping[str, str]]
    ) -> ResolvedInput:
        tree = outputs.get(source.node_id, {}).get(source.output)
        identity = {"from": "step", "content": tree}
        if tree is None or not spec.as_dataset or spec.mode != "direct":
            return ResolvedInput(spec, identity, source.output, tree=tree, written=tree is not None)
        # The script reads the dataset itself.
        where = [{"tree": tree, "name": source.output}]
        is_table = bool(spec.transformations)
        definition = (
            tabular_definition(where, spec.transformations) if is_table else make_definition("file", "files", where)
        )
        id = definition_id(definition)
        return ResolvedInput(spec, identity, source.output, tree=tree, definition=definition, dataset_id=id)

    def _location(self, spec: InputSpec, source: DataLocation) -> ResolvedInput:
        relative = source.path.replace("\\", "/").lstrip("/")
        store = self._datastore(source.datastore)
        place = store._place(relative)
        if not isinstance(place, LocalPlace):
            return self._far(spec, place, relative, store.name)
        if not place.path.exists():
            raise UserErrorException(
                f"input '{spec.name}': nothing lies at '{relative}' on datastore '{store.name}'",
                help=f"put it there: {place}",
            )
        held = self.scan(place.path)
        identity = {"from": "data", "content": held.digest}
        return ResolvedInput(spec, identity, place.path.name or spec.name, location=place.path, held=held)

    def _far(self, spec: InputSpec, place: Place, relative: str, store: str) -> ResolvedInput:
        sources = [{"datastore": store, "path": relative}]
        files = materialize(make_definition("file", "files", sources), lambda _: place)
        if not files:
            raise UserErrorException(
                f"input '{spec.name}': nothing lies at '{relative}' on datastore '{store}'", help=f"put it at {place}"
            )
        listed = [[name, files.facts(file).size, files.stamp(file)] for name, file in files]
        identity = {"from": "data", "content": digest_bytes("scriptstep 2026 files far away", spell(listed))}
        one = Path(files[0][1]) if place.is_file() else None
        return ResolvedInput(spec, identity, Path(relative).name or spec.name, location=one, files=files)

    def _dataset(self, spec: InputSpec, source: DatasetSource) -> ResolvedInput:
        definition = source.definition
        files = materialize(definition, self.place_of)
        if not files:
            known = source.name or spec.name
            raise NotRegisteredError(
                f"input '{spec.name}': dataset '{known}' stands for no file that is there: {_told(definition)}",
                help="put the files there, or register the dataset again",
            )
        one = single_file(definition, self.place_of)
        sources = definition.get("sources")
        label = Path(files[0][1]).name if one else spec.name
        if isinstance(sources, list) and len(sources) == 1 and "name" in sources[0]:
            label = str(sources[0]["name"])
        identity: Any = {"from": "dataset", "definition": dict(definition)}
        if self.by_content:
            rest = {k: v for k, v in definition.items() if k != "sources"}
            content = self.contents(files)
            # A script that is given one file finds no folder there.
            identity = {
                "from": "file" if one else "files",
                "rest": rest,
                "content": [[name, content(path)] for name, path in files],
            }
        return ResolvedInput(
            spec,
            identity,
            label,
            location=Path(files[0][1]) if one else None,
            files=files,
            definition=definition,
            dataset_id=source.id,
        )


def file_rows(given: ResolvedInput, resolver: SourceResolver) -> list[FileRow]:
    """Writes down what the files of a dataset are now.

    Args:
        given: The dataset, as a step is given it.
        resolver: Reads what must be read.

    Returns:
        One row a file, in the order given.
    """
    files = _files(given)
    content = resolver.contents(files)
    rows: list[FileRow] = []
    for name, path in _as_seen(given):
        facts = files.facts(path)
        rows.append((name, facts.size, facts.changed_ns, content(path)))
    return rows


def changed_files(rows: list[FileRow], given: ResolvedInput, resolver: SourceResolver) -> list[str]:
    """Tells which files of a dataset are not what they were; only those whose times differ are read.

    Args:
        rows: What `file_rows` wrote down.
        given: The dataset, as a step would be given it now.
        resolver: Reads what must be read.

    Returns:
        Names of files added, removed or changed, sorted; all, where it was one file and is a folder now, or was one.
    """
    before = {row[0]: row for row in rows}
    files, now = _files(given), dict(_as_seen(given))
    if (_ONE in before) != (_ONE in now):
        return sorted(now)
    changed = set(before) ^ set(now)
    content: Callable[[str], str] | None = None
    for name in set(before) & set(now):
        _, size, mtime, digest = before[name]
        facts = files.facts(now[name])
        # A store's times are coarse, and its stamp costs nothing.
        as_before = facts.stamp is None and (facts.size, facts.changed_ns) == (size, mtime)
        if as_before:
            continue
        content = content or resolver.contents(files)
        if content(now[name]) != digest:
            changed.add(name)
    return sorted(changed)


def _files(given: ResolvedInput) -> Files:
    assert given.files is not None
    return given.files


def _as_seen(given: ResolvedInput) -> list[tuple[str, str]]:
    """Returns: (name, file) of each file of a dataset; where a script is given that file itself it has no name."""
    return [(_ONE if given.location is not None else name, file) for name, file in _files(given)]


def _content(entry: Entry) -> str:
    return entry.digest if entry.kind == "file" else f"{entry.kind} {entry.digest}"


def _told(definition: Mapping[str, Any]) -> str:
    sources = definition.get("sources")
    told = [str(s.get("path") or s.get("url") or "a stored tree") for s in sources] if isinstance(sources, list) else []
    return ", ".join(told[:3]) + (" ..." if len(told) > 3 else "")
