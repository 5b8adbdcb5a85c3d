"""Any pipeline, edited and run in any way: each result is that of a run without reuse, and nothing runs without need.

What is real here, and what is not: docs/reliability.md.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.reuse_model.machine import COUNTS, PipelineMachine, RealPipelineMachine

_SEQUENCES = int(os.environ.get("SCRIPTSTEP_SEQUENCES", "200"))
_REAL_SEQUENCES = int(os.environ.get("SCRIPTSTEP_REAL_SEQUENCES", "4"))
_PARTS = 8


def _run(machine: type[PipelineMachine], sequences: int, steps: int, capsys: pytest.CaptureFixture[str]) -> None:
    COUNTS.clear()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    if "SCRIPTSTEP_SEQUENCES" in os.environ:
        with capsys.disabled():
            print(f"\n{machine.__name__}: {dict(COUNTS)}")


@pytest.mark.parametrize("part", range(_PARTS))
def test_every_result_is_that_of_a_run_without_reuse(part: int, capsys: pytest.CaptureFixture[str]) -> None:
    _run(PipelineMachine, _SEQUENCES // _PARTS, 6, capsys)


def test_every_result_of_real_processes_is_that_of_a_run_without_reuse(capsys: pytest.CaptureFixture[str]) -> None:
    _run(RealPipelineMachine, _REAL_SEQUENCES, 3, capsys)
