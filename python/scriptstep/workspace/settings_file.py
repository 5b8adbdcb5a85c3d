"""Reading `scriptstep.toml`: every mistake in it is told with file, table and key."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from scriptstep.errors import SettingsError, nearest
from scriptstep.workspace.settings import (
    SETTINGS_STORE,
    ComputeSettings,
    DatasetSettings,
    DatastoreSettings,
    EnvironmentSettings,
    InheritSettings,
    ReuseSettings,
    Settings,
    WorkspaceSettings,
)

__all__ = ["read_settings"]

_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Workspace(_Table):
    name: str | None = Field(default=None, min_length=1)
    subscription_id: str | None = None
    resource_group: str | None = None
    location: str | None = None


class _Datastore(_Table):
    path: str | None = Field(None, min_length=1)
    url: str | None = Field(None, pattern=_URL)
    default: bool = False
    options: dict[str, Any] = Field(default_factory=dict)


def _paths(value: object) -> list[str]:
    paths = [value] if isinstance(value, str) else value
    if isinstance(paths, list) and paths and all(isinstance(path, str) and path for path in paths):
        return paths
    raise ValueError("a path, or a list of paths")


class _Dataset(_Table):
    path: Annotated[list[str], BeforeValidator(_paths)]
    kind: Literal["file", "tabular"] = "file"
    format: Literal["delimited", "parquet", "json_lines"] | None = None
    datastore: str | None = Field(None, pattern=_NAME)
    options: dict[str, Any] = Field(default_factory=dict)
    description: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)


class _Compute(_Table):
    type: Literal["AmlCompute", "ComputeInstance", "VirtualMachine", "HDInsight", "SynapseSpark", "Kubernetes"] = (
        "AmlCompute"
    )
    max_nodes: int | None = Field(None, ge=1)
    default: bool = False


class _Inherit(_Table):
    inherit: list[str] = Field(default_factory=list)
    secret: list[str] = Field(default_factory=list)


class _Environment(_Table):
    conda: str | None = Field(None, min_length=1)
    pip: str | None = Field(None, min_length=1)
    folder: str | None = Field(None, min_length=1)
    python: str | None = Field(None, min_length=1)


class _Reuse(_Table):
    input_identity: Literal["definition", "content"] = "definition"
    environment_identity: Literal["installed", "declared"] = "installed"
    platform: bool = True


class _File(_Table):
    workspace: _Workspace = _Workspace()
    datastores: dict[str, _Datastore] = Field(default_factory=dict)
    datasets: dict[str, _Dataset] = Field(default_factory=dict)
    compute: dict[str, _Compute] | None = None
    environment: _Inherit = _Inherit()
    environments: dict[str, _Environment] = Field(default_factory=dict)
    reuse: _Reuse = _Reuse()


_NAMED = ("datastores", "datasets", "compute", "environments")
_TABLES: dict[str, type[_Table]] = {
    "workspace": _Workspace,
    "datastores": _Datastore,
    "datasets": _Dataset,
    "compute": _Compute,
    "environment": _Inherit,
    "environments": _Environment,
    "reuse": _Reuse,
}


def read_settings(file: Path) -> Settings:
    """Reads a settings file.

    Args:
        file: The file.

    Returns:
        What it says, its paths made absolute.

    Raises:
        SettingsError: It cannot be read, or says something that cannot be.
    """
    data = _parsed(file)
    try:
        read = _File.model_validate(data)
    except ValidationError as error:
        _refuse(file, [_told(e["loc"], e["type"], e.get("ctx", {}), e["input"]) for e in error.errors()])
    _check(file, read)
    folder = file.parent
    compute = read.compute
    return Settings(
        WorkspaceSettings(**read.workspace.model_dump()),
        {
            name: DatastoreSettings(
                None if table.path is None else _absolute(folder, table.path), table.url, table.default, table.options
            )
            for name, table in read.datastores.items()
        },
        {
            name: DatasetSettings(table.kind, _definition(folder, table), table.description, table.tags)
            for name, table in read.datasets.items()
        },
        None if compute is None else {name: ComputeSettings(**table.model_dump()) for name, table in compute.items()},
        InheritSettings(tuple(read.environment.inherit), tuple(read.environment.secret)),
        {name: _environment(folder, table) for name, table in read.environments.items()},
        ReuseSettings(**read.reuse.model_dump()),
    )


def _parsed(file: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        data: dict[str, Any] = tomllib.loads(file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise SettingsError(f"the settings {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"the settings {file} are not UTF-8: byte {error.start} is {error.object[error.start]:#x}"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"the settings {file} are no TOML: {error}") from error
    return data


def _check(file: Path, read: _File) -> None:
    """Checks what no table can know by itself."""
    mistakes: list[str] = []
    for kind, names in (("datastores", read.datastores), ("compute", read.compute or {})):
        if len(chosen := [name for name, table in names.items() if table.default]) > 1:
            mistakes.append(f"[{kind}] only one can be the default, and {', '.join(chosen)} say they are")
    for name, store in read.datastores.items():
        mistakes += _of_datastore(name, store)
    for name, table in read.datasets.items():
        where = f"[datasets.{_key(name)}]"
        for path in table.path:
            if table.datastore is not None and ".." in re.split(r"[/\\]", path):
                mistakes.append(f"{where} path must stay on the datastore: {path!r} leads out of it")
        if table.kind == "file" and (table.format or table.options):
            mistakes.append(f'{where} {"format" if table.format else "options"} needs kind = "tabular"')
    for name, environment in read.environments.items():
        if len(given := environment.model_dump(exclude_none=True).keys() - {"python"}) > 1:
            mistakes.append(f"[environments.{_key(name)}] only one of {', '.join(sorted(given))} can be given")
    for variable in read.environment.inherit:
        if not re.fullmatch(_VARIABLE, variable):
            mistakes.append(f"[environment] inherit must list names of environment variables, and {variable!r} is none")
    if mistakes:
        _refuse(file, mistakes)


def _of_datastore(name: str, store: _Datastore) -> Iterator[str]:
    where = f"[datastores.{_key(name)}]"
    if not re.fullmatch(_NAME, name):
        yield f"{where} a datastore's name holds letters, digits, '_' and '-' only"
    if store.path is None and store.url is None:
        yield f"{where} path is missing: the folder of its files, or url where they lie far away"
    if store.options and (store.path is not None or store.url is None):
        yield f"{where} options are for a url without a path, whose files lie far away"


def _definition(folder: Path, table: _Dataset) -> dict[str, Any]:
    style = "files"
    if table.kind == "tabular":
        endings = {".parquet": "parquet", ".jsonl": "json_lines"}
        style = table.format or endings.get(os.path.splitext(table.path[0])[1].lower(), "delimited")
    return {
        "kind": table.kind,
        "format": style,
        "sources": [_source(folder, path, table.datastore) for path in table.path],
        "options": table.options,
        "transformations": [],
    }


def _source(folder: Path, path: str, datastore: str | None) -> dict[str, str]:
    if datastore is not None:
        return {"datastore": datastore, "path": path.replace("\\", "/").lstrip("/")}
    if _URL.match(path):
        return {"url": path}
    absolute = _absolute(folder, path)
    inside = os.path.relpath(absolute, folder)
    if inside == os.curdir or inside.startswith(os.pardir):
        return {"path": absolute}
    return {"datastore": SETTINGS_STORE, "path": inside.replace(os.sep, "/")}


def _environment(folder: Path, table: _Environment) -> EnvironmentSettings:
    given = table.model_dump(exclude_none=True)
    return EnvironmentSettings(**{key: _absolute(folder, path) for key, path in given.items()})


def _absolute(folder: Path, path: str) -> str:
    return os.path.abspath(folder / os.path.expanduser(path))


def _refuse(file: Path, mistakes: Sequence[str]) -> NoReturn:
    if len(mistakes) == 1:
        raise SettingsError(f"{file}: {mistakes[0]}")
    raise SettingsError(f"{file} has {len(mistakes)} mistakes:\n  " + "\n  ".join(mistakes))


def _told(place: Sequence[int | str], kind: str, context: dict[str, Any], value: Any) -> str:
    """Returns: a mistake that pydantic found, in the words of the file."""
    table = [str(part) for part in place[: 2 if place[0] in _NAMED else 1]]
    rest = [str(part) for part in place[len(table) :]]
    where = f"[{'.'.join(_key(part) for part in table)}]"
    key = rest[0] if rest else ""
    if kind == "extra_forbidden":
        if not rest:
            return f"there is no table or key {table[0]!r}" + _meant(table[0], list(_TABLES))
        return f"{where} there is no key {key!r}" + _meant(key, list(_TABLES[table[0]].model_fields))
    if not rest:
        return f"{where} must be a table, not {value!r}"
    if kind == "missing":
        return f"{where} {key} is missing"
    return f"{where} {key} must be {_wanted(kind, context)}, not {value!r}"


def _wanted(kind: str, context: dict[str, Any]) -> str:
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "value_error":
        return str(context["error"])
    if kind in ("greater_than_equal", "too_short", "string_too_short"):
        return f"at least {context['ge']}" if "ge" in context else "given"
    if kind == "string_pattern_mismatch":
        return "a URL" if "://" in context["pattern"] else "a name of letters, digits, '_' and '-'"
    words = {"string": "text", "bool": "true or false", "int": "a whole number", "list": "a list", "dict": "a table"}
    return words.get(kind.split("_")[0], "something else")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _meant(name: str, names: list[str]) -> str:
    close = nearest(name, names)
    return f": did you mean {close!r}?" if close else f"; there are {', '.join(names)}"
