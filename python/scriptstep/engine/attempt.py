"""One try at running a step, as plain data, and how it goes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

__all__ = ["Attempt", "State", "Status"]


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
    resources: dict[str, Any] | None = None
    timeout_s: float | None = None

    def to_json(self) -> str:
        """Returns: the attempt as one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Attempt:
        """Reads what `to_json` wrote.

        Args:
            text: One JSON object.

        Returns:
            The same attempt.

        Raises:
            ValueError: It is no such object.
        """
        found = json.loads(text)
        names = {f.name for f in fields(Attempt)}
        if not isinstance(found, dict) or set(found) != names:
            raise ValueError("not an attempt")
        found["argv"] = tuple(found["argv"])
        return Attempt(**found)


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
    """

    state: State
    exit_code: int | None = None
    signal: int | None = None
    started: float | None = None
    ended: float | None = None
    message: str | None = None
