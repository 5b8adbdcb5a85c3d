"""Verdicts of reuse are recorded many at a time: whoever may ask for one finds it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from scriptstep.console import StepEnded
from scriptstep.engine import ledger, recorder
from scriptstep.errors import WorkspaceException
from scriptstep.history import History

Make, Run = Callable[..., Any], Callable[..., Any]


@pytest.fixture
def patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recorded because time has passed."""
    monkeypatch.setattr(ledger, "_UNRECORDED_S", 3600.0)


def rows(history: History, run: Any) -> dict[str, str]:
    return {row.name: row.status for row in history.runs(parent=run.id, kind="step")}


def test_a_step_that_runs_finds_the_reused_ones_before_it(
    make_step: Make, run: Run, ws: Any, patiently: None, verdicts: Callable[[Any], dict[str, str]]
) -> None:
    asking = """
        from azureml.core import Run
        run = Run.get_context()
        (first,) = run.parent.find_step_run("first")
        run.log("seen", first.get_status())
        run.log("isreused", first.get_properties()["azureml.isreused"])
    """
    first, last = make_step("first", "print(1)"), make_step("last", asking, allow_reuse=False)
    last.run_after(first)
    run(first)
    again = run(last)
    assert verdicts(again) == {"first": "reused", "last": "ran"}
    (step,) = again.find_step_run("last")
    assert step.get_metrics() == {"seen": "Finished", "isreused": "true"}


def test_what_a_step_read_of_a_reused_one_is_read_again_as_it_is_now(
    make_step: Make, run: Run, patiently: None, verdicts: Callable[[Any], dict[str, str]]
) -> None:
    reading = """
        from azureml.core import Run
        run = Run.get_context()
        (first,) = run.parent.find_step_run("first")
        run.log("seen", first.get_status())
    """
    first, last = make_step("first", "print(1)"), make_step("last", reading)
    last.run_after(first)
    run(last)
    assert verdicts(run(last)) == {"first": "reused", "last": "reused"}


def test_all_is_recorded_at_the_end_however_it_comes(
    make_step: Make, run: Run, ws: Any, patiently: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [make_step(f"s{n}", f"print({n})") for n in range(5)]
    run(*steps)
    history = ws._catalog.history
    assert set(rows(history, run(*steps)).values()) == {"Finished"}

    def refuse(self: Any, plan: Any) -> str:
        if plan.spec.name == "s3":
            raise KeyError("s3")
        return reuse(self, plan)

    reuse = ledger.Ledger.reuse
    monkeypatch.setattr(ledger.Ledger, "reuse", refuse)
    told = rows(history, run(*steps))
    assert [told[f"s{n}"] for n in range(3)] == ["Finished"] * 3


def test_others_see_a_reused_step_while_the_run_goes_on(make_step: Make, run: Run, ws: Any, heard: Any) -> None:
    first, last = make_step("first", "print(1)"), make_step("last", "import time; time.sleep(60)", allow_reuse=False)
    run(first)
    from scriptstep import Experiment, Pipeline

    going = Experiment(ws, "test").submit(Pipeline(ws, [first, last]))
    try:
        end = time.monotonic() + 30
        while rows(ws._catalog.history, going)["first"] != "Finished" and time.monotonic() < end:
            time.sleep(0.01)
        assert rows(ws._catalog.history, going)["first"] == "Finished"
        assert any(isinstance(event, StepEnded) and event.verdict == "reused" for event in heard.events)
    finally:
        going.cancel()
        going.wait_for_completion(show_output=False, raise_on_error=False)


def test_a_step_whose_record_cannot_be_kept_is_not_told_as_failed_and_finished_both(
    make_step: Make, run: Run, ws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [make_step(f"s{n}", f"print({n})") for n in range(4)]
    run(*steps)
    monkeypatch.setattr(ledger, "_UNRECORDED_S", 0.0)
    refused = 0

    def refuse_once(self: Any, changes: Any) -> None:
        nonlocal refused
        refused += 1
        if refused == 2:
            raise WorkspaceException("another process has been writing the history")
        update_runs(self, changes)

    update_runs = History.update_runs
    monkeypatch.setattr(History, "update_runs", refuse_once)
    ended = run(*steps, continue_on_step_failure=True)
    told = rows(ws._catalog.history, ended)
    assert ended.get_status() == "Failed"
    assert sorted(told.values()) == ["Failed", "Finished", "Finished", "Finished"]


@pytest.mark.parametrize("why", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_as_that_wherever_it_is_met(
    make_step: Make, run: Run, monkeypatch: pytest.MonkeyPatch, why: int
) -> None:
    def full(self: Any, plan: Any, status: Any) -> Any:
        raise OSError(why, os.strerror(why), "/data/file")

    monkeypatch.setattr(recorder.Recorder, "finish", full)
    ended = run(make_step("a", "print(1)"))
    assert ended.get_status() == "Failed"
    assert ended.get_details()["error"]["error"]["message"] == "no space is left on the disk of /data/file"
