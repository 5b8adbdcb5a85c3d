"""What every executor can be asked; it places and reports, it decides nothing."""

from __future__ import annotations

from typing import Protocol

from scriptstep.engine.attempt import Attempt, Status
from scriptstep.records import dataclass

__all__ = ["Capabilities", "Executor"]


@dataclass(frozen=True)
class Capabilities:
    """What an executor can do.

    Attributes:
        max_nodes: Most nodes of one attempt.
        max_processes: Most processes of one attempt on a node.
        gpus: How many devices it has.
        reattach: Whether attempts go on when the coordinator is gone.
        shared_paths: Whether attempts see the coordinator's files at the same paths.
    """

    max_nodes: int = 1
    max_processes: int = 1
    gpus: int = 0
    reattach: bool = False
    shared_paths: bool = True


class Executor(Protocol):
    """Runs attempts."""

    def capabilities(self) -> Capabilities:
        """Returns: what it can do."""

    def submit(self, attempt: Attempt) -> str:
        """Takes an attempt; the same id twice is one attempt. Returns its handle.

        What is wrong with the attempt itself (no such program, too many processes) is in its status.
        """

    def poll(self, handles: list[str]) -> dict[str, Status]:
        """Returns: how the attempts go, by handle."""

    def wait(self, timeout: float) -> None:
        """Returns when the status of any attempt is not what this thread last polled, or after `timeout` seconds."""

    def cancel(self, handle: str, grace_s: float = 10) -> None:
        """Ends an attempt with its whole process tree; also one that has not begun."""

    def logs(self, handle: str, rank: int = 0, offset: int = 0) -> tuple[bytes, int]:
        """Returns: what was printed from an offset on, perhaps not all of it, and the next offset."""

    def reattach(self, handles: list[str]) -> None:
        """Takes up attempts of a coordinator that is gone."""

    def close(self) -> None:
        """Ends what still runs, and frees everything."""
