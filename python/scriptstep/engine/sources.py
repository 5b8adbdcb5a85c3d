"""What an input stands for here and now: where its files lie, and what identifies it in the key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scriptstep.content import ContentStore, Manifest, scan
from scriptstep.data.definition import make_definition, tabular_definition
from scriptstep.data.materialize import materialize, single_file
from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException
from scriptstep.graph import DataLocation, DatasetSource, InputSpec, ParameterSource, StepOutput
from scriptstep.history import definition_id
from scriptstep.workspace.datastore import Datastore
from scriptstep.workspace.workspace import Workspace

__all__ = ["FileRow", "ResolvedInput", "SourceResolver", "changed_files", "file_rows"]

# name, size, mtime_ns, digest: what one file of a dataset was when a result was recorded.
FileRow = tuple[str, int, int, str]


@dataclass(frozen=True)
class ResolvedInput:
    """One input of a step, found.

    Attributes:
        spec: The input as declared.
        identity: What stands for it in the key.
        label: The last part of the path that the script is given.
        tree: Digest of the stored tree that is handed on, where it is one.
        location: The user's own file or folder, where it is one.
        files: What a dataset stands for: (name, file), else None.
        definition: The dataset's definition, else None.
        dataset_id: The dataset's id, else None.
        written: False where the step above never wrote it.
    """

    spec: InputSpec
    identity: Any
    label: str
    tree: str | None = None
    location: Path | None = None
    files: tuple[tuple[str, Path], ...] | None = None
    definition: Mapping[str, Any] | None = None
    dataset_id: str | None = None
    written: bool = True


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

    def path_of(self, source: Mapping[str, Any]) -> Path:
        """Where one source of a dataset's definition lies.

        Args:
            source: `{"tree": ...}`, `{"datastore": ..., "path": ...}` or `{"path": ...}`.

        Returns:
            Its file, folder, or pattern.

        Raises:
            UserErrorException: It is a URL that no setting maps to a folder.
        """
        if "tree" in source:
            return self.store.content_path(str(source["tree"]))
        if "datastore" in source:
            return self._root(source["datastore"]) / str(source["path"]).lstrip("/")
        if "path" in source:
            return Path(str(source["path"]))
        from scriptstep.workspace.datastore import local_copy_of_url

        return local_copy_of_url(self.workspace, str(source.get("url", "")))

    def scan(self, path: Path) -> Manifest:
        """Returns: what a file or folder of the user's holds, read once in a run."""
        if path not in self._scanned:
            self._scanned[path] = scan(path, rules=None, cache=self.workspace._place.home / "stat")
        return self._scanned[path]

    def forget(self) -> None:
        """Forgets what was read: after a step ran, files may differ."""
        self._scanned.clear()

    def _root(self, name: str | None) -> Path:
        chosen = name or self.default_datastore
        store = Datastore.get(self.workspace, chosen) if chosen else self.workspace.get_default_datastore()
        return Path(store._root())

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
        path = self._root(source.datastore) / relative if relative else self._root(source.datastore)
        if not path.exists():
            store = source.datastore or self.default_datastore or self.workspace.get_default_datastore().name
            raise UserErrorException(
                f"input '{spec.name}': nothing lies at '{relative}' on datastore '{store}'",
                help=f"put it there: {path}",
            )
        identity = {"from": "data", "content": self.scan(path).digest}
        return ResolvedInput(spec, identity, path.name or spec.name, location=path)

    def _dataset(self, spec: InputSpec, source: DatasetSource) -> ResolvedInput:
        definition = source.definition
        files = tuple(materialize(definition, self.path_of))
        if not files:
            known = source.name or spec.name
            raise NotRegisteredError(
                f"input '{spec.name}': dataset '{known}' stands for no file that is there: {_told(definition)}",
                help="put the files there, or register the dataset again",
            )
        one = single_file(definition, self.path_of)
        sources = definition.get("sources")
        label = files[0][1].name if one else spec.name
        if isinstance(sources, list) and len(sources) == 1 and "name" in sources[0]:
            label = str(sources[0]["name"])
        identity: Any = {"from": "dataset", "definition": dict(definition)}
        if self.by_content:
            rest = {k: v for k, v in definition.items() if k != "sources"}
            identity = {
                "from": "files",
                "rest": rest,
                "content": [[name, self.scan(path).digest] for name, path in files],
            }
        return ResolvedInput(
            spec,
            identity,
            label,
            location=files[0][1] if one else None,
            files=files,
            definition=definition,
            dataset_id=source.id,
        )


def file_rows(files: tuple[tuple[str, Path], ...], resolver: SourceResolver) -> list[FileRow]:
    """Writes down what the files of a dataset are now.

    Args:
        files: (name, file) of each.
        resolver: Reads what must be read.

    Returns:
        One row a file, in the order given.
    """
    rows: list[FileRow] = []
    for name, path in files:
        stat = os.stat(path)
        rows.append((name, stat.st_size, stat.st_mtime_ns, resolver.scan(path).digest))
    return rows


def changed_files(rows: list[FileRow], files: tuple[tuple[str, Path], ...], resolver: SourceResolver) -> list[str]:
    """Tells which files of a dataset are not what they were; only those whose times differ are read.

    Args:
        rows: What `file_rows` wrote down.
        files: (name, file) of each, now.
        resolver: Reads what must be read.

    Returns:
        Names of files added, removed or changed, sorted.
    """
    before = {row[0]: row for row in rows}
    now = dict(files)
    changed = set(before) ^ set(now)
    for name in set(before) & set(now):
        _, size, mtime, digest = before[name]
        stat = os.stat(now[name])
        if (stat.st_size, stat.st_mtime_ns) != (size, mtime) and resolver.scan(now[name]).digest != digest:
            changed.add(name)
    return sorted(changed)


def _told(definition: Mapping[str, Any]) -> str:
    sources = definition.get("sources")
    told = [str(s.get("path") or s.get("url") or "a stored tree") for s in sources] if isinstance(sources, list) else []
    return ", ".join(told[:3]) + (" ..." if len(told) > 3 else "")
