"""A real pipeline, started again and again in processes that can be killed at any moment.

Starting an interpreter costs more than coordinating the pipeline: one process imports everything once, and each run is a
fork of it that calls the command line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

PIPELINE = """
import sys
from azureml.core import Experiment, Workspace
from azureml.pipeline.core import Pipeline, PipelineData
from azureml.pipeline.steps import CommandStep, PythonScriptStep

raw, left, right = (PipelineData(name) for name in ("raw", "left", "right"))
keywords = {"source_directory": "src"}
steps = [
    CommandStep(command=["sh", "make.sh", sys.argv[1], raw], name="make", outputs=[raw], **keywords),
    CommandStep(command=["cp", raw, left], name="left", inputs=[raw], outputs=[left], **keywords),
    CommandStep(command=["sh", "twice.sh", raw, right], name="right", inputs=[raw], outputs=[right], **keywords),
    PythonScriptStep("join.py", name="join", arguments=[left, right], inputs=[left, right], **keywords),
]
run = Experiment(Workspace.from_config(), "crash").submit(Pipeline(Workspace.from_config(), steps=steps))
run.wait_for_completion(show_output=False)
"""
SOURCES = {
    "make.sh": 'echo "$1" > "$2"\n',
    "twice.sh": 'mkdir "$2"; cp "$1" "$2/a"; cp "$1" "$2/b"\n',
    "join.py": """
        import sys
        from azureml.core import Run

        run = Run.get_context()
        text = open(sys.argv[1]).read() + open(sys.argv[2] + "/a").read()
        with open("outputs/model.txt", "w") as file:
            file.write(text)
        run.parent.log("length", len(text))
        run.upload_file("model.txt", "outputs/model.txt")
        run.register_model("joined", "model.txt")
        """,
}
STEPS = ("make", "left", "right", "join")

# Reads a line of JSON each: what to run, or whom to kill; answers with a line.
_NURSERY = """
import json, os, signal, sys
import sqlite3, pydantic, scriptstep.azureml.table, scriptstep.cli.commands, scriptstep.cli.running
import scriptstep.run.submission, scriptstep.run.pipeline_run, scriptstep.run.waiting, scriptstep.engine.coordinator
import scriptstep.engine.attempts
import scriptstep.authoring.steps, scriptstep.authoring.pipeline, scriptstep.workspace.workspace
from scriptstep.cli import main
for line in sys.stdin:
    order = json.loads(line)
    if "run" in order:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            null = os.open(os.devnull, os.O_RDONLY)
            for number, file in ((0, null), (1, log), (2, log)):
                os.dup2(file, number)
            code = 70
            try:
                sys.argv[:] = ["scriptstep", "run", *order["run"]]
                code = main(sys.argv[1:])
            finally:
                sys.stdout.flush()
                os._exit(code or 0)
        print(pid, flush=True)
    else:
        for pid in order["kill"]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
"""


class Nursery:
    """A project folder with a pipeline in it, and the process that forks its runs.

    Args:
        folder: Where to make it.
    """

    def __init__(self, folder: Path) -> None:
        self.home, self.project, self.log = folder / "state", folder / "project", folder / "log"
        (self.project / "src").mkdir(parents=True)
        (self.project / "pipeline.py").write_text(PIPELINE)
        for name, text in SOURCES.items():
            (self.project / "src" / name).write_text(dedent(text))
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AZUREML_", "SCRIPTSTEP_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.project,
            env={**environment, "SCRIPTSTEP_HOME": str(self.home)},
        )

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()

    def start(self, *arguments: str) -> int:
        """Starts `scriptstep run pipeline.py ARGUMENTS`. Returns its process."""
        return self._order(run=["pipeline.py", *arguments], log=str(self.log))

    def finish(self, pid: int) -> int:
        """Returns: the exit code of a run, when it has ended."""
        return self._order(kill=[], wait=pid)

    def kill(self, pid: int, *more: int) -> int:
        """Kills a run, and more processes with it. Returns its exit code: it may have come to its end before."""
        return self._order(kill=[pid, *more], wait=pid)

    def _order(self, **order: Any) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def descendants(pid: int) -> list[int]:
    """Returns: the processes below one, those that it started itself first."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            below.setdefault(parent, []).append(int(entry.name))
    found = list(below.get(pid, []))
    for one in found:
        found.extend(below.get(one, []))
    return found


def left_alive(home: Path, seconds: float) -> list[str]:
    """Waits for the processes of steps to end. Returns the command lines of those that did not."""
    wanted = os.fsencode(f"SCRIPTSTEP_RUN_DIR={home}/")
    limit = time.monotonic() + seconds
    while True:
        alive = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and wanted in (entry / "environ").read_bytes():
                    alive.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        if not alive or time.monotonic() > limit:
            return alive
        time.sleep(0.02)
