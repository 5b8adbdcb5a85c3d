"""What a step does to others: its events are taken into the history, and done again when it is reused."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scriptstep.errors import AzureMLException
from scriptstep.history import History
from scriptstep.runtime.events import read_events
from scriptstep.runtime.plain_rows import from_plain
from scriptstep.workspace.local_catalog import LocalCatalog

__all__ = ["EventTaker", "Target", "reenact"]

Event = Mapping[str, Any]

# What a step may ask of the catalog by name; nothing else is called for it.
_CALLS = frozenset(
    {
        "add_compute",
        "add_dataset",
        "add_datastore",
        "add_environment",
        "add_experiment",
        "add_run",
        "delete_model",
        "remove_compute",
        "remove_dataset",
        "remove_datastore",
        "save_definition",
        "set_default_datastore",
        "update_dataset",
        "update_model",
        "update_run",
    }
)
# Of these, what a reused step does again.
_REGISTRATIONS = frozenset({"add_dataset", "add_environment"})


class Target:
    """Where effects go.

    Args:
        catalog: The workspace's catalog, which writes the history.
        run_id: Id of the step run.
        parent_id: Id of the pipeline run; empty where there is no run above.
        parent_folder: Folder of the pipeline run.
    """

    def __init__(self, catalog: LocalCatalog, run_id: str, parent_id: str, parent_folder: Path) -> None:
        self.catalog = catalog
        self.history: History = catalog.history
        self.store = catalog.store
        self.run_id, self.parent_id = run_id, parent_id
        self.parent_folder = parent_folder


class EventTaker:
    """Takes the events of one attempt into the history, as they come.

    Args:
        target: Where they go.
        events: The file that the step appends to.
        folder: The step's own folder, for what it uploads to itself.

    Attributes:
        reads: What the step read that must still hold for its result to be reused.
        effects: What it did to others, to be done again on reuse; trees in place of staged files.
        cancelled: Whether it asked for the run to be cancelled.
    """

    def __init__(self, target: Target, events: Path, folder: Path) -> None:
        self._target, self._events, self._folder = target, events, folder
        self._offset = 0
        self.reads: list[dict[str, Any]] = []
        self.effects: list[dict[str, Any]] = []
        self.cancelled = False

    def take(self) -> int:
        """Takes in what is new.

        Returns:
            How many events were new.
        """
        events, self._offset = read_events(self._events, self._offset)
        if not events:
            return 0
        with self._target.history.transaction():
            for event in events:
                self._take_one(event)
        return len(events)

    def _take_one(self, event: Event) -> None:
        if event["do"] == "read":
            self.reads.append({k: event[k] for k in ("what", "args", "digest")})
            return
        try:
            answer = self._apply(event)
        except (AzureMLException, OSError, ValueError, KeyError, TypeError) as error:
            answer = {"error": str(error)}
        if event.get("ack"):
            self._target.history.acknowledge(str(event["id"]), answer)

    def _apply(self, event: Event) -> dict[str, Any]:
        kind, run = event["do"], str(event["run"])
        if kind == "settle":
            return {}
        if kind == "cancel":
            self.cancelled = True
            self._target.history.request_cancel(run)
            return {}
        effect = {k: v for k, v in event.items() if k not in ("id", "t", "run", "path", "ack")}
        if kind == "upload" and run == self._target.run_id:
            _place(Path(event["path"]), self._folder / "artifacts" / event["name"])
            return {}
        if "path" in event:
            effect["tree"] = self._target.store.adopt(Path(event["path"])).digest
        answer = _do(effect, run, self._target)
        registers = kind == "register_model" or (kind == "call" and event["method"] in _REGISTRATIONS)
        if registers or run == self._target.parent_id:
            self.effects.append(effect)
        return answer


def reenact(effects: Sequence[Event], target: Target) -> list[str]:
    """Does again, for a reused step, what its attempt did to others.

    Args:
        effects: What was recorded with the result.
        target: Where it goes.

    Returns:
        What was registered anew, to be shown: `model diabetes 2`.
    """
    told: list[str] = []
    for effect in effects:
        if effect["do"] == "register_model":
            latest = target.catalog.model(effect["name"])
            if latest is not None and latest.digest == effect["tree"]:
                continue
            answer = _do(effect, target.run_id, target)
            told.append(f"model {effect['name']} {answer['version']}")
        else:
            _do(effect, target.parent_id, target)
    return told


def _do(effect: Event, run: str, target: Target) -> dict[str, Any]:
    kind, history = effect["do"], target.history
    if kind == "metric":
        row = from_plain(effect["row"])
        history.add_metrics([type(row)(**{**row.__dict__, "run": run})])
    elif kind == "tags":
        history.set_tags(run, effect["tags"])
    elif kind == "untag":
        history.remove_tags(run, effect["names"])
    elif kind == "properties":
        history.set_properties(run, effect["properties"])
    elif kind == "upload":
        _place(target.store.content_path(effect["tree"]), target.parent_folder / "artifacts" / effect["name"])
    elif kind == "register_model":
        model = history.add_model(
            target.catalog.name,
            name=effect["name"],
            digest=effect["tree"],
            base_name=effect["base_name"],
            tags=effect.get("tags"),
            properties=effect.get("properties"),
            description=effect.get("description"),
            run=run,
            framework=effect.get("framework"),
            framework_version=effect.get("framework_version"),
            details=effect.get("details"),
        )
        return {"id": model.id, "version": model.version}
    elif kind == "call" and effect["method"] in _CALLS:
        getattr(target.catalog, effect["method"])(
            *from_plain(effect["args"]), **{k: from_plain(v) for k, v in effect.get("keywords", {}).items()}
        )
    else:
        raise ValueError(f"a step may not ask for {effect.get('method', kind)!r}")
    return {}


def _place(content: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if content.is_dir():
        shutil.copytree(content, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(content, target)
