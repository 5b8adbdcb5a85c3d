"""A run, in the script that it is and read back from anywhere."""

from __future__ import annotations

import builtins
from collections.abc import Generator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from scriptstep.errors import ArgumentError, NotRegisteredError, RunEnvironmentException
from scriptstep.history import RunRow, now
from scriptstep.run.finding import TYPES, is_wanted, known_id, rehydrated
from scriptstep.run.metrics import Logs
from scriptstep.run.missing import not_here
from scriptstep.run.run_files import HasFiles
from scriptstep.run.status import COORDINATED, ENDED, short, status_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from scriptstep.run.experiment import Experiment
    from scriptstep.workspace.catalog import Catalog
    from scriptstep.workspace.workspace import Workspace

__all__ = ["Run", "get_run"]

R = TypeVar("R", bound="Run")


class Run(Logs, HasFiles):
    """A run of an experiment.

    Args:
        experiment: Its experiment.
        run_id: Its id; so much of it as no other run's id begins with is enough.
        outputs: Not used here.
        **kwargs: `_row`: its record, where that was just read; others are not used here.

    Raises:
        NotRegisteredError: There is no such run.
    """

    def __init__(self, experiment: Experiment, run_id: str, outputs: Any = None, **kwargs: Any) -> None:
        self._experiment = experiment
        self._workspace: Workspace = experiment.workspace
        self._catalog: Catalog = self._workspace._catalog
        row: RunRow | None = kwargs.get("_row")
        self._id = row.id if row is not None else known_id(self._catalog, run_id)

    # --- what it is

    @property
    def id(self) -> str:
        """Returns: its id."""
        return self._id

    @property
    def experiment(self) -> Experiment:
        """Returns: its experiment."""
        return self._experiment

    @property
    def name(self) -> str:
        """Returns: its name; a step's name where it is the run of one."""
        return self._row().name

    @property
    def display_name(self) -> str:
        """Returns: the name that it is shown under."""
        return str(self._row().details.get("display_name") or self._row().name)

    @display_name.setter
    def display_name(self, value: str) -> None:
        self._catalog.update_run(self._id, details={**self._row().details, "display_name": str(value)})

    @property
    def description(self) -> str | None:
        """Returns: its description."""
        return self._row().description

    @description.setter
    def description(self, value: str | None) -> None:
        self._catalog.update_run(self._id, description=value)

    @property
    def number(self) -> int:
        """Returns: its number in its experiment."""
        return self._row().number

    @property
    def type(self) -> str | None:
        """Returns: what kind of run it is, as the SDK spells it."""
        return TYPES.get(self._row().kind)

    @property
    def identity(self) -> str:
        """Returns: what names it in messages."""
        return f"Run#{self._id}"

    @property
    def status(self) -> str:
        """Returns: how it stands."""
        return self.get_status()

    @property
    def parent(self) -> Run | None:
        """Returns: the run that it is part of; a step's pipeline run."""
        above = self._row().parent
        return rehydrated(self._workspace, self._catalog.run(above)) if above else None

    @property
    def portal_url(self) -> str:
        """Returns: where to look at it."""
        return self.get_portal_url()

    def get_portal_url(self) -> str:
        """Returns: the URL of the folder that holds its logs and files."""
        return self._folder().as_uri()

    def _folder(self) -> Path:
        return Path(self._workspace._place.home) / (self._row().directory or "runs")

    def _row(self) -> RunRow:
        row = self._catalog.run(self._id)
        if row is None:
            raise NotRegisteredError(f"run {short(self._id)} is not in the history any more")
        return row

    def get_status(self) -> str:
        """Returns: how it stands, as the SDK spells it."""
        row = self._row()
        if row.status in ENDED:
            return row.status
        root = self._catalog.run(row.parent) if row.kind == "step" and row.parent else None
        return status_of(row, self._workspace._place.home, root)

    def get_detailed_status(self) -> dict[str, Any]:
        """Returns: how it stands, and why."""
        row = self._row()
        error = row.error or {}
        return {"status": self.get_status(), "details": {"detailedMessage": error.get("message", "")}}

    def get_details(self) -> dict[str, Any]:
        """Returns: all about it, as the SDK lists it: times, error, datasets, logs, properties."""
        from scriptstep.run.details import details_of

        return details_of(self)

    def get_details_with_logs(self) -> dict[str, Any]:
        """Returns: all about it, and what its processes printed."""
        found = self.get_details()
        listed = self._catalog.files(self._id)
        found["logFiles"] = {name: listed[name].read_text("utf-8", "replace") for name in found["logFiles"]}
        return found

    # --- which runs there are

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> Run:
        """Finds a run.

        Args:
            workspace: Where to look.
            run_id: Its id, or its first characters where no other begins so.

        Returns:
            It: a PipelineRun or StepRun where it is one.

        Raises:
            NotRegisteredError: There is no such run.
        """
        catalog = workspace._catalog
        return rehydrated(workspace, catalog.run(known_id(catalog, run_id)))

    @staticmethod
    def list(
        experiment: Experiment,
        type: str | None = None,
        tags: Any = None,
        properties: Any = None,
        status: str | None = None,
        include_children: bool = False,
        _rehydrate_runs: bool = True,
    ) -> Generator[Run, None, None]:
        """Lists the runs of an experiment.

        Args:
            experiment: The experiment.
            type: Only of this type, as the SDK spells it.
            tags: Only with this tag, or with these of these values.
            properties: Only with this property, or with these of these values.
            status: Only those that stand so.
            include_children: The steps of pipelines, too.

        Yields:
            The runs, the newest first.
        """
        workspace = experiment.workspace
        catalog = workspace._catalog
        for row in catalog.runs(experiment=experiment.name):
            if row.parent is not None and not include_children:
                continue
            if is_wanted(catalog, row, type, tags, properties):
                run = rehydrated(workspace, row)
                if status is None or run.get_status() == status:
                    yield run

    def get_children(
        self,
        recursive: bool = False,
        tags: Any = None,
        properties: Any = None,
        type: str | None = None,
        status: str | None = None,
        _rehydrate_runs: bool = True,
    ) -> Generator[Any, None, None]:
        """Lists the runs that are part of this one.

        Args:
            recursive: Their parts, too.
            tags: Only with this tag, or with these of these values.
            properties: Only with this property, or with these of these values.
            type: Only of this type, as the SDK spells it.
            status: Only those that stand so.

        Yields:
            The runs; the steps of a pipeline in the order that they were planned in.
        """
        rows = self._below() if recursive else self._catalog.runs(parent=self._id)
        for row in reversed(rows):
            if is_wanted(self._catalog, row, type, tags, properties):
                run = rehydrated(self._workspace, row)
                if status is None or run.get_status() == status:
                    yield run

    # --- its course

    def start(self) -> None:
        """Says that the run has begun."""
        self._catalog.update_run(self._id, status="Running", started=now())

    def complete(self, _set_status: bool = True) -> None:
        """Says that the run came to a good end."""
        self._end("Completed")

    def fail(self, error_details: Any = None, error_code: Any = None, _set_status: bool = True) -> None:
        """Says that the run failed.

        Args:
            error_details: What went wrong.
            error_code: Of what kind it is.
        """
        message = str(error_details) if error_details is not None else "marked as failed"
        self._end("Failed", {"message": message, "code": error_code})

    def cancel(self) -> None:
        """Ends the run as cancelled, with every process that belongs to it."""
        row = self._row()
        if row.kind in ("pipeline", "script") and row.status not in ENDED:
            from scriptstep.run.waiting import ask_for_cancel

            ask_for_cancel(self)
            return
        self._end("Canceled")

    def _end(self, status: str, error: dict[str, Any] | None = None) -> None:
        row = self._row()
        if row.status in ENDED:
            return
        if row.kind in COORDINATED:
            not_here(f"ending the run of a {row.kind} by hand", "it ends with its scripts; cancel the run")
        fields: dict[str, Any] = {"error": error} if error else {}
        self._catalog.update_run(self._id, status=status, ended=now(), **fields)

    def flush(self, timeout_seconds: int = 300) -> None:
        """Nothing waits to be written: what is logged is logged."""

    def clean(self) -> None:
        """Nothing is left on a compute target that could be cleaned away."""

    def wait_for_completion(
        self, show_output: bool = False, wait_post_processing: bool = False, raise_on_error: bool = True
    ) -> Any:
        """Waits for the run's end.

        Args:
            show_output: Print what the script prints, as it comes.
            wait_post_processing: Not used here.
            raise_on_error: Raise where it failed.

        Returns:
            All about the run, as `get_details` has it.

        Raises:
            ActivityFailedException: It failed.
        """
        from scriptstep.run.waiting import wait_for_run

        wait_for_run(self, show_output, raise_on_error)
        return self.get_details()

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: Any = None) -> Run:
        """Starts a run that is part of this one.

        Args:
            name: Its name.
            run_id: Its id; made up where None.
            outputs: Not used here.

        Returns:
            The run.
        """
        from scriptstep.run.start import started

        row = self._row()
        return started(self._experiment, "child", name, run_id, parent=row)

    def create_children(
        self, count: int | None = None, tag_key: str | None = None, tag_values: Sequence[Any] | None = None
    ) -> Sequence[Run]:
        """Starts several runs that are part of this one.

        Args:
            count: How many.
            tag_key: A tag for each of them.
            tag_values: The values of that tag, one a run.

        Returns:
            The runs.

        Raises:
            ArgumentError: Their number is given neither way, or both ways differ.
        """
        if (count is None) == (tag_values is None) and (count is None or len(tag_values or ()) != count):
            raise ArgumentError("create_children: give a count, or tag_key and tag_values")
        children = [self.child_run() for _ in range(count if count is not None else len(tag_values or ()))]
        for child, value in zip(children, tag_values or (), strict=False):
            child.tag(str(tag_key), value)
        return children

    def submit_child(self, config: Any, tags: Any = None, **kwargs: Any) -> Any:
        """Starts a script or a command as a run that is part of this one; returns at once.

        Args:
            config: The `ScriptRunConfig`.
            tags: Of the run; kept as text.
            **kwargs: `display_name` and `description`.

        Returns:
            The run.

        Raises:
            ArgumentError: It is no ScriptRunConfig, or something in it cannot be.
            UserErrorException: This is a step's own script: a step starts no runs.
        """
        from scriptstep.run.submission import submit_script

        return submit_script(config, self._experiment, tags=tags, parent=self._row(), **kwargs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: builtins.type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.complete()
        else:
            self.fail(error_details=repr(error))

    # --- the script's own run

    @classmethod
    def get_context(cls, allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: Any) -> Any:
        """Gives the run that this process is a part of.

        Args:
            allow_offline: Outside of any run, give one that keeps nothing.
            used_for_context_manager: Not used here.
            **kwargs: Not used here.

        Returns:
            The run of the step; outside of one, an offline run.

        Raises:
            RunEnvironmentException: This is no run, and none that keeps nothing was allowed.
        """
        from scriptstep.run.submitted_run import current_run

        run = current_run()
        if run is not None:
            return run
        if not allow_offline:
            raise RunEnvironmentException(
                "this process is not a run",
                help="submit the script as a step, or allow_offline=True for a run that keeps nothing",
            )
        from scriptstep.runtime.offline import _OfflineRun

        return _OfflineRun()

    @classmethod
    def get_submitted_run(cls, **kwargs: Any) -> Any:
        """Gives the run that this process is a part of; the old name of `get_context`."""
        return cls.get_context(**kwargs)

    # --- secrets

    def get_secret(self, name: str) -> str | None:
        """Returns: a secret of the workspace's key vault."""
        return self.get_secrets([name])[name]

    def get_secrets(self, secrets: Sequence[str]) -> dict[str, str | None]:
        """Returns: secrets of the workspace's key vault, by name."""
        vault = self._workspace.get_default_keyvault()
        return {name: vault.get_secret(name) for name in secrets}

    # --- what a run has in the cloud alone

    def get_environment(self) -> NoReturn:
        """Not here yet."""
        not_here("Run.get_environment()", "read the declared environment from the step's runconfig")

    def take_snapshot(self, file_or_folder_path: Any) -> NoReturn:
        """Not here."""
        not_here("Run.take_snapshot()", "use upload_folder(name, path)")

    @staticmethod
    def list_by_compute(
        compute: Any, type: str | None = None, tags: Any = None, properties: Any = None, status: str | None = None
    ) -> NoReturn:
        """Not here."""
        not_here("Run.list_by_compute()", "list the runs of an experiment: Experiment.get_runs()")

    @staticmethod
    def add_type_provider(runtype: str, run_factory: Any) -> NoReturn:
        """Not here."""
        not_here("Run.add_type_provider()", "make the object from the run: MyRun(run.experiment, run.id)")

    @classmethod
    def get_docs_url(cls) -> NoReturn:
        """Not here."""
        not_here(f"{cls.__name__}.get_docs_url()", f"help({cls.__name__}) shows what it can do")

    def __repr__(self) -> str:
        row = self._row()
        return f"{type(self).__name__}({row.name}, run {short(self._id)}: {self.get_status()})"

    def __str__(self) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other._id == self._id

    def __hash__(self) -> int:
        return hash(self._id)


def get_run(experiment: Experiment, run_id: str, rehydrate: bool = True, clean_up: bool = True) -> Run:
    """Finds a run, as `Run.get` does.

    Args:
        experiment: Its experiment.
        run_id: Its id.
        rehydrate: Not used here.
        clean_up: Not used here.

    Returns:
        The run.
    """
    return Run.get(experiment.workspace, run_id)
