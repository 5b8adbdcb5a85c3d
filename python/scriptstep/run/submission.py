"""From a pipeline, or a script by itself, to a run that is under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args

from scriptstep.console import notice
from scriptstep.errors import ArgumentError, nearest
from scriptstep.history import texts
from scriptstep.records import dataclass
from scriptstep.run.experiment import Experiment, _check_name
from scriptstep.run.pipeline_run import PipelineRun
from scriptstep.run.script_run import ScriptRun
from scriptstep.run.waiting import remember

if TYPE_CHECKING:
    from scriptstep.engine.submission import Submission
    from scriptstep.graph import Graph
    from scriptstep.history import RunRow
    from scriptstep.workspace.settings import Settings
    from scriptstep.workspace.workspace import Workspace

__all__ = [
    "AuditMode",
    "Frozen",
    "InputIdentity",
    "Submittable",
    "parameter_values",
    "set_defaults",
    "submission_of",
    "submit_pipeline",
    "submit_script",
    "take_instead",
]

InputIdentity = Literal["definition", "content"]
AuditMode = Literal["report", "strict"]

_taker: Callable[[Submission], Any] | None = None


@dataclass(frozen=True)
class _Defaults:
    """What holds where a submit says nothing."""

    jobs: int | None = None
    input_identity: InputIdentity | None = None
    audit: AuditMode | None = None
    retries: int = 0
    debug: str | None = None


_defaults = _Defaults()


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
    *,
    jobs: int | None = None,
    input_identity: InputIdentity | None = None,
    audit: AuditMode | None = None,
    retries: int | None = None,
    debug: str | None = None,
) -> None:
    """Says what holds where a submit says nothing; the command line does.

    Args:
        jobs: Most steps side by side; None for the number of cores.
        input_identity: What datasets are known by; None for the setting.
        audit: Whether steps are watched for what they read from outside; None for not.
        retries: How often a step that fails is tried again; None for never.
        debug: Name of a step that runs on the terminal; None for none.
    """
    global _defaults
    _defaults = _Defaults(jobs, input_identity, audit, retries or 0, debug)


def submit_pipeline(pipeline: Submittable, experiment_name: str, **options: Any) -> PipelineRun:
    """Starts a pipeline; returns at once.

    Args:
        pipeline: The pipeline.
        experiment_name: What to file the run under.
        **options: As of `submission_of`.

    Returns:
        The run.

    Raises:
        ArgumentError: A name or value cannot be; a parameter is unknown or of another type.
    """
    submission = submission_of(pipeline, experiment_name, **options)
    run = _started(submission, lambda id: _pipeline_run(submission, id, pipeline))
    return cast("PipelineRun", run)


def submission_of(
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
    audit: AuditMode | None = None,
    retries: int | None = None,
    display_name: str | None = None,
    description: str | None = None,
    frozen: Frozen | None = None,
) -> Submission:
    """Writes down what a submit would run.

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
        audit: "report" to be told what steps read from outside their copy, inputs and environment; "strict" makes that
            a failure of the step. A step whose result was not audited runs.
        retries: How often a step that fails is tried again, where its run configuration says nothing; None for never.
        display_name: The name to show; the experiment's where None.
        description: In the user's words; the pipeline's where None.
        frozen: What holds of it, where it was published.

    Returns:
        The submission.

    Raises:
        ArgumentError: A name or value cannot be; a parameter is unknown or of another type.
    """
    _check_name(experiment_name)
    _check_options(tags, input_identity, jobs, audit, retries)
    if parent_run_id is not None:
        notice("parent_run_id is not used here: the run stands for itself", level="warning")
    from scriptstep.engine.submission import Submission

    submission = Submission(
        graph=pipeline.graph,
        workspace=pipeline._workspace,
        experiment=experiment_name,
        parameters=parameter_values(pipeline, pipeline_parameters),
        default_datastore=pipeline._default_datastore_name,
        continue_on_step_failure=bool(continue_on_step_failure),
        regenerate_outputs=bool(regenerate_outputs),
        tags=texts(tags),
        description=description or pipeline.description,
        input_identity=input_identity or _defaults.input_identity,
        jobs=jobs or _defaults.jobs,
        audit=audit or _defaults.audit,
        retries=_defaults.retries if retries is None else retries,
        display_name=display_name,
        pipeline_outputs=dict(pipeline._pipeline_outputs),
    )
    if _defaults.debug is not None:
        submission.debug = _named_step(pipeline.graph, _defaults.debug)
    if frozen is not None:
        submission.contents, submission.settings = frozen.contents, frozen.settings
        submission.pipeline_id = frozen.pipeline_id
    return submission


def submit_script(
    config: Any,
    experiment: Experiment,
    *,
    tags: Mapping[str, Any] | None = None,
    display_name: str | None = None,
    description: str | None = None,
    retries: int | None = None,
    parent: RunRow | None = None,
    audit: AuditMode | None = None,
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
        audit: As of `submit_pipeline`.
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
    _check_options(tags, None, None, audit, retries)
    if unused:
        notice(f"the submit of a ScriptRunConfig does not use {', '.join(sorted(unused))}", level="warning")
    from scriptstep.engine.submission import Submission

    pipeline = Pipeline(experiment.workspace, steps=[config._step()])
    submission = Submission(
        graph=pipeline.graph,
        workspace=experiment.workspace,
        experiment=experiment.name,
        parameters=parameter_values(pipeline, None),
        tags=texts(tags),
        description=description,
        display_name=display_name,
        retries=_defaults.retries if retries is None else retries,
        alone=True,
        parent=parent,
        audit=audit or _defaults.audit,
    )
    run = _started(submission, lambda id: ScriptRun(experiment, id, _run_config=config.run_config))
    return cast("ScriptRun", run)


def take_instead(taker: Callable[[Submission], Any] | None) -> None:
    """Has what is submitted in this process handed to somebody, who answers for the run; nothing is started.

    Args:
        taker: Is given each submission; None for the usual way.
    """
    global _taker
    _taker = taker


def _started(submission: Submission, run: Callable[[str], Any]) -> Any:
    if _taker is not None:
        return _taker(submission)
    from scriptstep.engine.coordinator import start

    active = start(submission)
    remember(active)
    return run(active.run_id)


def _pipeline_run(submission: Submission, run_id: str, pipeline: Submittable) -> PipelineRun:
    return PipelineRun(Experiment(submission.workspace, submission.experiment), run_id, _submitted=pipeline)


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
            near = nearest(str(name), declared)
            known = ", ".join(f"'{n}'" for n in declared) or "none"
            raise ArgumentError(
                f"the pipeline has no parameter '{name}'; it has {known}",
                help=f"did you mean '{near}'?" if near else None,
            )
        values[name] = parse_parameter(declared[name], value)
    return values


def _named_step(graph: Graph, name: str) -> str:
    """Returns: the name, where a step has it."""
    names = sorted({node.name for node in graph.module_nodes})
    if name not in names:
        near = nearest(name, names)
        raise ArgumentError(
            f"no step of the pipeline is called '{name}'; it has {', '.join(names)}",
            help=f"did you mean '{near}'?" if near else None,
        )
    return name


def _check_options(tags: object, input_identity: object, jobs: object, audit: object, retries: object) -> None:
    if tags is not None and not isinstance(tags, Mapping):
        raise ArgumentError(f"tags are a dict of names and values, not {type(tags).__name__}")
    if input_identity is not None and input_identity not in get_args(InputIdentity):
        raise ArgumentError(f"input_identity is 'definition' or 'content', not {input_identity!r}")
    if jobs is not None and (not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1):
        raise ArgumentError(f"jobs is a number of steps, at least 1, not {jobs!r}")
    if audit is not None and audit not in get_args(AuditMode):
        raise ArgumentError(f"audit is 'report' or 'strict', not {audit!r}")
    if retries is not None and (not isinstance(retries, int) or isinstance(retries, bool) or retries < 0):
        raise ArgumentError(f"retries is how often a step is tried again, at least 0, not {retries!r}")
