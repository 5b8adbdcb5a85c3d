"""From a pipeline, or a script by itself, to a run that is under way."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from scriptstep.console import notice
from scriptstep.errors import ArgumentError
from scriptstep.history import texts
from scriptstep.run.experiment import Experiment, _check_name
from scriptstep.run.pipeline_run import PipelineRun
from scriptstep.run.script_run import ScriptRun
from scriptstep.run.waiting import remember

if TYPE_CHECKING:
    from scriptstep.graph import Graph
    from scriptstep.history import RunRow
    from scriptstep.workspace.settings import Settings
    from scriptstep.workspace.workspace import Workspace

__all__ = [
    "Frozen",
    "InputIdentity",
    "Submittable",
    "parameter_values",
    "set_defaults",
    "submit_pipeline",
    "submit_script",
]

InputIdentity = Literal["definition", "content"]

_jobs: int | None = None
_input_identity: InputIdentity | None = None
_retries: int | None = None


@dataclass(frozen=True)
class Frozen:
    """What holds of a pipeline that was published, whatever changed since.

    Attributes:
        contents: Tree of each source directory.
        settings: The settings.
        pipeline_id: Id of the published pipeline.
    """

    contents: Mapping[str, str]
    settings: Settings
    pipeline_id: str | None


class Submittable(Protocol):
    """A pipeline, as it is declared or as it was published."""

    _workspace: Workspace
    graph: Graph
    description: str | None
    _default_datastore_name: str | None
    _pipeline_outputs: dict[str, tuple[str, str]]


def set_defaults(
    *, jobs: int | None = None, input_identity: InputIdentity | None = None, retries: int | None = None
) -> None:
    """Says what holds where a submit says nothing; the command line does.

    Args:
        jobs: Most steps side by side; None for the number of cores.
        input_identity: What datasets are known by; None for the setting.
        retries: How often a step that fails is tried again.
    """
    global _jobs, _input_identity, _retries
    _jobs, _input_identity, _retries = jobs, input_identity, retries


def submit_pipeline(
    pipeline: Submittable,
    experiment_name: str,
    *,
    pipeline_parameters: Mapping[str, Any] | None = None,
    continue_on_step_failure: bool = False,
    regenerate_outputs: bool = False,
    tags: Mapping[str, Any] | None = None,
    parent_run_id: str | None = None,
    input_identity: InputIdentity | None = None,
    jobs: int | None = None,
    retries: int | None = None,
    display_name: str | None = None,
    description: str | None = None,
    frozen: Frozen | None = None,
) -> PipelineRun:
    """Starts a pipeline; returns at once.

    Args:
        pipeline: The pipeline.
        experiment_name: What to file the run under.
        pipeline_parameters: Values in place of the defaults, by name of the parameter.
        continue_on_step_failure: Whether steps that do not need a failed one go on.
        regenerate_outputs: Whether every step runs, reusable or not.
        tags: Of the run; kept as text.
        parent_run_id: Not used here.
        input_identity: Whether datasets are known by "definition" or by "content"; None for the setting.
        jobs: Most steps side by side; None for the number of cores.
        retries: How often a step that fails is tried again, where its run configuration says nothing; None for never.
        display_name: The name to show; the experiment's where None.
        description: In the user's words; the pipeline's where None.
        frozen: What holds of it, where it was published.

    Returns:
        The run.

    Raises:
        ArgumentError: A name or value cannot be; a parameter is unknown or of another type.
    """
    _check_name(experiment_name)
    _check_options(tags, input_identity, jobs, retries)
    if parent_run_id is not None:
        notice("parent_run_id is not used here: the run stands for itself", level="warning")
    from scriptstep.engine.coordinator import start
    from scriptstep.engine.submission import Submission

    workspace = pipeline._workspace
    submission = Submission(
        graph=pipeline.graph,
        workspace=workspace,
        experiment=experiment_name,
        parameters=parameter_values(pipeline, pipeline_parameters),
        default_datastore=pipeline._default_datastore_name,
        continue_on_step_failure=bool(continue_on_step_failure),
        regenerate_outputs=bool(regenerate_outputs),
        tags=texts(tags),
        description=description or pipeline.description,
        input_identity=input_identity or _input_identity,
        jobs=jobs or _jobs,
        retries=_retries_of(retries),
        display_name=display_name,
        pipeline_outputs=dict(pipeline._pipeline_outputs),
    )
    if frozen is not None:
        submission.contents, submission.settings = frozen.contents, frozen.settings
        submission.pipeline_id = frozen.pipeline_id
    active = start(submission)
    remember(active)
    return PipelineRun(Experiment(workspace, experiment_name), active.run_id, _submitted=pipeline)


def submit_script(
    config: Any,
    experiment: Experiment,
    *,
    tags: Mapping[str, Any] | None = None,
    display_name: str | None = None,
    description: str | None = None,
    retries: int | None = None,
    parent: RunRow | None = None,
    **unused: Any,
) -> ScriptRun:
    """Starts a script or a command by itself; returns at once.

    Args:
        config: The `ScriptRunConfig`.
        experiment: What to file the run under.
        tags: Of the run; kept as text.
        display_name: The name to show; the script's where None.
        description: In the user's words.
        retries: How often it is tried again where it fails, and its run configuration says nothing; None for never.
        parent: The run that it is part of.
        **unused: What else a submit may be given in the SDK; named in a warning.

    Returns:
        The run.

    Raises:
        ArgumentError: It is no ScriptRunConfig, or something in it cannot be.
        UserErrorException: This process is a step: a step starts no runs.
    """
    from scriptstep.authoring.pipeline import Pipeline
    from scriptstep.authoring.script_run_config import ScriptRunConfig

    if not isinstance(config, ScriptRunConfig):
        raise ArgumentError(f"a ScriptRunConfig is needed, not {type(config).__name__}")
    _check_options(tags, None, None, retries)
    if unused:
        notice(f"the submit of a ScriptRunConfig does not use {', '.join(sorted(unused))}", level="warning")
    from scriptstep.engine.coordinator import start
    from scriptstep.engine.submission import Submission

    pipeline = Pipeline(experiment.workspace, steps=[config._step()])
    active = start(
        Submission(
            graph=pipeline.graph,
            workspace=experiment.workspace,
            experiment=experiment.name,
            parameters=parameter_values(pipeline, None),
            tags=texts(tags),
            description=description,
            display_name=display_name,
            retries=_retries_of(retries),
            alone=True,
            parent=parent,
        )
    )
    remember(active)
    return ScriptRun(experiment, active.run_id, _run_config=config.run_config)


def parameter_values(pipeline: Submittable, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Finds the values of a pipeline's parameters.

    Args:
        pipeline: The pipeline.
        given: Values in place of the defaults.

    Returns:
        The value of each, by name.

    Raises:
        ArgumentError: One is unknown, or of another type than its default.
    """
    from scriptstep.graph import parse_parameter

    if given is not None and not isinstance(given, Mapping):
        raise ArgumentError(f"pipeline_parameters is a dict of names and values, not {type(given).__name__}")
    declared = pipeline.graph.params
    values = {name: parameter.spec_value() for name, parameter in declared.items()}
    for name, value in (given or {}).items():
        if name not in declared:
            near = difflib.get_close_matches(str(name), list(declared), 1)
            known = ", ".join(f"'{n}'" for n in declared) or "none"
            raise ArgumentError(
                f"the pipeline has no parameter '{name}'; it has {known}",
                help=f"did you mean '{near[0]}'?" if near else None,
            )
        values[name] = parse_parameter(declared[name], value)
    return values


def _retries_of(given: int | None) -> int:
    return (_retries or 0) if given is None else given


def _check_options(tags: object, input_identity: object, jobs: object, retries: object) -> None:
    if tags is not None and not isinstance(tags, Mapping):
        raise ArgumentError(f"tags are a dict of names and values, not {type(tags).__name__}")
    if input_identity is not None and input_identity not in get_args(InputIdentity):
        raise ArgumentError(f"input_identity is 'definition' or 'content', not {input_identity!r}")
    if jobs is not None and (not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1):
        raise ArgumentError(f"jobs is a number of steps, at least 1, not {jobs!r}")
    if retries is not None and (not isinstance(retries, int) or isinstance(retries, bool) or retries < 0):
        raise ArgumentError(f"retries is how often a step is tried again, at least 0, not {retries!r}")
