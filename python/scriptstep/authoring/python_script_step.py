"""The step that runs a Python script, and what it shares with the one that runs a command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scriptstep.authoring.command import command_words, first_word
from scriptstep.authoring.literals import literal_text
from scriptstep.authoring.site import Site
from scriptstep.authoring.source_directory import check_source, read_hash_paths
from scriptstep.authoring.steps import PipelineStep
from scriptstep.errors import ArgumentAttributeError, ArgumentTypeError, AzureMLException
from scriptstep.graph import Graph, ModuleNode, ParameterRef, PipelineParameter, RunSpec, StepSpec, plain_value

__all__ = ["PythonScriptStep", "_PythonScriptStepBase"]

_RUNCONFIG_KEYS = (
    "NodeCount",
    "MpiProcessCountPerNode",
    "TensorflowWorkerCount",
    "TensorflowParameterServerCount",
)


class _PythonScriptStepBase(PipelineStep):
    """The base of steps that run a Python script or a command; parameters as of `PythonScriptStep`.

    Args:
        script_name: The script.
        name: Name of the step.
        arguments: Of the script.
        compute_target: Where it runs.
        runconfig: What else it needs.
        runconfig_pipeline_params: Properties of the runconfig that are given when the pipeline is submitted.
        inputs: What it reads.
        outputs: What it writes.
        params: Environment variables.
        source_directory: The folder of the script.
        allow_reuse: Whether an earlier result may stand for it.
        version: A mark of a change.
        hash_paths: What decides reuse.
        command: What runs where there is no script: a line of shell, or a list of words.

    Raises:
        ArgumentError: Something cannot be.
    """

    def __init__(
        self,
        script_name: str | None = None,
        name: str | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: Any = None,
        runconfig: Any = None,
        runconfig_pipeline_params: Mapping[str, PipelineParameter] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        source_directory: Any = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Sequence[Any] | Literal["imports"] | None = None,
        command: Any = None,
    ) -> None:
        default = first_word(command) if command is not None else script_name
        site = self._site = Site(name if isinstance(name, str) and name else str(default))
        if command is None:
            _check_script_name(script_name, site)
        elif script_name is not None or arguments is not None:
            raise site.error("a step runs a script, with arguments, or a command: one of them", None, ArgumentTypeError)
        if name is not None and not isinstance(name, str):
            raise site.error(f"name must be text, not {name!r}", None, ArgumentTypeError)
        self._script_name = script_name
        self._command = None if command is None else command_words(command, site)
        self._written: Literal["line", "words"] | None = None
        if command is not None:
            self._written = "line" if isinstance(command, str) else "words"
        self._source_directory = _path(source_directory, site)
        self._compute_target = _target(compute_target, site)
        self._runconfig = _checked_runconfig(runconfig, site)
        self._allow_reuse = _truth(allow_reuse, site)
        self._version = _version(version, site)
        self._hash_paths = read_hash_paths(hash_paths, site)
        if command is not None and self._hash_paths == "imports":
            raise site.error(
                "hash_paths='imports' is what a script imports, and a command has none", "hash_paths=[...], or none"
            )
        self._params = _params(params, site)
        self._runconfig_pipeline_params = _runconfig_params(runconfig_pipeline_params, self._params, site)
        super().__init__(name or str(default), inputs, outputs, arguments if command is None else self._command)
        wiring = self._wiring
        for parameter in self._runconfig_pipeline_params.values():
            wiring.use(parameter)
        self._rendered_params = _rendered(self._params, site) if self._params else {}
        _check_variables(self._params, wiring.arguments, site)
        self._pipeline_params_implicit = {
            part.name: wiring.parameters[part.name]
            for argument in wiring.arguments
            for part in argument
            if isinstance(part, ParameterRef)
        }
        self._pipeline_params_in_step_params = {
            key: value for key, value in self._params.items() if isinstance(value, PipelineParameter)
        }
        self._pipeline_params_runconfig = dict(self._runconfig_pipeline_params)
        self._module_param_provider: Any = None
        self._amlcompute_params: dict[str, Any] = {}

    def create_node(self, graph: Graph, default_datastore: Any, context: Any) -> ModuleNode:
        """Makes the step's node and adds it to a graph; a pipeline calls this.

        Args:
            graph: The graph.
            default_datastore: Where outputs are kept that name no datastore; None for the workspace's default.
            context: What the nodes are made in: `_GraphContext`.

        Returns:
            The node; the one that is there, where the step is in the graph.

        Raises:
            ArgumentError: The script, its folder or the compute target is not there, or nothing writes an input.
        """
        known = graph._node_of(self)
        if known is not None:
            return known
        site = self._site
        folder, script = self._source(context)
        try:
            run, compute = self._run(context), self._compute(context)
        except AzureMLException as error:
            raise site.locate(error) from error.__cause__
        spec = StepSpec(
            self.name,
            self.step_type,
            script,
            folder,
            self._wiring.arguments,
            self._rendered_params,
            self._input_specs(graph),
            self._output_specs(default_datastore),
            tuple(graph._id_of(step, step.name) for step in self.run_after_steps),
            run,
            {key: parameter.name for key, parameter in self._runconfig_pipeline_params.items()},
            compute,
            self._allow_reuse,
            self._version,
            self._hash_paths,
            site.at,
            self._written,
        )
        return graph._add(self, spec, self._wiring.parameters)

    def _source(self, context: Any) -> tuple[str, str]:
        """Returns: the source directory, absolute, and the script in it."""
        given = self._source_directory
        key = ("source", given, self._script_name, self._hash_paths)
        found: tuple[str, str] = context._once(
            key,
            None,
            lambda: check_source(
                given, context.default_source_directory, self._script_name, self._hash_paths, self._site
            ),
        )
        return found

    def _run(self, context: Any) -> RunSpec:
        runconfig = self._runconfig
        if runconfig is None:
            from scriptstep.authoring.runconfig import RunConfiguration

            runconfig = context._once("default runconfig", None, RunConfiguration)
        spec: RunSpec = context._once(
            ("run", id(runconfig)), runconfig, lambda: runconfig._run_spec(context._workspace, f"step '{self.name}'")
        )
        return spec

    def _compute(self, context: Any) -> tuple[str, str] | None:
        target, runconfig = self._compute_target, self._runconfig

        def find() -> tuple[str, str] | None:
            from scriptstep.workspace.compute_choice import resolve_compute

            return resolve_compute(context._workspace, target, runconfig, f"step '{self.name}'")

        if context._workspace is None:
            return target if isinstance(target, tuple) else None
        named = target if isinstance(target, (str, tuple)) else id(target)
        found: tuple[str, str] | None = context._once(("compute", named, id(runconfig)), (target, runconfig), find)
        return found


class PythonScriptStep(_PythonScriptStepBase):
    """A step that runs a Python script.

    What a script reads and writes stands in `inputs` and `outputs`; where the script is told of it by its arguments, it
    stands there too. Run again with nothing changed, the step is reused.

    Args:
        script_name: Path of the script, relative to `source_directory`.
        name: Name of the step; the script's where not given.
        arguments: Of the script: text, numbers, paths, `PipelineParameter`, and what stands in `inputs` and `outputs`,
            as elements of their own or as part of a text. They reach `sys.argv` as they are.
        compute_target: Where it runs: a compute target, the name of one, or (name, type). Else the runconfig's, else
            the workspace's default, else this machine.
        runconfig: What else it needs: `RunConfiguration`; a default one where not given.
        runconfig_pipeline_params: {property: `PipelineParameter`}, given anew when the pipeline is submitted. The
            properties are NodeCount, MpiProcessCountPerNode, TensorflowWorkerCount and TensorflowParameterServerCount.
        inputs: What it reads: `PipelineData`, `DatasetConsumptionConfig`, `DataReference` ...
        outputs: What it writes: `PipelineData`, `OutputFileDatasetConfig` ...
        params: {name: value}, as environment variables `AML_PARAMETER_<name>`.
        source_directory: Folder of the script and of what it needs; the working directory where not given.
        allow_reuse: Whether an earlier result may stand for it, where nothing changed.
        version: Any text; another one runs the step again.
        hash_paths: Files and folders, relative to `source_directory`: changes in these alone run the step again. Or
            "imports": of the Python files there the step gets the script and what it imports alone.

    Raises:
        ArgumentError: Something cannot be; the message says what, in which line, and what to do. It is a ValueError,
            and a TypeError or AttributeError where the SDK raises that.
    """

    def __init__(
        self,
        script_name: str,
        name: str | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: Any = None,
        runconfig: Any = None,
        runconfig_pipeline_params: Mapping[str, PipelineParameter] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        source_directory: Any = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Sequence[Any] | Literal["imports"] | None = None,
    ) -> None:
        super().__init__(
            script_name,
            name,
            arguments,
            compute_target,
            runconfig,
            runconfig_pipeline_params,
            inputs,
            outputs,
            params,
            source_directory,
            allow_reuse,
            version,
            hash_paths,
        )


def _check_script_name(value: Any, site: Site) -> None:
    if not isinstance(value, str) or not value:
        told = "is missing" if value in (None, "") else f"must be text, not {value!r}"
        raise site.error(
            f"script_name {told}", "the path of the script, relative to source_directory", ArgumentTypeError
        )
    if "\0" in value:
        raise site.error(f"script_name {value!r} holds a NUL character")


def _path(value: Any, site: Site) -> Any:
    if value is None:
        return None
    text = getattr(value, "__fspath__", lambda: value)()
    if not isinstance(text, str) or "\0" in text:
        raise site.error(f"source_directory must be a path, not {value!r}", None, ArgumentTypeError)
    return value


def _target(value: Any, site: Site) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, tuple):
        if len(value) != 2 or not all(isinstance(part, str) and part for part in value):
            raise site.error(f"compute_target as a tuple is (name, type), both text, and not {value!r}")
        return value
    if not isinstance(getattr(value, "name", None), str) or not isinstance(getattr(value, "type", None), str):
        raise site.error(
            f"compute_target must be a compute target, the name of one, or (name, type), not {value!r}",
            None,
            ArgumentAttributeError,
        )
    return value


def _checked_runconfig(value: Any, site: Site) -> Any:
    if value is not None and not hasattr(value, "_run_spec"):
        help = "RunConfiguration.load(path) reads one" if isinstance(value, str) else None
        if type(value).__name__ == "Environment":
            help = "runconfig = RunConfiguration(); runconfig.environment = environment"
        raise site.error(f"runconfig must be a RunConfiguration, not {value!r}", help, ArgumentAttributeError)
    return value


def _truth(value: Any, site: Site) -> bool:
    value = plain_value(value)
    if not isinstance(value, bool):
        raise site.error(f"allow_reuse must be True or False, not {value!r}", None, ArgumentTypeError)
    return value


def _version(value: Any, site: Site) -> str | None:
    if value is not None and not isinstance(value, str):
        raise site.error(f"version must be text, not {value!r}", f"version={str(value)!r}", ArgumentTypeError)
    return value


def _params(value: Any, site: Site) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise site.error(f"params must be a dict of names and values, not {value!r}", None, ArgumentAttributeError)
    for key in value:
        if not isinstance(key, str) or not key or "=" in key or "\0" in key:
            raise site.error(f"params: a name must be text without '=', not {key!r}", None, ArgumentTypeError)
    return dict(value)


def _rendered(params: Mapping[str, Any], site: Site) -> dict[str, str | ParameterRef]:
    made: dict[str, str | ParameterRef] = {}
    for key, value in params.items():
        where = f"params[{key!r}]"
        if isinstance(value, PipelineParameter):
            if not isinstance(value.spec_value(), (bool, int, float, str)):
                raise site.error(f"{where} is parameter '{value.name}', whose value is data", "put data into inputs")
            made[key] = ParameterRef(value.name)
        elif isinstance(value, (list, tuple, dict, set)):
            made[key] = str(value)
        else:
            made[key] = literal_text(value, site, where)
    return made


def _check_variables(params: Mapping[str, Any], arguments: Sequence[Any], site: Site) -> None:
    """Checks that no two values claim one variable of the environment."""
    if not params:
        return
    variables: dict[str, str] = {}
    for key in params:
        variable = re.sub(r"[~\W]", "_", key)
        if variable in variables:
            raise site.error(f"params '{variables[variable]}' and '{key}' would both be AML_PARAMETER_{variable}")
        variables[variable] = key
    for argument in arguments:
        for part in argument:
            if not isinstance(part, ParameterRef):
                continue
            key = variables.get(re.sub(r"[~\W]", "_", part.name), "")
            value = params.get(key)
            if key and not (isinstance(value, PipelineParameter) and value.name == part.name):
                raise site.error(
                    f"parameter '{part.name}' in arguments and params '{key}' would both be AML_PARAMETER_{part.name}",
                    "give one of them another name",
                )


def _runconfig_params(value: Any, params: Mapping[str, Any], site: Site) -> dict[str, PipelineParameter]:
    what = "runconfig_pipeline_params"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise site.error(
            f"{what} must be a dict of properties and parameters, not {value!r}", None, ArgumentAttributeError
        )
    for key, parameter in value.items():
        if key not in _RUNCONFIG_KEYS:
            raise site.error(
                f"{what}: there is no property {key!r} to be given", f"there are {', '.join(_RUNCONFIG_KEYS)}"
            )
        if not isinstance(parameter, PipelineParameter):
            raise site.error(
                f"{what}['{key}'] must be a PipelineParameter, not {parameter!r}",
                f"PipelineParameter('{key.lower()}', {parameter!r})" if isinstance(parameter, int) else None,
                ArgumentTypeError,
            )
        default = parameter.spec_value()
        if isinstance(default, bool) or not isinstance(default, int):
            raise site.error(f"{what}['{key}']: the default of parameter '{parameter.name}' must be a whole number")
        if key in params:
            raise site.error(f"'{key}' stands in params and in {what}")
    return dict(value)
