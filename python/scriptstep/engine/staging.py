"""What an attempt finds when it starts: its copy of the content, its inputs and outputs, its environment.

Below the workspace every path that a script is given holds plain characters only: some libraries choke on the rest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scriptstep.content import ContentStore, Manifest
from scriptstep.data.transfer import copy_jobs, lay_out, transfer
from scriptstep.engine.attempt import Attempt
from scriptstep.engine.command_line import command_argv, own_python
from scriptstep.engine.key import rendered
from scriptstep.engine.processes import launch
from scriptstep.engine.sources import ResolvedInput
from scriptstep.engine.step_folder import StepFolder, plain
from scriptstep.errors import UserErrorException
from scriptstep.graph import InputRef, OutputRef, ParameterRef, Part, StepSpec
from scriptstep.records import dataclass

__all__ = ["PASSED_ON", "RunFacts", "stage"]

# Passed on to a step and outside its key; docs/reuse.md lists them.
PASSED_ON = (
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CUDA_VISIBLE_DEVICES",
)
# Fixed, so that a result does not hang on who runs it; the runconfig may set each.
_FIXED = {
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class RunFacts:
    """What the steps of a run share.

    Attributes:
        home: The state folder.
        bootstrap: The folder whose `sitecustomize` serves scriptstep inside steps.
        variables: `AZUREML_*` variables of the workspace and experiment.
        inherited: Variables that the settings ask to pass on, with their values.
        settings_file: The project's settings, or None.
    """

    home: Path
    bootstrap: Path
    variables: Mapping[str, str]
    inherited: Mapping[str, str]
    settings_file: Path | None = None


def stage(
    spec: StepSpec,
    run_id: str,
    parent_id: str,
    folder: StepFolder,
    facts: RunFacts,
    inputs: Iterable[ResolvedInput],
    parameters: Mapping[str, Any],
    store: ContentStore,
    snapshot: str,
    interpreter: str,
    attempt: int = 1,
) -> Attempt:
    """Lays out everything that one attempt needs, and describes it.

    Args:
        spec: The step.
        run_id: Id of the step run.
        parent_id: Id of the run that it is part of; empty for none.
        folder: Where to lay it out; its working copy of the code is there.
        facts: What the run's steps share.
        inputs: The step's inputs, found.
        parameters: Values of the pipeline's parameters.
        store: Holds the content and the outputs of other steps.
        snapshot: Digest of the step's content.
        interpreter: The Python to run the script with.
        attempt: Number of the attempt, from 1.

    Returns:
        The attempt, ready for an executor.

    Raises:
        UserErrorException: An input cannot be handed on in the way that was asked for.
        TreeDamaged: A stored tree is not what it was.
    """
    for place in (folder.inputs, folder.outputs, folder.log.parent, folder.artifacts, folder.path / "staged"):
        place.mkdir(parents=True, exist_ok=True)
    for name in ("outputs", "logs"):
        (folder.code / name).mkdir(exist_ok=True)

    resolved = list(inputs)
    given = {i.spec.name: _hand_on(i, folder, store) for i in resolved}
    outputs = {o.name: str(_prepare_output(folder, o.name, o.is_directory or o.kind != "data")) for o in spec.outputs}

    def value_of(part: Part) -> str:
        if isinstance(part, str):
            return part
        if isinstance(part, InputRef):
            return given[part.port]
        return outputs[part.port] if isinstance(part, OutputRef) else rendered(parameters[part.name])

    env = _environment(spec, facts, interpreter, folder, parameters)
    if spec.command is None:
        argv = [interpreter, spec.script_name, *("".join(map(value_of, a)) for a in spec.arguments)]
    else:
        argv = command_argv(spec, value_of, env["PATH"])
    env.update(
        AZUREML_RUN_ID=run_id,
        AZUREML_ROOT_RUN_ID=parent_id or run_id,
        SCRIPTSTEP_ATTEMPT=f"{run_id}-{attempt}",
        SCRIPTSTEP_PARENT=parent_id,
    )
    if parent_id:
        env["AZUREML_PARENT_RUN_ID"] = parent_id
    env.update(_data_variables(spec, resolved, given, outputs))
    started = launch(spec, argv, env["PATH"], folder.log)
    return Attempt(
        id=f"{run_id}-{attempt}",
        run_id=run_id,
        step=spec.name,
        argv=tuple(started.argv),
        env={**env, **started.env},
        cwd=str(folder.code),
        log=str(started.log),
        snapshot=snapshot,
        inputs=given,
        outputs=outputs,
        node_count=started.node_count,
        process_count=started.process_count,
        resources={},
        timeout_s=spec.run.timeout_s,
        processes=started.processes,
        logs=tuple(map(str, started.logs)),
    )


def _environment(
    spec: StepSpec, facts: RunFacts, interpreter: str, folder: StepFolder, parameters: Mapping[str, Any]
) -> dict[str, str]:
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    path = [str(Path(interpreter).parent), os.environ.get("PATH", os.defpath)]
    if spec.command is not None:
        # A program of the step's own may be named by its path in the source directory.
        path = [str(own_python(interpreter, folder.path / "bin")), *path, str(folder.code)]
    env["PATH"] = os.pathsep.join(dict.fromkeys(path))
    env.update(_FIXED)
    env["MLFLOW_TRACKING_URI"] = folder.mlflow.as_uri()
    env["MLFLOW_ALLOW_FILE_STORE"] = "true"  # later versions of MLflow write files only where told
    env.update(facts.inherited)
    env.update(spec.run.environment_variables)
    for name, value in spec.params.items():
        text = rendered(parameters[value.name]) if isinstance(value, ParameterRef) else value
        env["AML_PARAMETER_" + re.sub(r"[~\W]", "_", name)] = text
    for argument in spec.arguments:
        for part in argument:
            if isinstance(part, ParameterRef):
                env.setdefault("AML_PARAMETER_" + re.sub(r"[~\W]", "_", part.name), rendered(parameters[part.name]))
    env.update(facts.variables)
    paths = [str(facts.bootstrap), str(folder.code)]
    if declared := spec.run.environment_variables.get("PYTHONPATH"):
        paths.append(declared)
    env.update(
        PYTHONPATH=os.pathsep.join(paths),
        AZUREML_OUTPUT_DIRECTORY="./outputs",
        SCRIPTSTEP_HOME=str(facts.home),
        SCRIPTSTEP_EVENTS=str(folder.events),
        SCRIPTSTEP_RUN_DIR=str(folder.path),
        SCRIPTSTEP_CATALOG="scriptstep.runtime.context:step_catalog",
    )
    if facts.settings_file is not None:
        env["SCRIPTSTEP_SETTINGS"] = str(facts.settings_file)
    return env


def _data_variables(
    spec: StepSpec, inputs: list[ResolvedInput], given: Mapping[str, str], outputs: Mapping[str, str]
) -> dict[str, str]:
    env: dict[str, str] = {}
    datasets: list[str] = []
    for resolved in inputs:
        name = resolved.spec.name
        if resolved.spec.as_dataset:
            datasets.append(f"{name}:{resolved.spec.mode}")
            env[name] = given[name]
        else:
            env[f"AZUREML_DATAREFERENCE_{name}"] = given[name]
    written = [o.name for o in spec.outputs if o.as_dataset or o.kind != "data"]
    for name in written:
        env[name] = outputs[name]
    for output in spec.outputs:
        if output.kind == "data":
            env[f"AZUREML_DATAREFERENCE_{output.name}"] = outputs[output.name]
    # Sorted: the order in which a step declares its ports is in no key.
    env["AZUREML_DATASET_ENVIRONMENT_VARS"] = ",".join(sorted(datasets))
    env["AZUREML_DATASET_FILE_OUTPUTS"] = ";".join(sorted(written))
    return env


def _prepare_output(folder: StepFolder, name: str, make: bool) -> Path:
    path = folder.output(name)
    if make:
        path.mkdir(exist_ok=True)
    return path


def _hand_on(resolved: ResolvedInput, folder: StepFolder, store: ContentStore) -> str:
    """Puts an input where the script finds it.

    Returns:
        What the script is given for it: a path, or a dataset's id where it reads the dataset itself.
    """
    spec = resolved.spec
    if spec.mode == "hdfs":
        raise UserErrorException(
            f"input '{spec.name}': mode 'hdfs' needs a Spark cluster", help="use as_mount() or as_download()"
        )
    if spec.mode == "direct" and resolved.dataset_id is not None:
        return resolved.dataset_id
    if resolved.files is not None:
        resolved.files.fetch()
    place = _place(resolved, folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    if spec.mode == "download":
        _download(resolved, place, store)
    elif resolved.tree is not None:
        place.symlink_to(store.content_path(resolved.tree))
    elif resolved.location is not None:
        place.symlink_to(resolved.location.resolve())
    elif resolved.files is not None:
        place.mkdir()
        is_ours = place.parent.parent == folder.inputs
        lay_out(resolved.files, place, beside=place.parent / f".{place.name}" if is_ours else None)
    return str(place)


def _place(resolved: ResolvedInput, folder: StepFolder) -> Path:
    wanted = resolved.spec.path_on_compute
    if wanted and not wanted.startswith("/"):
        place = Path(os.path.normpath(folder.code / wanted))
        if not place.is_relative_to(folder.code) or place == folder.code:
            raise UserErrorException(
                f"input '{resolved.spec.name}': path_on_compute {wanted!r} leads out of the step's folder"
            )
        return place
    if wanted and wanted.strip("/"):
        return folder.inputs / plain(resolved.spec.name) / Path(wanted.strip("/")).name
    return folder.inputs / plain(resolved.spec.name) / (resolved.label or "data")


def _download(resolved: ResolvedInput, place: Path, store: ContentStore) -> None:
    what = f"download of input '{resolved.spec.name}'"
    if resolved.tree is not None:
        store.restore(resolved.tree, place)
    elif resolved.location is not None and resolved.location.is_file():
        transfer(copy_jobs([(resolved.location, place)], what), what)
    elif resolved.location is not None and resolved.held is not None:
        _copy(resolved.location, resolved.held, place, what)
    elif resolved.files is not None:
        transfer(copy_jobs([(file, place / name) for name, file in resolved.files], what), what)


def _copy(folder: Path, held: Manifest, place: Path, what: str) -> None:
    """Copies a folder as it was keyed: links that stay inside or lead nowhere as links, others as what they lead to."""
    place.mkdir()
    files: list[tuple[Path | str, Path]] = []
    executables: list[Path] = []
    for entry in held:
        name = os.fsdecode(entry.path)
        target = place / name
        if entry.kind == "directory":
            target.mkdir(parents=True, exist_ok=True)
        elif entry.kind == "link":
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(os.fsdecode(entry.target))
        else:
            files.append((folder / name, target))
            executables += [target] if entry.kind == "executable" else []
    transfer(copy_jobs(files, what), what)
    for file in executables:
        mode = file.stat().st_mode
        file.chmod(mode | (mode & 0o444) >> 2)
