"""Where the user asked for what a step wrote: places on datastores, and names that it is registered under."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from scriptstep.content import ContentStore, Entry, scan
from scriptstep.data.transfer import aside
from scriptstep.engine.step_folder import plain
from scriptstep.errors import ArgumentError
from scriptstep.graph import OutputSpec
from scriptstep.history import History
from scriptstep.records import dataclass, field

if TYPE_CHECKING:
    from scriptstep.data.remote import RemoteStore

__all__ = ["Destinations", "register_output"]

# A datastore's name, its folder, and the store far away, where it is one.
_Place: TypeAlias = "tuple[str, Path, RemoteStore | None]"


@dataclass
class Destinations:
    """Places on datastores that outputs are put at, in one run.

    Attributes:
        datastore_of: A datastore, by name; None for the default one.
        store: The content store.
    """

    datastore_of: Callable[[str | None], Any]
    store: ContentStore
    _places: dict[str | None, _Place] = field(default_factory=dict)
    _written: dict[Path, str] = field(default_factory=dict)

    def forget(self) -> None:
        """Forgets where datastores lie: a step that ran may have changed it."""
        self._places.clear()

    def put(self, output: OutputSpec, tree: str, step: str, run_id: str) -> tuple[str, str, list[str]]:
        """Puts an output where it was declared to be; a destination that was not named is a link to the tree.

        Args:
            output: The output as declared.
            tree: Its digest.
            step: Name of the step.
            run_id: Id of the step run that made it.

        Returns:
            The datastore's name, the path relative to it, and warnings.

        Raises:
            ArgumentError: The destination leads out of the datastore.
        """
        name, root, remote = self._place(output.datastore)
        if output.destination is None:
            relative = f"azureml/{run_id}/{plain(output.name)}"
            if not os.path.lexists(f"{root}/{relative}"):
                link = root / relative
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(self.store.content_path(tree))
            return name, relative, []
        filled = output.destination.replace("{run-id}", run_id).replace("{output-name}", output.name)
        relative = filled.replace("\\", "/").strip("/")
        if ".." in relative.split("/"):
            raise ArgumentError(
                f"step '{step}', output '{output.name}': destination {output.destination!r} leads out of its datastore"
            )
        if remote is not None:
            return name, relative, self._send(tree, remote, relative, step)
        return name, relative, self._copy(tree, root / relative if relative else root, step)

    def _place(self, name: str | None) -> _Place:
        if name not in self._places:
            datastore = self.datastore_of(name)
            self._places[name] = (str(datastore.name), *datastore._files())
        return self._places[name]

    def _send(self, tree: str, remote: RemoteStore, relative: str, step: str) -> list[str]:
        """Puts a tree on a store far away, less what lies there already; such stores know no links and no folders."""
        clashes: list[str] = []
        content = self.store.content_path(tree)
        held = remote.held(relative)
        new: dict[str, tuple[Path, str]] = {}
        for entry in self.store.manifest(tree):
            if entry.kind == "directory":
                continue
            name = os.fsdecode(entry.path)
            place = "/".join(part for part in (relative, name) if part)
            clashes += self._clash(Path(remote.url, place), name, step, f"{remote.url}/{relative}")
            if entry.kind == "link" or held.get(place) != entry.digest:
                new[place] = (content / name if name else content, "" if entry.kind == "link" else entry.digest)
        remote.put((file, place) for place, (file, _) in new.items())
        remote.note(relative, {place: digest for place, (_, digest) in new.items() if digest})
        return clashes

    def _clash(self, place: Path, name: str, step: str, target: object) -> list[str]:
        before = self._written.get(place)
        self._written[place] = step
        if before in (None, step):
            return []
        return [f"'{name}' of step '{before}' was replaced by step '{step}' at {target}"]

    def _copy(self, tree: str, target: Path, step: str) -> list[str]:
        clashes: list[str] = []
        content = self.store.content_path(tree)
        for entry in self.store.manifest(tree):
            name = os.fsdecode(entry.path)
            source, place = (content / name, target / name) if name else (content, target)
            if entry.kind == "directory":
                place.mkdir(parents=True, exist_ok=True)
                continue
            clashes += self._clash(place, name, step, target)
            if _holds(place, entry):
                continue
            made = aside(place)
            shutil.copy(source, made, follow_symlinks=False)
            os.replace(made, place)
        return clashes


def _holds(place: Path, entry: Entry) -> bool:
    if entry.kind == "link" or place.is_symlink() or not place.is_file() or place.stat().st_size != entry.size:
        return False
    (there,) = scan(place, rules=None)
    return (there.kind, there.digest) == (entry.kind, entry.digest)


def register_output(history: History, workspace: str, output: OutputSpec, tree: str) -> Mapping[str, Any] | None:
    """Registers an output as a dataset, where its step asked for that; the same content makes no new version.

    Args:
        history: The history.
        workspace: Name of the workspace.
        output: The output as declared.
        tree: Its digest.

    Returns:
        `{"name", "version"}`, or None where nothing was asked for.
    """
    wanted = output.registration
    if not wanted:
        return None
    tabular = wanted.get("kind") == "tabular"
    definition: dict[str, Any] = {
        "kind": "tabular" if tabular else "file",
        "format": wanted.get("format") or ("delimited" if tabular else "files"),
        "sources": [{"tree": tree, "name": output.name}],
        "options": wanted.get("options") or {},
        "transformations": wanted.get("transformations") or [],
    }
    row = history.add_dataset(
        workspace,
        name=str(wanted["name"]),
        kind=definition["kind"],
        definition=definition,
        description=wanted.get("description"),
        tags=wanted.get("tags") or {},
    )
    return {"name": row.name, "version": row.version}
