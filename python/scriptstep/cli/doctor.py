"""`scriptstep doctor`: what stands in the way of a pipeline, told before it is run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from scriptstep.cli.cells import as_python, cell_magic
from scriptstep.cli.diagnosis import Asked, Finding, Names, Registered, findings_of, registered_in
from scriptstep.cli.notebook import read_cells
from scriptstep.console import emit, notice
from scriptstep.console.text import count, escaped, typed
from scriptstep.content import scan
from scriptstep.errors import UserErrorException
from scriptstep.records import dataclass

__all__ = ["examine"]

_JSON_VERSION = 1
_ENDINGS = (".py", ".ipynb")


@dataclass(frozen=True)
class _Piece:
    """Some code of a file.

    Attributes:
        place: The file, and the cell where it is a notebook.
        code: Python.
        number: Of the cell, from 1; None in a script.
        shares: The file with which it shares the names that it imports.
    """

    place: Path
    code: str
    number: int | None
    shares: Path


def examine(path: str, *, as_json: bool = False) -> int:
    """Reads a script, a notebook or a folder, without running it, and lists what its user should know.

    Args:
        path: The file or the folder; of a folder what its ignore files leave in.
        as_json: As JSON.

    Returns:
        The exit code: 0 where there is nothing to do, else 1.

    Raises:
        UserErrorException: It is not there, or is no Python.
    """
    pieces = [piece for file in _files(Path(path)) for piece in _pieces(file)]
    registered: Registered = frozenset().union(*(registered_in(piece.code) for piece in pieces))
    known = _known()
    names: dict[Path, Names] = {}
    found = [
        (piece, finding)
        for piece in pieces
        for finding in findings_of(piece.code, known, registered, names.setdefault(piece.shares, {}))
    ]
    if as_json:
        told = [
            {"file": str(p.place), "cell": p.number, "line": f.line, "kind": f.kind, "name": f.name, "what": f.told}
            for p, f in found
        ]
        emit(json.dumps({"version": _JSON_VERSION, "findings": told}, indent=2))
    elif found:
        emit("\n".join(_line(piece, finding) for piece, finding in found))
    files = len({piece.place for piece in pieces})
    if not found:
        notice(f"nothing to do: {count(files, 'file')} read")
        return 0
    notice(f"{count(len(found), 'finding')} in {count(files, 'file')} read", help="what is only imported is no finding")
    return 1


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for entry in scan(path):
            name = os.fsdecode(entry.path)
            if name.endswith(_ENDINGS):
                yield path / name
    elif path.is_file() and path.suffix in _ENDINGS:
        yield path
    elif path.exists():
        raise UserErrorException(f"'{path}' is neither a .py file, nor a notebook, nor a folder")
    else:
        raise UserErrorException(f"'{path}' is not there")


def _pieces(file: Path) -> Iterator[_Piece]:
    if file.suffix == ".py":
        try:
            yield _Piece(file, file.read_text(encoding="utf-8-sig"), None, file)
        except (OSError, UnicodeDecodeError) as error:
            raise UserErrorException(f"'{file}' cannot be read: {error}") from error
        return
    for cell in read_cells(file):
        magic = cell_magic(cell.source)
        if magic is None:
            yield _Piece(file, as_python(cell.source), cell.number, file)
        elif magic.name == "writefile" and magic.line.endswith(".py"):
            yield _Piece(file, "\n" + magic.body, cell.number, Path(f"{file}:{cell.number}"))


def _known() -> dict[Asked, set[str]]:
    """What there is by name: in the settings, and registered in the workspaces that are there."""
    from scriptstep.cli.listing import history_here
    from scriptstep.workspace.catalog_reads import DEFAULT_STORE
    from scriptstep.workspace.settings import load_settings

    place, history = history_here()
    workspaces = history.workspaces() if history is not None else []
    settings = load_settings(place)
    datasets, environments = set(settings.datasets), set(settings.environments)
    datastores = {*settings.datastores, DEFAULT_STORE, *_EMBEDDED}
    for workspace in workspaces:
        assert history is not None
        datasets |= {str(row.name) for row in history.datasets(workspace.name)}
        datastores |= {row.name for row in history.datastores(workspace.name)}
        environments |= {row.name for row in history.environments(workspace.name)}
    return {"dataset": datasets, "datastore": datastores, "environment": environments}


# What every workspace of the SDK has besides.
_EMBEDDED = ("workspacefilestore", "workspaceartifactstore", "workspaceworkingdirectory")


def _line(piece: _Piece, finding: Finding) -> str:
    cell = "" if piece.number is None else f", cell {piece.number}"
    return f"{escaped(typed(piece.place))}{cell}:{finding.line}: {escaped(finding.told)}"
