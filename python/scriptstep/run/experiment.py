"""Experiments: what runs are filed under."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from scriptstep.errors import ArgumentError
from scriptstep.run.missing import not_here
from scriptstep.run.run import Run

if TYPE_CHECKING:
    from scriptstep.workspace.workspace import Workspace

__all__ = ["Experiment"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}\Z")
_OPTIONS = (
    "pipeline_parameters pipeline_params continue_on_step_failure regenerate_outputs parent_run_id "
    "credential_passthrough input_identity jobs audit retries display_name description"
)
_SUBMIT = frozenset(_OPTIONS.split())


class Experiment:
    """What runs are filed under.

    Args:
        workspace: Its workspace.
        name: 1 to 255 letters, digits, `-` and `_`, the first a letter or digit.
        **kwargs: Not used here.

    Raises:
        ArgumentError: The name cannot be one.
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        _skip_name_validation: bool = False,
        _id: str | None = None,
        _archived_time: Any = None,
        _create_in_cloud: bool = True,
        _experiment_dto: Any = None,
        **kwargs: Any,
    ) -> None:
        if not _skip_name_validation:
            _check_name(name)
        self._workspace, self._name = workspace, name

    @property
    def name(self) -> str:
        """Returns: its name."""
        return self._name

    @property
    def workspace(self) -> Workspace:
        """Returns: its workspace."""
        return self._workspace

    @property
    def workspace_object(self) -> Workspace:
        """Returns: its workspace; the old name of `workspace`."""
        return self._workspace

    @property
    def id(self) -> str:
        """Returns: its id: the same wherever workspace and experiment have these names."""
        import uuid

        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"scriptstep:{self._workspace.name}/{self._name}"))

    @property
    def identity(self) -> str:
        """Returns: what names it in messages."""
        return f"Experiment#{self._name}"

    @property
    def archived_time(self) -> None:
        """Returns: None; experiments are not archived here."""
        return

    @property
    def portal_url(self) -> str:
        """Returns: where to look at it."""
        return self.get_portal_url()

    def get_portal_url(self) -> str:
        """Returns: the URL of the folder that holds the logs and files of runs."""
        from pathlib import Path

        return (Path(self._workspace._place.home) / "runs").as_uri()

    # --- runs

    def submit(self, config: Any, tags: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        """Starts a pipeline, or a script or command by itself; returns at once.

        Args:
            config: The pipeline, a published one or an endpoint, or a `ScriptRunConfig`.
            tags: Of the run; kept as text.
            **kwargs: As of `Pipeline.submit`: `pipeline_parameters`, `continue_on_step_failure`, `regenerate_outputs`;
                besides `input_identity`, `jobs`, `audit`, `retries`, `display_name` and `description`; of a script the
                last four.

        Returns:
            The run; a plain `Run` where it is that of a script.

        Raises:
            ArgumentError: It is neither, or a parameter is unknown or of another type.
            NotImplementedError: It is something of the SDK that cannot be submitted here.
        """
        from scriptstep.authoring.pipeline import Pipeline
        from scriptstep.authoring.script_run_config import ScriptRunConfig
        from scriptstep.console import notice
        from scriptstep.run.submission import submit_pipeline, submit_script

        if isinstance(config, ScriptRunConfig):
            return submit_script(config, self, tags=tags, **kwargs)
        submit = submit_pipeline if isinstance(config, Pipeline) else getattr(type(config), "_submitted", None)
        if submit is None:
            _refuse(config)
        known = _SUBMIT | getattr(type(config), "_more_options", frozenset())
        if unknown := sorted(set(kwargs) - known):
            notice(f"Experiment.submit of a pipeline does not use {', '.join(unknown)}", level="warning")
        given = {name: value for name, value in kwargs.items() if name in known and name != "credential_passthrough"}
        older = given.pop("pipeline_params", None)
        if older is not None:
            given.setdefault("pipeline_parameters", older)
        run: Run = submit(config, self._name, tags=tags, **given)
        return run

    def start_logging(self, *args: Any, **kwargs: Any) -> Run:
        """Starts a run that this process logs to.

        Args:
            *args: Not used here.
            **kwargs: `display_name`; others are not used here.

        Returns:
            The run; `complete()` ends it.
        """
        from scriptstep.run.start import started

        return started(self, "interactive", kwargs.get("display_name"), kwargs.get("run_id"))

    def get_runs(
        self, type: str | None = None, tags: Any = None, properties: Any = None, include_children: bool = False
    ) -> Generator[Any, None, None]:
        """Lists its runs.

        Args:
            type: Only of this type, as the SDK spells it, e.g. "azureml.PipelineRun".
            tags: Only with this tag, or with these of these values.
            properties: Only with this property, or with these of these values.
            include_children: The steps of pipelines, too.

        Yields:
            The runs, the newest first; a PipelineRun where it is one.
        """
        yield from Run.list(self, type=type, tags=tags, properties=properties, include_children=include_children)

    # --- experiments

    @staticmethod
    def list(
        workspace: Workspace, experiment_name: str | None = None, view_type: str = "ActiveOnly", tags: Any = None
    ) -> Any:
        """Lists the experiments of a workspace.

        Args:
            workspace: The workspace.
            experiment_name: Only the one of this name.
            view_type: Not used here.
            tags: Not used here.

        Returns:
            The experiments, the oldest first.
        """
        names = workspace._catalog.experiments()
        return [
            Experiment(workspace, name, _skip_name_validation=True)
            for name in names
            if experiment_name is None or name == experiment_name
        ]

    def refresh(self) -> None:
        """Nothing of it is kept here that could be out of date."""

    @property
    def tags(self) -> dict[str, str]:
        """Returns: nothing; runs have tags, experiments here have none."""
        return {}

    def tag(self, key: str, value: Any = None) -> NoReturn:
        """Not here."""
        not_here("Experiment.tag()", "tag its runs: run.tag(key, value)")

    def set_tags(self, tags: Any) -> NoReturn:
        """Not here."""
        not_here("Experiment.set_tags()", "tag its runs: run.set_tags(tags)")

    def remove_tags(self, tags: Any) -> NoReturn:
        """Not here."""
        not_here("Experiment.remove_tags()", "tag its runs: run.remove_tags(tags)")

    def archive(self) -> NoReturn:
        """Not here."""
        not_here("Experiment.archive()", "give the next runs another experiment name")

    def reactivate(self, new_name: str | None = None) -> NoReturn:
        """Not here."""
        not_here("Experiment.reactivate()", "experiments are not archived here")

    @staticmethod
    def delete(workspace: Workspace, experiment_id: str) -> NoReturn:
        """Not here."""
        not_here("Experiment.delete()", "give the next runs another experiment name")

    @staticmethod
    def from_directory(path: str, auth: Any = None) -> NoReturn:
        """Not here."""
        not_here("Experiment.from_directory()", "Experiment(Workspace.from_config(), name)")

    @classmethod
    def get_docs_url(cls) -> NoReturn:
        """Not here."""
        not_here("Experiment.get_docs_url()", "help(Experiment) shows what it can do")

    def __repr__(self) -> str:
        return f"Experiment({self._name} in {self._workspace.name})"

    def __str__(self) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Experiment) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise ArgumentError(f"the name of an experiment is text, not {type(name).__name__}")
    if not _NAME.match(name):
        raise ArgumentError(
            f"'{name}' cannot be the name of an experiment",
            help="1 to 255 letters, digits, '-' and '_', the first a letter or digit",
        )


def _refuse(config: Any) -> NoReturn:
    kind = type(config).__name__
    if isinstance(config, (list, tuple)) or hasattr(config, "run_after"):
        raise ArgumentError(
            f"Experiment.submit: a pipeline is needed, not {kind}", help="submit Pipeline(workspace, steps=[...])"
        )
    if type(config).__module__.startswith(("scriptstep.", "azureml.")):
        not_here(
            f"Experiment.submit of a {kind}",
            "make the script a PythonScriptStep, and submit Pipeline(workspace, steps=[step])",
        )
    raise ArgumentError(f"Experiment.submit: a pipeline is needed, not {kind}")
