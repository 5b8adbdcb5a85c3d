"""Runs that a notebook or a script starts by itself, outside of any pipeline."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from scriptstep.history import RunRow, now
from scriptstep.run.run import Run

if TYPE_CHECKING:
    from scriptstep.run.experiment import Experiment

__all__ = ["started"]


def started(
    experiment: Experiment, kind: str, name: str | None, run_id: str | None = None, *, parent: RunRow | None = None
) -> Run:
    """Records a run that has begun.

    Args:
        experiment: Its experiment.
        kind: "interactive" or "child".
        name: Its name; its kind where None.
        run_id: Its id; made up where None.
        parent: The run that it is part of.

    Returns:
        The run.
    """
    catalog = experiment.workspace._catalog
    id = run_id or str(uuid.uuid4())
    above: dict[str, Any] = {"parent": parent.id, "root": parent.root} if parent is not None else {}
    if parent is None:
        catalog.add_experiment(experiment.name)
    row = catalog.add_run(
        RunRow(
            id=id,
            workspace=catalog.name,
            experiment=experiment.name,
            kind=kind,
            name=name or kind,
            status="Running",
            directory=f"runs/{id[:8]}" if run_id is None else f"runs/{uuid.uuid5(uuid.NAMESPACE_URL, id).hex[:8]}",
            started=now(),
            **above,
        )
    )
    return Run(experiment, row.id, _row=row)
