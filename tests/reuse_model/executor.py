"""An executor that runs the script of the model in this process, by what the attempt says, and can be told to go wrong."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from scriptstep.engine.attempt import Attempt, State, Status
from scriptstep.engine.executors.protocol import Capabilities
from scriptstep.runtime.events import EventWriter
from scriptstep.runtime.reads import read_digest, read_value
from scriptstep.workspace.workspace import Workspace
from tests.reuse_model import script

__all__ = ["InProcess", "Surroundings"]

# What the shell of a command step is given in place of the interpreter: it tells what `python` would have got.
_TELLING = 'python() { printf "%s\\0" "$@"; }\n'


class Surroundings:
    """What scripts find outside of what the engine gives them; lives as long as a workspace does.

    Attributes:
        workspace: Where scripts read through the SDK.
        outside_of: What a step, by name, sees of its machine and of the world outside.
        after_of: Names of the steps that a step runs after.
        effects: What each attempt did to the world outside, by run id.
        crashing: Names of steps that write half of their outputs, and end.
        hanging: Names of steps that do not end until they are cancelled.
        meanwhile: Called once while a step runs.
        ran: Names of the steps that ran.
    """

    def __init__(self) -> None:
        self.workspace: Workspace | None = None
        self.outside_of: Callable[[str], str] = lambda name: ""
        self.after_of: Callable[[str], list[str]] = lambda name: []
        self.effects: dict[str, str] = {}
        self.crashing: set[str] = set()
        self.hanging: set[str] = set()
        self.meanwhile: Callable[[], None] | None = None
        self.hangs: Callable[[], None] = lambda: None
        self.ran: list[str] = []

    def before(self, attempt: Attempt) -> str:
        """Returns: what the steps before an attempt did outside; what a reused one did is what its attempt did."""
        assert self.workspace is not None
        history = self.workspace._catalog.history  # type: ignore[attr-defined]
        beside = {row.name: row for row in history.runs(parent=attempt.env["AZUREML_PARENT_RUN_ID"])}
        rows = [beside[name] for name in self.after_of(attempt.step)]
        return " ".join(self.effects[row.reused_from or row.id] for row in rows)

    def read_notes(self, attempt: Attempt) -> list[object]:
        """Reads a registered dataset, and tells of it as the SDK inside a step does."""
        assert self.workspace is not None
        args = {"name": "notes", "version": None}
        value = read_value(self.workspace._catalog, "dataset", args, attempt.env["AZUREML_PARENT_RUN_ID"])
        events = EventWriter(Path(attempt.env["SCRIPTSTEP_EVENTS"]), attempt.env["SCRIPTSTEP_ATTEMPT"])
        events.write("read", attempt.run_id, what="dataset", args=args, digest=read_digest(value))
        notes = self.workspace._catalog.dataset("notes", None)
        assert notes is not None
        return [notes.version, notes.description]


class InProcess:
    """Runs an attempt when it is submitted; of several processes, the first."""

    def __init__(self, jobs: int, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._status: dict[str, Status] = {}

    def capabilities(self) -> Capabilities:
        return Capabilities(max_nodes=64, max_processes=64)

    def submit(self, attempt: Attempt) -> str:
        started = time.time()
        around = self._around
        around.ran.append(attempt.step)
        if attempt.step in around.hanging:
            self._status[attempt.id] = Status(State.RUNNING, started=started)
            around.hangs()
            return attempt.id
        code = self._run(attempt)
        if around.meanwhile is not None:
            meanwhile, around.meanwhile = around.meanwhile, None
            meanwhile()
        if attempt.step in around.crashing:
            code = 1
        state = State.SUCCEEDED if code == 0 else State.FAILED
        self._status[attempt.id] = Status(state, exit_code=code, started=started, ended=time.time())
        return attempt.id

    def _run(self, attempt: Attempt) -> int:
        argv, env = list(attempt.argv), dict(attempt.env)
        if attempt.processes:
            argv, env = list(attempt.processes[0].argv), {**env, **attempt.processes[0].env}
        if argv[0].endswith("mpirun"):
            env |= {"OMPI_COMM_WORLD_SIZE": argv[2], "OMPI_COMM_WORLD_LOCAL_SIZE": argv[9]}
            argv = argv[10:]
        if argv[1] == "-c":
            told = subprocess.run([argv[0], "-c", _TELLING + argv[2]], env=env, capture_output=True, check=True)
            argv = [part.decode("utf-8", "surrogateescape") for part in told.stdout.split(b"\0")[:-1]]
        else:
            argv = argv[1:]
        around = self._around
        env["MODEL_OUTSIDE"] = around.outside_of(attempt.step)
        env["MODEL_BEFORE"] = around.before(attempt)

        def keep(digest: str) -> None:
            around.effects[attempt.run_id] = digest

        try:
            return script.main(argv, env, attempt.cwd, lambda: around.read_notes(attempt), keep)
        except FileNotFoundError:
            # Data that went away since the step began: a process would end so.
            return 1

    def poll(self, handles: list[str]) -> dict[str, Status]:
        return {handle: self._status[handle] for handle in handles}

    def wait(self, timeout: float) -> None:
        time.sleep(0.001)

    def cancel(self, handle: str, grace_s: float = 10) -> None:
        status = self._status[handle]
        if status.state is State.RUNNING:
            self._status[handle] = Status(State.CANCELLED, started=status.started, ended=time.time())

    def logs(self, handle: str, rank: int = 0, offset: int = 0) -> tuple[bytes, int]:
        return b"", offset

    def reattach(self, handles: list[str]) -> None:
        pass

    def close(self) -> None:
        pass
