"""A pipeline: steps, and all that they need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scriptstep.authoring.builder import build_graph
from scriptstep.authoring.graph_context import _GraphContext
from scriptstep.authoring.steps import PipelineStep
from scriptstep.errors import ArgumentError, ArgumentTypeError, AzureMLException
from scriptstep.graph import Graph

if TYPE_CHECKING:
    from scriptstep.published.pipeline import PublishedPipeline
    from scriptstep.run.pipeline_run import PipelineRun
    from scriptstep.run.plan import Plan

__all__ = ["Pipeline"]


class Pipeline:
    """Steps, and all steps that they need, as a graph.

    Args:
        workspace: Where it runs.
        steps: A step, a list, a `StepSequence`, nested as you like. Steps whose output is read, or that others run
            after, are taken in.
        description: In your words.
        default_datastore: Where outputs are kept that name no datastore; None for the workspace's default.
        default_source_directory: The folder of steps that name none; None for the working directory.
        resolve_closure: Whether steps that are needed and not named are taken in, else they are an error.
        _workflow_provider: As in the SDK, not used.
        _service_endpoint: As in the SDK, not used.
        **kwargs: Nothing else is known.

    Attributes:
        graph: The graph.
        description: The description.

    Raises:
        ArgumentError: Something cannot be: a script is missing, an output has two writers, steps wait for each other.
            The message names the step and its line.
    """

    def __init__(
        self,
        workspace: Any,
        steps: Any,
        description: str | None = None,
        default_datastore: Any = None,
        default_source_directory: Any = None,
        resolve_closure: bool = True,
        _workflow_provider: Any = None,
        _service_endpoint: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            raise ArgumentTypeError(f"Pipeline: there is no parameter {min(kwargs)!r}")
        if workspace is None or isinstance(workspace, str):
            raise ArgumentTypeError(
                f"Pipeline: workspace must be a Workspace, not {workspace!r}",
                help="for example Workspace.from_config()",
            )
        if default_datastore is not None and not isinstance(getattr(default_datastore, "name", default_datastore), str):
            raise ArgumentTypeError(f"Pipeline: default_datastore must be a datastore, not {default_datastore!r}")
        self._workspace = workspace
        self.description = description
        self._default_datastore_name: str | None = (
            None if default_datastore is None else str(getattr(default_datastore, "name", default_datastore))
        )
        self._experiment_name = ""
        context = self._context = _GraphContext("", workspace, default_source_directory)
        self.graph: Graph
        self._steps: list[PipelineStep]
        self.graph, self._steps = build_graph(
            description or "pipeline", steps, default_datastore, context, resolve_closure
        )
        self.graph.order()
        self._pipeline_outputs = self._named_outputs()

    @staticmethod
    def load_yaml(
        workspace: Any, filename: Any, _workflow_provider: Any = None, _service_endpoint: str | None = None
    ) -> Pipeline:
        """Makes a pipeline of a YAML file: written by hand in the SDK's form, or by `save` of a published pipeline.

        Args:
            workspace: Where it runs.
            filename: The file; what it names is relative to its folder.
            _workflow_provider: As in the SDK, not used.
            _service_endpoint: As in the SDK, not used.

        Returns:
            The pipeline.

        Raises:
            UserErrorException: The file cannot be read, or is no YAML.
            ArgumentError: It says something that cannot be; the place in it is named.
            NotRegisteredError: A datastore or a dataset is not there.
            NotImplementedError: A step is of a kind that is not here.
        """
        from scriptstep.authoring.pipeline_export import import_pipeline, is_export
        from scriptstep.authoring.pipeline_yaml import steps_of_file
        from scriptstep.workspace.conda import read_yaml

        file = Path(filename)
        data = read_yaml(file, "pipeline")
        if not is_export(data):
            steps, description = steps_of_file(data, file, workspace)
            return Pipeline(workspace, steps, description)
        made = Pipeline.__new__(Pipeline)
        made._workspace, made._experiment_name, made._steps = workspace, "", []
        made._context = _GraphContext("", workspace, None)
        import_pipeline(made, data, file, made._context)
        made.graph.order()
        return made

    def service_endpoint(self) -> str:
        """Returns: what stands for the service that runs it, in the form of a URL; nothing listens there."""
        return f"scriptstep://{self._workspace.name}"

    def _named_outputs(self) -> dict[str, tuple[str, str]]:
        named: dict[str, tuple[str, str]] = {}
        for node in self.graph.module_nodes:
            for output in node.spec.outputs:
                name = output.pipeline_output_name
                if not name:
                    continue
                if name in named:
                    other = self.graph.get_node(named[name][0]).name
                    raise ArgumentError(
                        f"steps '{other}' and '{node.name}' both write a pipeline output '{name}'",
                        help="give each pipeline_output_name once",
                    )
                named[name] = (node.node_id, output.name)
        return named

    def validate(self) -> list[str]:
        """Looks for what would keep the pipeline from running, as things are now.

        Returns:
            What is wrong, one text each; empty where nothing is.
        """
        found = self.graph.validate()
        context = _GraphContext("", self._workspace, self._context.default_source_directory)
        for step in self._steps:
            look = getattr(step, "_source", None)
            if look is None:
                continue
            try:
                look(context)
            except AzureMLException as error:
                found.append(str(error))
        if not self._steps:
            found += [
                f"step '{node.name}': its source_directory {node.spec.source_directory} is not there"
                for node in self.graph.module_nodes
                if not Path(node.spec.source_directory).is_dir()
            ]
        return found

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: dict[str, Any] | None = None,
        continue_on_step_failure: bool = False,
        regenerate_outputs: bool = False,
        parent_run_id: str | None = None,
        credential_passthrough: bool | None = None,
        **kwargs: Any,
    ) -> PipelineRun:
        """Starts the pipeline; returns at once.

        Args:
            experiment_name: Name of the experiment that the run belongs to.
            pipeline_parameters: Values of its parameters; the others have their defaults.
            continue_on_step_failure: Whether steps that do not need a failed one go on.
            regenerate_outputs: Whether every step runs.
            parent_run_id: Id of a run that this one belongs to.
            credential_passthrough: As in the SDK, not used.
            **kwargs: `tags` of the run; `input_identity`, "definition" or "content": what datasets are known by;
                `retries`: how often a step that fails is tried again, where its run configuration says nothing;
                `audit`, "report" or "strict": whether it is told what steps read from outside, or is a failure.

        Returns:
            The run.

        Raises:
            ArgumentError: A parameter is not there, or its value of another type.
            NotImplementedError: `enable_email_notification` is asked for.
        """
        if kwargs.pop("enable_email_notification", None):
            raise NotImplementedError("enable_email_notification is not there: wait_for_completion, then send it")
        known = {name: kwargs.pop(name, None) for name in ("tags", "input_identity", "retries", "audit")}
        if kwargs:
            raise ArgumentTypeError(f"Pipeline.submit: there is no parameter {min(kwargs)!r}")
        from scriptstep.run.submission import submit_pipeline

        return submit_pipeline(
            self,
            experiment_name,
            pipeline_parameters=pipeline_parameters,
            continue_on_step_failure=continue_on_step_failure,
            regenerate_outputs=regenerate_outputs,
            parent_run_id=parent_run_id,
            **known,
        )

    def plan(
        self,
        experiment_name: str = "plan",
        pipeline_parameters: dict[str, Any] | None = None,
        regenerate_outputs: bool = False,
        input_identity: Literal["definition", "content"] | None = None,
    ) -> Plan:
        """Tells what a submit would do now, and why; nothing runs.

        Args:
            experiment_name: Name of the experiment that the run would belong to.
            pipeline_parameters: Values of its parameters; the others have their defaults.
            regenerate_outputs: Whether every step would run.
            input_identity: What datasets are known by; None for the setting.

        Returns:
            The plan: each step with its verdict, the reasons, and what that costs or saves.

        Raises:
            ArgumentError: A parameter is not there, or its value of another type.
            UserErrorException: The pipeline cannot be run.
        """
        from scriptstep.run.plan import plan_of
        from scriptstep.run.submission import submission_of

        return plan_of(
            submission_of(
                self,
                experiment_name,
                pipeline_parameters=pipeline_parameters,
                regenerate_outputs=regenerate_outputs,
                input_identity=input_identity,
            )
        )

    def publish(
        self,
        name: str | None = None,
        description: str | None = None,
        version: str | None = None,
        continue_on_step_failure: bool | None = None,
    ) -> PublishedPipeline:
        """Publishes the pipeline: it can be submitted again, by any process, as it is now.

        Args:
            name: What to call it; the description where None.
            description: In your words; the pipeline's own where None.
            version: Your own mark.
            continue_on_step_failure: Whether steps that do not need a failed one go on.

        Returns:
            The published pipeline.

        Raises:
            ArgumentError: It has no name, or one of the texts is none.
            ContentError: A source directory cannot be read or kept.
        """
        from scriptstep.published.pipeline import published_of

        return published_of(self, name, description, version, continue_on_step_failure)

    def _set_experiment_name(self, name: str) -> None:
        """Keeps the name of an experiment; public code reads the method and does not call it."""
        self._experiment_name = name

    def __repr__(self) -> str:
        return f"Pipeline({len(self._steps)} steps)"
