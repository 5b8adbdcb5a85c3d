"""What the source directories of a run hold, read once and kept: what is edited later is for the next run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from scriptstep.console import Notice, console
from scriptstep.console.text import size as size_text
from scriptstep.content import Change, ContentStore, Manifest, Survey, digest_file, scan
from scriptstep.errors import SourceChanged, TreeDamaged, TreeMissing
from scriptstep.graph import StepSpec
from scriptstep.history import History

if TYPE_CHECKING:
    from scriptstep.engine.imports.closure import Closure, SourceFiles
    from scriptstep.engine.submission import Submission

__all__ = ["Contents", "deciding_paths", "decides", "import_roots", "part_of"]

# Files and bytes from which on a source directory is worth a warning: it is hashed and copied for each step.
_LARGE = (20_000, 1_000_000_000)

# Source directory, script, and the folders that are searched for modules besides.
_Imported: TypeAlias = tuple[str, str, tuple[str, ...]]


class Contents:
    """The contents of the steps of a run.

    Args:
        submission: What is run.
        history: The history.
        store: The content store.
    """

    def __init__(self, submission: Submission, history: History, store: ContentStore) -> None:
        self._s, self._history, self._store = submission, history, store
        self._cache = submission.workspace._place.home / "stat"
        self._directories: dict[str, Manifest] = {}
        self._files: dict[str, SourceFiles] = {}
        self._closures: dict[_Imported, Closure] = {}
        self._parts: dict[_Imported, Manifest] = {}

    def read(self, specs: Iterable[StepSpec]) -> None:
        """Reads every source directory once, and keeps its content.

        Args:
            specs: The steps.

        Raises:
            ContentError: One cannot be read or kept.
        """
        for spec in specs:
            if spec.source_directory not in self._directories:
                found = self._directories[spec.source_directory] = self._read_and_keep(spec)
                for warning in found.warnings:
                    console().send(Notice("warning", warning, None))
            if spec.hash_paths == "imports" and _imported(spec) not in self._parts:
                self._parts[_imported(spec)] = self._keep_part(spec)

    def keep_again(self, spec: StepSpec) -> bool:
        """Keeps a step's content once more, where what was kept turned out to be damaged.

        Args:
            spec: The step.

        Returns:
            Whether its source directory still holds what is to run.
        """
        source, wanted = spec.source_directory, self._directories[spec.source_directory].digest
        if source in self._s.contents:
            return False
        found = scan(source)
        if found.digest != wanted:
            return False
        self._store.save(source, found)
        if (part := self.of(spec)).digest != wanted:
            self._store.save_part(wanted, part)
        return True

    def of(self, spec: StepSpec) -> Manifest:
        """Returns: what a step's working copy holds; a tree of the store."""
        if spec.hash_paths == "imports":
            return self._parts[_imported(spec)]
        return self._directories[spec.source_directory]

    def left_out(self, spec: StepSpec) -> list[bytes]:
        """Returns: the files of its source directory that a step's working copy does not hold."""
        held = set(self.of(spec).paths())
        return [path for path in self._directories[spec.source_directory].paths() if path not in held]

    def closure(self, spec: StepSpec) -> Closure:
        """Tells what a step's script imports, whatever its `hash_paths` is.

        Args:
            spec: The step; its source directory was read.

        Returns:
            What `hash_paths="imports"` takes of the Python files.

        Raises:
            TreeDamaged: A stored file cannot be read.
        """
        from scriptstep.engine.imports.closure import SourceFiles, import_closure

        key = _imported(spec)
        if key not in self._closures:
            source, script, search = key
            if source not in self._files:
                whole = self._directories[source]
                self._files[source] = SourceFiles(whole, lambda path: self._read(whole, path))
            self._closures[key] = import_closure(self._files[source], script, search)
        return self._closures[key]

    def would_spare(self, spec: StepSpec, changes: Iterable[Change]) -> bool:
        """Tells whether `hash_paths="imports"` would have spared a step a run: whether its script imports nothing of
        what changed.

        Args:
            spec: The step, all of whose source directory decides.
            changes: What changed in that.

        Returns:
            Whether all of it are Python files that the script does not import.
        """
        from scriptstep.engine.imports.closure import is_python

        closure = self.closure(spec)
        paths = [path for change in changes for path in (change.path, change.old_path) if path is not None]
        return closure.unclear is None and all(is_python(path) and path not in closure.files for path in paths)

    @property
    def trees(self) -> dict[str, str]:
        """Returns: the tree of each source directory."""
        return {source: manifest.digest for source, manifest in self._directories.items()}

    def _keep_part(self, spec: StepSpec) -> Manifest:
        from scriptstep.engine.imports.closure import is_python

        whole, closure = self._directories[spec.source_directory], self.closure(spec)
        if closure.unclear is not None:
            console().send(
                Notice(
                    "warning",
                    f"step '{spec.name}': hash_paths='imports' takes every Python file of {spec.source_directory}, "
                    f"for nobody can tell what is imported: {closure.unclear}",
                    "list what the step needs: hash_paths=[...]",
                )
            )
            return whole
        paths = whole.paths()
        kept = [path for path in paths if path in closure.files or not is_python(path)]
        part = whole if len(kept) == len(paths) else whole.subset(kept)
        if not self._store.ensure(part.digest):
            self._store.save_part(whole.digest, part)
        return part

    def _read(self, whole: Manifest, path: bytes) -> bytes:
        """Reads a module of a stored tree; what it imports is believed of these very bytes, here and later."""
        entry = whole.get(path)
        try:
            data = (self._store.content_path(whole.digest) / os.fsdecode(path)).read_bytes()
            problem = None if entry is not None and digest_file(data) == entry.digest else "is not what it was"
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
        if problem is None:
            return data
        self._store.set_aside(whole.digest)
        raise TreeDamaged(
            f"{os.fsdecode(path)} of stored tree {whole.digest[:12]} {problem}",
            help="run it again: the source directory is stored anew",
        )

    def _read_and_keep(self, spec: StepSpec) -> Manifest:
        source = spec.source_directory
        if (kept := self._s.contents.get(source)) is not None:
            if not self._store.ensure(kept):
                raise TreeMissing(
                    f"the code of step '{spec.name}' as it was published is not in the store any more",
                    help="publish the pipeline again",
                )
            return self._store.manifest(kept)
        found = scan(source, cache=self._cache, on_survey=lambda survey: _warn_large(spec, survey), survey_from=_LARGE)
        previous = self._history.latest_result(self._s.workspace.name, spec.name)
        try:
            self._store.save(source, found, base=previous.conditions.get("tree") if previous else None)
        except SourceChanged:
            # It was edited between reading and keeping: what stands there now is what counts.
            found = scan(source, cache=self._cache)
            self._store.save(source, found)
        return found


