"""`Pipeline.load_yaml`: a pipeline of what a file says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scriptstep.authoring.command_step import CommandStep
from scriptstep.authoring.pipeline_data import PipelineData
from scriptstep.authoring.pipeline_file import (
    DataEntry,
    InputEntry,
    OutputEntry,
    ParameterEntry,
    PipelineEntry,
    StepEntry,
    read_pipeline,
)
from scriptstep.authoring.python_script_step import PythonScriptStep
from scriptstep.authoring.steps import PipelineStep
from scriptstep.data.consumption import DatasetConsumptionConfig
from scriptstep.data.dataset_factory import Dataset
from scriptstep.data.paths import DataPath, DataPathComputeBinding
from scriptstep.data.references import DataReference
from scriptstep.errors import ArgumentError
from scriptstep.graph import InputPortBinding, PipelineParameter

__all__ = ["steps_of_file"]

_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}


def steps_of_file(data: Any, file: Path, workspace: Any) -> tuple[list[PipelineStep], str | None]:
    """Makes the steps that a file describes.

    Args:
        data: The YAML document.
        file: Where it stands; its paths are relative to its folder, or to the working directory where that has them.
        workspace: Where datastores and datasets are looked up.

    Returns:
        The steps, in the file's order, and the pipeline's description.

    Raises:
        ArgumentError: It says something that cannot be.
        NotRegisteredError: A datastore or a dataset is not there.
        NotImplementedError: A step is of a kind that is not here, or data is to be had by SQL.
    """
    entry = read_pipeline(data, file)
    return _Reader(entry, file, workspace).steps(), entry.description or entry.name


class _Reader:
    def __init__(self, entry: PipelineEntry, file: Path, workspace: Any) -> None:
        self._entry, self._file, self._workspace = entry, file, workspace
        self._parameters = {name: self._parameter(name, given) for name, given in entry.parameters.items()}
        self._data = {name: self._reference(name, given) for name, given in entry.data_references.items()}
        # A step may stand before the one that writes what it reads.
        self._written: dict[str, Any] = {}
        for key, step in entry.steps.items():
            for port, output in step.outputs.items():
                self._write(f"step '{key}', output '{port}'", port, output)

    def steps(self) -> list[PipelineStep]:
        """Makes the steps."""
        made = {key: self._step(key, step) for key, step in self._entry.steps.items()}
        for key, step in self._entry.steps.items():
            for before in step.run_after:
                if before not in made:
                    raise self._error(f"step '{key}' runs after '{before}', which is no step of it")
                made[key].run_after(made[before])
        return list(made.values())

    def _error(self, text: str, help: str | None = None) -> ArgumentError:
        return ArgumentError(f"{self._file}: {text}", help=help)

    def _path(self, path: str) -> str:
        beside = self._file.parent / path
        return str(beside if beside.exists() else path)

    # --- what steps share

    def _parameter(self, name: str, given: ParameterEntry) -> PipelineParameter:
        if given.type == "datapath":
            if not isinstance(given.default, Mapping) or not {"datastore", "path_on_datastore"} <= set(given.default):
                raise self._error(f"parameter '{name}' needs a default with datastore and path_on_datastore")
            store = self._store(given.default["datastore"])
            default: Any = DataPath(store, given.default["path_on_datastore"], given.default.get("name"))
            return PipelineParameter(name, default)
        value = given.default
        if given.type == "bool" and isinstance(value, str) and value.lower() in ("true", "false"):
            value = value.lower() == "true"
        if not isinstance(value, _TYPES[given.type]) or (isinstance(value, bool) and given.type != "bool"):
            raise self._error(f"parameter '{name}' needs a default of type {given.type}, and has {value!r}")
        return PipelineParameter(name, float(value) if given.type == "float" else value)  # type: ignore[arg-type]

    def _store(self, name: str) -> Any:
        from scriptstep.workspace.datastore import Datastore

        return Datastore.get(self._workspace, name)

    def _reference(self, name: str, given: DataEntry) -> Any:
        if given.sql_table or given.sql_query or given.sql_stored_procedure:
            raise NotImplementedError(
                f"{self._file}: data reference '{name}' reads a database, which is not here: query it in a step, "
                "or register files"
            )
        ways = [way for way in (given.datastore, given.dataset_name, given.dataset_id) if way]
        if len(ways) != 1:
            raise self._error(f"data reference '{name}' needs one of datastore, dataset_name and dataset_id")
        if given.datastore:
            return DataReference(self._store(given.datastore), name, given.path_on_datastore)
        if given.dataset_name:
            return Dataset.get_by_name(self._workspace, given.dataset_name)
        return Dataset.get_by_id(self._workspace, str(given.dataset_id))

    def _write(self, where: str, port: str, given: OutputEntry) -> None:
        if given.destination in self._written or given.destination in self._data:
            raise self._error(f"{where} writes '{given.destination}', which has another source")
        data = PipelineData(
            given.destination,
            None if given.datastore is None else self._store(given.datastore),
            output_name=port,
            output_mode=given.bind_mode,
            output_path_on_compute=given.path_on_compute,
            output_overwrite=given.overwrite,
        )
        self._written[given.destination] = data.as_dataset() if given.as_dataset else data

    # --- a step

    def _step(self, key: str, given: StepEntry) -> PipelineStep:
        inputs = {port: self._input(key, port, i) for port, i in {**given.inputs, **given.side_inputs}.items()}
        outputs = {port: self._written[output.destination] for port, output in given.outputs.items()}
        parameters = {
            name: value if isinstance(value, (str, int, float)) else self._source(key, value.source)
            for name, value in given.parameters.items()
        }
        known = {"input": inputs, "output": outputs, "parameter": parameters}
        shared: dict[str, Any] = {
            "name": given.name,
            "compute_target": given.compute or self._entry.default_compute,
            "runconfig": self._runconfig(given.runconfig),
            "runconfig_pipeline_params": {
                name: self._source(key, value.source) for name, value in given.runconfig_parameters.items()
            },
            "inputs": list(inputs.values()),
            "outputs": list(outputs.values()),
            "params": parameters,
            "source_directory": None if given.source_directory is None else self._path(given.source_directory),
            "allow_reuse": given.allow_reuse,
            "version": given.version,
        }
        if given.type == "CommandStep":
            if given.script_name or given.arguments or given.hash_paths:
                raise self._error(f"step '{key}' is a CommandStep: it has a command, and nothing of a script")
            return CommandStep(command=self._words(key, given.command, known), **shared)
        if not given.script_name or given.command:
            raise self._error(f"step '{key}' is a PythonScriptStep: it needs script_name, and has no command")
        arguments = self._words(key, given.arguments, known)
        return PythonScriptStep(given.script_name, arguments=arguments, hash_paths=given.hash_paths, **shared)

    def _runconfig(self, path: str | None) -> Any:
        if path is None:
            return None
        from scriptstep.authoring.runconfig import RunConfiguration

        return RunConfiguration.load(self._path(path))

    def _source(self, key: str, name: str) -> PipelineParameter:
        if name not in self._parameters:
            raise self._error(f"step '{key}' uses parameter '{name}', which the pipeline has not", self._known())
        return self._parameters[name]

    def _known(self) -> str:
        names = sorted({*self._parameters, *self._data, *self._written})
        return f"there are {', '.join(names)}" if names else "there are none"

    def _input(self, key: str, port: str, given: InputEntry) -> Any:
        where = f"step '{key}', input '{port}'"
        if given.source in self._parameters:
            parameter = self._parameters[given.source]
            if not isinstance(parameter.default_value, DataPath):
                raise self._error(f"{where} reads parameter '{given.source}', which is no datapath")
            return parameter, DataPathComputeBinding(given.bind_mode, given.path_on_compute, bool(given.overwrite))
        source = self._data.get(given.source, self._written.get(given.source))
        if source is None:
            raise self._error(f"{where} reads '{given.source}', which nothing writes", self._known())
        if isinstance(source, (PipelineData, DataReference)):
            return InputPortBinding(port, source, given.bind_mode, given.path_on_compute, given.overwrite)
        if hasattr(source, "_pipeline_data"):
            return getattr(source.as_named_input(port), f"as_{given.bind_mode}")()
        return DatasetConsumptionConfig(port, source, given.bind_mode, given.path_on_compute)

    def _words(self, key: str, words: Any, known: Mapping[str, Mapping[str, Any]]) -> Any:
        """Returns: arguments, with what `input:NAME` and the like stand for in their places."""
        if not isinstance(words, list):
            return words
        made: list[Any] = []
        for word in words:
            kind, colon, name = word.partition(":")
            if not colon or kind not in known:
                made.append(word)
            elif name in known[kind]:
                made.append(known[kind][name])
            elif kind == "parameter" and name in self._parameters:
                made.append(self._parameters[name])
            else:
                raise self._error(f"step '{key}' has {word!r} among its arguments, and no {kind} '{name}'")
        return made
