"""The folder of a step of a run: what lies where in it.

Its name, and those in it, are of plain characters only: some libraries choke on the rest.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from scriptstep.records import dataclass

__all__ = ["StepFolder", "plain"]


@dataclass(frozen=True)
class StepFolder:
    """The folder of one step of one run, `runs/RUN/STEP`.

    Attributes:
        path: Absolute.
    """

    path: Path

    @property
    def code(self) -> Path:
        """Returns: the working copy, there while the step runs."""
        return self.path / "code"

    @property
    def inputs(self) -> Path:
        """Returns: what holds a folder for each input."""
        return self.path / "inputs"

    @property
    def outputs(self) -> Path:
        """Returns: what holds an entry for each output."""
        return self.path / "outputs"

    @property
    def log(self) -> Path:
        """Returns: what the script prints, where it is one process; several have each a log beside it."""
        return self.path / "logs" / "std_log.txt"

    @property
    def mpi_log(self) -> Path:
        """Returns: what mpirun itself prints, where it starts the script."""
        return self.path / "logs" / "mpi_log.txt"

    @property
    def events(self) -> Path:
        """Returns: what the script logs, tags and registers."""
        return self.path / "events"

    @property
    def mlflow(self) -> Path:
        """Returns: where MLflow keeps what the script logs with it."""
        return self.path / "mlflow"

    @property
    def artifacts(self) -> Path:
        """Returns: the files of the run, as `get_file_names` lists them."""
        return self.path / "artifacts"

    def set_aside(self, attempt: int) -> None:
        """Makes room for another attempt: of the earlier one the logs stay, beside those to come.

        Args:
            attempt: Number of the earlier one; no process of it is left.
        """
        aside = self.path / f".attempt-{attempt}"
        aside.mkdir(exist_ok=True)
        for place in (self.code, self.inputs, self.outputs, self.events, self.mlflow, self.artifacts, self.log.parent):
            if os.path.lexists(place):
                place.rename(aside / place.name)
        self.log.parent.mkdir()
        logs = aside / self.log.parent.name
        for earlier in logs.glob("attempt_*"):
            earlier.rename(self.log.parent / earlier.name)
        if logs.is_dir():
            logs.rename(self.log.parent / f"attempt_{attempt}")
        shutil.rmtree(aside, ignore_errors=True)

    def output(self, name: str) -> Path:
        """Returns: the path that the script is given for an output."""
        return self.outputs / plain(name)


def plain(name: str) -> str:
    """Returns: a name of plain characters, `[A-Za-z0-9_.-]`, never empty and never hidden."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip(".") or "_"
