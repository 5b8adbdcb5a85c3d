"""What the source directories of a run hold, read once and kept: what is edited later is for the next run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from scriptstep.console import Notice, console
from scriptstep.console.text import size as size_text
from scriptstep.content import ContentStore, Manifest, Survey, scan
from scriptstep.engine.sides import part_of
from scriptstep.errors import SourceChanged, TreeMissing
from scriptstep.graph import StepSpec
from scriptstep.history import History

if TYPE_CHECKING:
    from scriptstep.engine.submission import Submission

__all__ = ["Contents", "deciding_paths", "decides"]

# Files and bytes from which on a source directory is worth a warning: it is hashed and copied for each step.
_LARGE = (20_000, 1_000_000_000)


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
        if found.digest == wanted:
            self._store.save(source, found)
        return found.digest == wanted

    def of(self, spec: StepSpec) -> Manifest:
        """Returns: what a step's working copy holds; a tree of the store."""
        return self._directories[spec.source_directory]

    @property
    def trees(self) -> dict[str, str]:
        """Returns: the tree of each source directory."""
        return {source: manifest.digest for source, manifest in self._directories.items()}

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
    return [spec.script_name, *spec.hash_paths] if spec.hash_paths else None


def decides(spec: StepSpec, content: Manifest) -> Manifest:
    """Returns: what of a step's content decides its reuse."""
    return part_of(content, deciding_paths(spec))


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
