"""Conda environments that are on this machine, read from the records that conda keeps in them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scriptstep.errors import UserErrorException

__all__ = ["find_conda_environment", "packages_of"]


def find_conda_environment(name: str) -> tuple[Path, Path]:
    """Finds a conda environment, as conda does, without starting it.

    Args:
        name: Its name, or its folder.

    Returns:
        Its folder and its Python.

    Raises:
        UserErrorException: There is none, or it holds no Python.
    """
    looked: list[str] = []
    for folder in _candidates(name):
        if (folder / "conda-meta").is_dir():
            for python in (folder / "bin" / "python", folder / "python.exe"):
                if python.is_file():
                    return folder, python
            raise UserErrorException(f"the conda environment {folder} holds no Python")
        looked.append(str(folder))
    where = ", ".join(dict.fromkeys(looked)) or "conda is not to be found"
    raise UserErrorException(f"there is no conda environment '{name}' on this machine (looked at: {where})")


def _candidates(name: str) -> Iterator[Path]:
    if os.sep in name:
        yield Path(name).expanduser().absolute()
        return
    folders = [f for v in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH") for f in os.environ.get(v, "").split(os.pathsep) if f]
    roots: list[Path] = []
    if program := os.environ.get("CONDA_EXE"):
        roots.append(Path(program).parent.parent)
    if prefix := os.environ.get("CONDA_PREFIX"):
        active = Path(prefix)
        roots.append(active.parent.parent if active.parent.name == "envs" else active)
    home = Path.home()
    roots += [home / kind for kind in ("miniconda3", "anaconda3", "miniforge3", "mambaforge")]
    if name == "base":
        yield from roots
        return
    for folder in (*map(Path, folders), *(root / "envs" for root in roots), home / ".conda" / "envs"):
        yield folder / name
    try:
        known = (home / ".conda" / "environments.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        known = []
    yield from (Path(line) for line in known if Path(line).name == name)


def packages_of(folder: Path) -> dict[str, Any]:
    """Lists what is installed in a conda environment.

    Args:
        folder: Its folder.

    Returns:
        A conda environment file's content: conda's packages with versions, and those that pip added.
    """
    conda: dict[str, str] = {}
    channels: dict[str, None] = {}
    for file in sorted((folder / "conda-meta").glob("*.json")):
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            conda[str(record["name"])] = str(record["version"])
        except (OSError, ValueError, KeyError):
            continue
        if channel := str(record.get("channel") or "").rstrip("/").split("/"):
            channels.setdefault(channel[-2] if len(channel) > 1 else channel[-1])
    pip = sorted(_pip_packages(folder, set(conda)))
    dependencies: list[Any] = [f"{name}={version}" for name, version in sorted(conda.items())]
    if pip:
        dependencies.append({"pip": pip})
    return {"name": folder.name, "channels": [c for c in channels if c] or ["defaults"], "dependencies": dependencies}


def _pip_packages(folder: Path, by_conda: set[str]) -> Iterator[str]:
    for place in (*folder.glob("lib/python*/site-packages"), folder / "Lib" / "site-packages"):
        for info in place.glob("*.dist-info"):
            try:
                installer = (info / "INSTALLER").read_text(encoding="utf-8").strip()
            except OSError:
                installer = ""
            name, _, version = info.name.removesuffix(".dist-info").partition("-")
            if installer != "conda" and name.replace("_", "-").lower() not in by_conda and name not in by_conda:
                yield f"{name}=={version}"
