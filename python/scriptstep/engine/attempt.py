"""One try at running a step, as plain data, and how it goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from typing import Any

from scriptstep.errors import ArgumentError
from scriptstep.records import asdict, dataclass, field, names

__all__ = ["Attempt", "Process", "State", "Status"]


@dataclass(frozen=True)
class Process:
    """One of several processes of an attempt; its log is that of its rank.

    Attributes:
        argv: The command and its arguments.
        env: Variables that it has besides those of the attempt.
        server: Whether it serves the others, and is ended when they have.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    server: bool = False


@dataclass(frozen=True)
class Attempt:
    """Everything that an executor needs to run a step once.

    Attributes:
        id: Its id; submitting the same id twice starts one attempt.
        run_id: Id of the step run.
        step: Name of the step.
        argv: The command and its arguments.
        env: The whole environment.
        cwd: Working directory: the root of the step's working copy.
        log: File that takes standard output and error, in the order that they come.
        snapshot: Digest of the step's content.
        inputs: Port to what the script is given.
        outputs: Port to the path that the script is given.
        node_count: Nodes.
        process_count: Processes a node.
        resources: What it asks of an executor besides.
        timeout_s: Seconds after which it is ended; None for no limit.
        processes: What is started in place of `argv`, one for each rank; empty where one process is.
        logs: Log of each rank; empty where there is one process, whose log is `log`.
    """

    id: str
    run_id: str
    step: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    log: str
    snapshot: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    node_count: int = 1
    process_count: int = 1
    resources: dict[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    processes: tuple[Process, ...] = ()
    logs: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Returns: the attempt as one line of JSON; bytes of a name that are no UTF-8 come back as they are."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Attempt:
        """Reads what `to_json` wrote.

        Args:
            text: One JSON object.

        Returns:
            The same attempt.

        Raises:
            ArgumentError: It is no such object; the message names the field. It is a ValueError.
        """
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ArgumentError(f"this is no attempt, nor JSON: {error}") from None
        if not isinstance(found, dict):
            raise ArgumentError(f"an attempt is a JSON object, not a {type(found).__name__}")
        known = set(names(Attempt))
        if wrong := sorted(known ^ set(found)):
            what = ", ".join(f"{name} is {'missing' if name in known else 'unknown'}" for name in wrong)
            raise ArgumentError(f"this is not an attempt: {what}")
        for name, (is_right, what) in _FIELDS.items():
            if not is_right(found[name]):
                raise ArgumentError(f"this is not an attempt: {name} must be {what}, not {found[name]!r:.80}")
        found["argv"], found["logs"] = tuple(found["argv"]), tuple(found["logs"])
        found["processes"] = tuple(Process(tuple(p["argv"]), p["env"], p["server"]) for p in found["processes"])
        return Attempt(**found)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _is_process(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"argv", "env", "server"}
        and bool(value["argv"])
        and _are_texts(value["argv"])
        and _is_table(value["env"])
        and isinstance(value["server"], bool)
    )


# By hand: pydantic refuses the text of a name that is not UTF-8, and costs 85 ms.
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("id", "run_id", "step", "cwd", "log", "snapshot"), (_is_text, "text")),
    "argv": (lambda v: _are_texts(v) and len(v) > 0, "a list of text that is not empty"),
    "logs": (_are_texts, "a list of text"),
    "processes": (lambda v: isinstance(v, list) and all(map(_is_process, v)), "a list of processes"),
    **dict.fromkeys(("env", "inputs", "outputs"), (_is_table, "an object of texts")),
    "node_count": (_is_count, "a count"),
    "process_count": (_is_count, "a count"),
    "resources": (lambda v: isinstance(v, dict), "an object"),
    "timeout_s": (
        lambda v: v is None or (isinstance(v, (int, float)) and not isinstance(v, bool) and 0 <= v < float("inf")),
        "a number of seconds or null",
    ),
}


class State(str, Enum):
    """Where an attempt stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Status:
    """How an attempt goes.

    Attributes:
        state: Where it stands.
        exit_code: The script's own; None before its end, and where a signal ended it.
        signal: Number of the signal that ended it.
        started: When its process started, seconds since the epoch.
        ended: When it ended.
        message: What else there is to say.
        rank: Which of several processes it was that failed; None where nobody knows, or there is one.
    """

    state: State
    exit_code: int | None = None
    signal: int | None = None
    started: float | None = None
    ended: float | None = None
    message: str | None = None
    rank: int | None = None
