"""Runs the scripts of steps by hand, as plain programs, and compares what they wrote with what scriptstep recorded."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["capturing", "compare"]

_HERE = Path(__file__).resolve().parent
_OURS = ("SCRIPTSTEP_", "AZUREML_RUN", "AZUREML_ROOT", "AZUREML_PARENT", "AZUREML_ARM", "PYTHONPATH")


@contextlib.contextmanager
def capturing(python: Path, folder: Path) -> Iterator[None]:
    """Has every step of an interpreter written down before it begins, in a folder of its own below `folder`."""
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    hook = Path(packages, "scriptstep_by_hand.pth")
    script = _HERE / "capture.py"
    given = {"FOLDER": str(folder)}
    hook.write_text(f"import sys; exec(open({str(script)!r}).read(), {given!r})\n", encoding="utf-8")
    try:
        yield
    finally:
        hook.unlink()


def compare(captured: Path, project: Path, python: Path, environment: Mapping[str, str]) -> str:
    """Runs what was captured once more, by hand.

    Args:
        captured: What `capturing` wrote.
        project: The folder that the pipeline was run in.
        python: The interpreter.
        environment: The variables of the pipeline's own process.

    Returns:
        What is equal, in words; what is not begins with "not equal".
    """
    steps, drawn, counts = 0, 0, dict.fromkeys(("outputs", "metrics", "models"), 0)
    for place in sorted(captured.iterdir()):
        call = json.loads((place / "call.json").read_text(encoding="utf-8"))
        ours = _recorded(place, call, project, python, environment)
        hand = _by_hand(place / "first", place, call)
        # What a script registers through its parent, or past its run, stands beside what other steps registered so.
        others = ours.pop("other_models")
        ours["models"] |= {name: others[name] for name in hand.get("models", ()) if name in others}
        if hand != ours:
            # Unseeded scripts and times of day: what a script does not repeat by itself is compared by name.
            hand, ours, random = _what_repeats(hand, _by_hand(place / "second", place, call), ours)
            drawn += random
        for kind in ("failed", *counts):
            one, other = hand.get(kind), ours.get(kind)
            if one != other:
                name = Path(call["step"]).name
                return f"not equal: {kind} of {name}: {_short(one)} by hand, {_short(other)} recorded"
        steps += 1
        for kind in counts:
            counts[kind] += len(ours[kind])
    told = [f"{steps} script{'' if steps == 1 else 's'}"]
    told += [f"{count} {kind if count != 1 else kind[:-1]}" for kind, count in counts.items() if count]
    return f"equal: {', '.join(told)}" + (f" ({drawn} of them by name: they differ from run to run)" if drawn else "")


def _what_repeats(one: Any, other: Any, ours: Any) -> tuple[Any, Any, int]:
    """Puts a mark in place of what is not the same in two runs by hand.

    Returns:
        What came by hand, what was recorded, and how many marks there are.
    """
    if isinstance(one, dict) and isinstance(other, dict) and isinstance(ours, dict):
        made: tuple[dict[str, Any], dict[str, Any]] = (dict(one), dict(ours))
        drawn = 0
        for name in one.keys() & other.keys() & ours.keys():
            made[0][name], made[1][name], more = _what_repeats(one[name], other[name], ours[name])
            drawn += more
        return *made, drawn
    return ("differs", "differs", 1) if one != other else (one, ours, 0)


def _short(found: Any) -> str:
    text = json.dumps(found, sort_keys=True, default=str)
    return text if len(text) < 160 else text[:157] + "..."


def _recorded(
    place: Path, call: Mapping[str, Any], project: Path, python: Path, environment: Mapping[str, str]
) -> dict[str, Any]:
    """What scriptstep recorded of a step; what its script may ask of others is kept in `given.json`."""
    variables = call["variables"]
    ids = (variables["AZUREML_RUN_ID"], variables.get("AZUREML_PARENT_RUN_ID", ""))
    command = [python, _HERE / "recorded.py", *ids, json.dumps(variables)]
    read = subprocess.run(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    recorded = json.loads(read.stdout.splitlines()[-1])
    (place / "given.json").write_text(json.dumps(recorded), encoding="utf-8")
    return {
        "outputs": _outputs(Path(call["step"], "outputs")),
        "metrics": recorded["metrics"],
        "models": {name: _digests(Path(path)) for name, path in recorded["models"].items()},
        "other_models": {name: _digests(Path(path)) for name, path in recorded["other_models"].items()},
    }


def _by_hand(folder: Path, place: Path, call: Mapping[str, Any]) -> dict[str, Any]:
    """Runs a script as a plain program in a folder of its own, and tells what came of it."""
    folder.mkdir()
    shutil.copytree(place / "code", folder / "code", symlinks=True)
    shutil.copytree(place / "inputs", folder / "inputs", symlinks=True)
    shutil.copyfile(place / "given.json", folder / "given.json")
    for name in ("", *call["made"]):
        (folder / "outputs" / name).mkdir()

    def moved(text: str) -> str:
        return text.replace(call["step"], str(folder))

    variables = call["variables"]
    own = {name: moved(value) for name, value in variables.items() if not name.startswith(_OURS)}
    own |= {
        "PYTHONPATH": os.pathsep.join((str(_HERE), str(folder / "code"))),
        "BY_HAND": str(folder),
        "BY_HAND_RUN": variables["AZUREML_RUN_ID"],
        "BY_HAND_PARENT": variables.get("AZUREML_PARENT_RUN_ID", ""),
    }
    words = [call["words"][0], *map(moved, call["words"][1:])]
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        code = subprocess.run(
            words,
            cwd=folder / "code",
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code:
        return {"failed": (folder / "log.txt").read_text(encoding="utf-8").splitlines()[-1:]}
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    logged = {**_mlflow(folder / "mlflow"), **told["metrics"]}
    return {
        "outputs": _outputs(folder / "outputs"),
        "metrics": {name: values[0] if len(values) == 1 else values for name, values in logged.items()},
        "models": told["models"],
    }


def _outputs(folder: Path) -> dict[str, Any]:
    return {entry.name: _digests(entry) for entry in sorted(folder.iterdir())}


def _digests(path: Path) -> dict[str, str]:
    if path.is_file():
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    files = sorted(Path(folder, name) for folder, _, names in os.walk(path, followlinks=True) for name in names)
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _mlflow(folder: Path) -> dict[str, list[Any]]:
    """The values of each metric that MLflow's file store holds."""
    return {
        file.name: [float(line.split()[1]) for line in file.read_text(encoding="utf-8").splitlines()]
        for file in folder.glob("*/*/metrics/*")
    }