def deciding_paths(spec: StepSpec) -> list[str] | None:
    """Returns: what of a step's content decides its reuse: its `hash_paths` and the script; None for all of it."""
    return [spec.script_name, *spec.hash_paths] if isinstance(spec.hash_paths, tuple) else None


def decides(spec: StepSpec, content: Manifest) -> Manifest:
    """Returns: what of a step's content decides its reuse."""
    return part_of(content, deciding_paths(spec))


def part_of(manifest: Manifest, paths: Sequence[str] | None) -> Manifest:
    """Returns: what of a source directory counts: all of it, or what lies at or below some paths."""
    return manifest if paths is None else manifest.subset(paths)


def import_roots(spec: StepSpec) -> tuple[str, ...]:
    """Returns: the folders of its working copy in which a step's script finds modules, the root as `""`."""
    return os.path.dirname(spec.script_name), "", *_imported(spec)[2]


def _imported(spec: StepSpec) -> _Imported:
    """Returns: what a script's closure hangs on; a relative PYTHONPATH is one below the working copy."""
    declared = spec.run.environment_variables.get("PYTHONPATH", "").split(os.pathsep)
    below = [os.path.normpath(folder) for folder in declared if folder and not os.path.isabs(folder)]
    search = tuple("" if folder == "." else folder for folder in below if folder.split(os.sep)[0] != "..")
    return spec.source_directory, spec.script_name, search


def _warn_large(spec: StepSpec, survey: Survey) -> None:
    named = ", ".join(f"{name} {size_text(size)}" for name, size in survey.largest)
    lines = " ".join(f"/{name}" for name, _ in survey.largest)
    console().send(
        Notice(
            "warning",
            f"source directory '{spec.source_directory}' of step '{spec.name}' holds {size_text(survey.size)} in "
            f"{survey.files:,} files, all of it hashed and copied for each step\n  largest: {named}",
            f"leave out what no script needs with such lines in {spec.source_directory}/.amlignore: {lines}",
        )
    )
