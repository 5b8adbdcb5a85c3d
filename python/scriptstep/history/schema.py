"""The tables of the history, and how text, numbers and plain data stand in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

from scriptstep.history.rows import (
    AcceptanceRow,
    ComputeRow,
    DatastoreRow,
    EnvironmentRow,
    MetricRow,
    ModelRow,
    PipelineRow,
    ResultRow,
    RunRow,
    WorkspaceRow,
)

__all__ = [
    "ACCEPTANCES",
    "COMPUTES",
    "DATASTORES",
    "ENVIRONMENTS",
    "METRICS",
    "MIGRATIONS",
    "MODELS",
    "PIPELINES",
    "RESULTS",
    "RUNS",
    "SCHEMA",
    "TABLES",
    "VERSION",
    "WORKSPACES",
    "Columns",
    "dump",
    "load",
]

VERSION = 3

_PIPELINES = """CREATE TABLE pipelines (
    seq INTEGER PRIMARY KEY, workspace TEXT NOT NULL, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL,
    status TEXT NOT NULL, created TEXT NOT NULL, document TEXT NOT NULL
)"""
_ACCEPTANCES = """CREATE TABLE acceptances (
    workspace TEXT NOT NULL, key TEXT NOT NULL, stands_for TEXT NOT NULL, step_name TEXT NOT NULL,
    because TEXT NOT NULL, accepted_by TEXT NOT NULL, created TEXT NOT NULL, PRIMARY KEY (workspace, key)
)"""
_PINS = "CREATE TABLE pins (run TEXT PRIMARY KEY, created TEXT NOT NULL) WITHOUT ROWID"
# What a history of a version lacks that the next one has.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (_PIPELINES,),
    2: (_ACCEPTANCES, _PINS, "ALTER TABLE results ADD COLUMN collected TEXT"),
}

# `seq` counts up, so that "newest first" does not hang on the clock. Trees and runs are named by text, not by foreign
# keys: a tree is no row, and a run's parent may have been recorded by another process in a transaction of its own.
SCHEMA = f"""
CREATE TABLE schema (version INTEGER NOT NULL);
CREATE TABLE workspaces (
    name TEXT PRIMARY KEY, subscription_id TEXT NOT NULL, resource_group TEXT NOT NULL, location TEXT NOT NULL,
    tags TEXT NOT NULL, created TEXT NOT NULL, details TEXT NOT NULL
);
CREATE TABLE settings (
    workspace TEXT NOT NULL, file TEXT NOT NULL, document TEXT NOT NULL, saved TEXT NOT NULL,
    PRIMARY KEY (workspace, file)
);
CREATE TABLE experiments (
    workspace TEXT NOT NULL, name TEXT NOT NULL, created TEXT NOT NULL, PRIMARY KEY (workspace, name)
);
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, workspace TEXT NOT NULL, experiment TEXT NOT NULL,
    kind TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, parent TEXT, root TEXT, status TEXT NOT NULL,
    directory TEXT NOT NULL, created TEXT NOT NULL, started TEXT, ended TEXT, description TEXT, error TEXT,
    node_id TEXT, script TEXT, compute TEXT, exit_code INTEGER, reused_from TEXT, verdict TEXT, artifacts TEXT,
    details TEXT NOT NULL, owner TEXT, cancel_requested INTEGER NOT NULL
);
CREATE INDEX runs_by_experiment ON runs (workspace, experiment, number);
CREATE INDEX runs_by_parent ON runs (parent);
CREATE INDEX runs_by_root ON runs (root);
CREATE TABLE tags (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE TABLE properties (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE TABLE metrics (
    seq INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, name TEXT NOT NULL,
    kind TEXT NOT NULL, value TEXT NOT NULL, step INTEGER, time TEXT NOT NULL
);
CREATE INDEX metrics_by_run ON metrics (run);
CREATE TABLE results (
    id INTEGER PRIMARY KEY AUTOINCREMENT, workspace TEXT NOT NULL, key TEXT NOT NULL, step_name TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (id), created TEXT NOT NULL, outputs TEXT NOT NULL, artifacts TEXT,
    document TEXT NOT NULL, conditions TEXT NOT NULL, effects TEXT NOT NULL, reusable INTEGER NOT NULL,
    duration_s REAL NOT NULL, collected TEXT
);
CREATE INDEX results_by_key ON results (workspace, key);
CREATE INDEX results_by_step ON results (workspace, step_name);
CREATE INDEX results_by_run ON results (run);
CREATE TABLE definitions (
    workspace TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, definition TEXT NOT NULL, created TEXT NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE TABLE datasets (
    seq INTEGER PRIMARY KEY, workspace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, id TEXT NOT NULL,
    description TEXT, tags TEXT NOT NULL, created TEXT NOT NULL, origin TEXT,
    UNIQUE (workspace, name, version),
    FOREIGN KEY (workspace, id) REFERENCES definitions (workspace, id)
);
CREATE INDEX datasets_by_id ON datasets (workspace, id);
CREATE TABLE models (
    seq INTEGER PRIMARY KEY, workspace TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
    digest TEXT NOT NULL, base_name TEXT NOT NULL, tags TEXT NOT NULL, properties TEXT NOT NULL, description TEXT,
    run TEXT, framework TEXT, framework_version TEXT, created TEXT NOT NULL, details TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (workspace, name, version)
);
CREATE INDEX models_by_run ON models (workspace, run);
CREATE TABLE environments (
    seq INTEGER PRIMARY KEY, workspace TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
    definition TEXT NOT NULL, created TEXT NOT NULL, UNIQUE (workspace, name, version)
);
CREATE TABLE computes (
    workspace TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, config TEXT NOT NULL, PRIMARY KEY (workspace, name)
);
CREATE TABLE datastores (
    workspace TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, config TEXT NOT NULL, is_default INTEGER NOT NULL,
    PRIMARY KEY (workspace, name)
);
CREATE TABLE acknowledgements (event TEXT PRIMARY KEY, result TEXT NOT NULL, time TEXT NOT NULL) WITHOUT ROWID;
{_PIPELINES};
{_ACCEPTANCES};
{_PINS};
"""
TABLES = frozenset(
    [
        "schema",
        "workspaces",
        "settings",
        "experiments",
        "runs",
        "tags",
        "properties",
        "metrics",
        "results",
        "definitions",
        "datasets",
        "models",
        "environments",
        "computes",
        "datastores",
        "acknowledgements",
        "pipelines",
        "acceptances",
        "pins",
    ]
)

Row = TypeVar("Row")


_encoded = json.JSONEncoder(separators=(",", ":")).encode
# What `dump` wrote has no white space around it, which `json.loads` looks for each time.
_decoded = json.JSONDecoder().raw_decode


def dump(value: Any) -> str:
    """Returns: plain data as JSON; ASCII only, so that text which is no Unicode survives."""
    return "{}" if value == {} else _encoded(value)


def load(text: str | None) -> Any:
    """Returns: what `dump` wrote."""
    if text is None:
        return None
    return {} if text == "{}" else _decoded(text)[0]


class Columns(Generic[Row]):
    """How the fields of a row stand in its table.

    Args:
        row: The row's class; its fields are columns of the same names.
        data: Fields that hold plain data.
        flags: Fields that hold True or False.
        beside: How many of its fields, the last ones, are no columns.
    """

    def __init__(self, row: type[Row], *, data: str = "", flags: str = "", beside: int = 0) -> None:
        self.row = row
        self.names = tuple(row.__annotations__)[: -beside or None]
        self.list = ", ".join(self.names)
        self._marks = ", ".join("?" * len(self.names))
        self._values = attrgetter(*self.names)
        self._data = frozenset(data.split())
        self._written = [at for at, name in enumerate(self.names) if name in self._data or name in flags.split()]
        self._reads = [load if n in self._data else bool if n in flags.split() else None for n in self.names]

    def insert(self, table: str, *, extra: str = "", verb: str = "INSERT") -> str:
        """Returns: the statement that writes a row, `extra` columns before its own."""
        names = f"{extra}, {self.list}" if extra else self.list
        marks = ", ".join("?" * len(extra.split(","))) + ", " + self._marks if extra else self._marks
        return f"{verb} INTO {table} ({names}) VALUES ({marks})"

    def write(self, name: str, value: Any) -> Any:
        """Returns: a field's value as it stands in the table."""
        if name in self._data and value is not None:
            return dump(value)
        return int(value) if isinstance(value, bool) else value

    def values(self, row: Row) -> list[Any]:
        """Returns: a row's values, in the order of `names`."""
        values = list(self._values(row))
        for at in self._written:
            values[at] = self.write(self.names[at], values[at])
        return values

    def read(self, values: Sequence[Any], *beside: Any) -> Row:
        """Returns: the row that stands in the table as these values; `beside` are its fields that are no columns."""
        kept = [value if how is None else how(value) for how, value in zip(self._reads, values, strict=True)]
        return self.row(*kept, *beside)


WORKSPACES = Columns(WorkspaceRow, data="tags details")
RUNS = Columns(RunRow, data="error verdict details", flags="cancel_requested")
METRICS = Columns(MetricRow, data="value")
RESULTS = Columns(ResultRow, data="outputs document conditions effects", flags="reusable", beside=1)
MODELS = Columns(ModelRow, data="tags properties details")
ENVIRONMENTS = Columns(EnvironmentRow, data="definition")
COMPUTES = Columns(ComputeRow, data="config")
DATASTORES = Columns(DatastoreRow, data="config", flags="is_default")
ACCEPTANCES = Columns(AcceptanceRow)
PIPELINES = Columns(PipelineRow, data="document")
