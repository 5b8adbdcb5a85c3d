"""Two runs that need the same step at the same time: one runs it, the other waits and uses its result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep import Experiment, Pipeline, ScriptRunConfig, Workspace
from scriptstep.console import StepEnded, StepStarted, StepWaiting
from scriptstep.engine import file_lock, retries
from scriptstep.engine.claims import Claims
from scriptstep.engine.file_lock import FileLock, holder
from tests.heard import Heard, lines

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

# Says that it runs, then waits for a file; the first word of its arguments keeps steps apart.
HELD = """
    import os, sys, time
    place, name = sys.argv[1:3]
    with open(os.path.join(place, "ran"), "a") as file:
        file.write(name + "\\n")
    while not os.path.exists(os.path.join(place, "go-" + name)):
        time.sleep(0.01)
    if os.path.exists(os.path.join(place, "fail-" + name)):
        sys.exit(7)
"""


@pytest.fixture
def place(project: Path) -> Path:
    folder = project / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def held(make_step: Make, place: Path) -> Make:
    def make(name: str, **keywords: Any) -> Any:
        return make_step(name, HELD, arguments=[str(place), name], **keywords)

    return make


@pytest.fixture
def submit(ws: Any, heard: Heard, place: Path) -> Iterator[Make]:
    """Submits steps and goes on; at the end of the test nothing is held any more."""
    runs: list[Any] = []

    def start(*steps: Any, **keywords: Any) -> Any:
        runs.append(Experiment(ws, "test").submit(Pipeline(ws, steps=list(steps)), **keywords))
        return runs[-1]

    yield start
    for name in "abcdefgh":
        (place / f"go-{name}").touch()
    for run in runs:
        run.wait_for_completion(show_output=False, raise_on_error=False)


def finish(run: Any) -> Any:
    run.wait_for_completion(show_output=False, raise_on_error=False)
    return run


def started(heard: Heard, run: Any, step: str) -> None:
    heard.wait_for(lambda e: isinstance(e, StepStarted) and (e.run_id, e.step) == (run.id, step))


def waits(heard: Heard, run: Any, step: str, other: Any) -> None:
    heard.wait_for(lambda e: e == StepWaiting(step, other.id, run.id))


def test_the_other_run_waits_is_told_for_whom_and_uses_the_result(
    held: Make, submit: Make, heard: Heard, place: Path, home: Path, verdicts: Tell
) -> None:
    first = submit(held("a"))
    started(heard, first, "a")
    second = submit(held("a"))
    waits(heard, second, "a", first)
    (place / "go-a").touch()
    assert verdicts(finish(first)) == {"a": "ran"}
    assert verdicts(finish(second)) == {"a": "reused"}
    assert lines(place / "ran") == ["a"]
    (step,) = second.find_step_run("a")
    assert step.get_properties()["azureml.reusedrunid"] == first.find_step_run("a")[0].id
    assert not heard.of(StepWaiting, first)
    assert list((home / "claims").iterdir()) == []


def test_a_step_that_waits_takes_no_place_and_other_steps_go_on(
    held: Make, submit: Make, heard: Heard, place: Path, verdicts: Tell
) -> None:
    first = submit(held("a"))
    started(heard, first, "a")
    second = submit(held("a"), held("b"), jobs=1)
    waits(heard, second, "a", first)
    (place / "go-b").touch()
    heard.wait_for(lambda e: isinstance(e, StepEnded) and (e.run_id, e.step, e.verdict) == (second.id, "b", "ran"))
    assert not finished(first)
    (place / "go-a").touch()
    assert verdicts(finish(second)) == {"a": "reused", "b": "ran"}


def finished(run: Any) -> bool:
    return run.get_status() in ("Finished", "Failed", "Canceled")


def test_runs_that_hold_what_the_other_wants_both_end(
    held: Make, submit: Make, heard: Heard, place: Path, verdicts: Tell
) -> None:
    def both(first: str, then: str) -> list[Any]:
        before, after = held(first), held(then)
        return [before, after]

    # With one place each, a run has begun one step and wants the other, which the other run has begun.
    one = submit(*both("a", "b"), jobs=1)
    started(heard, one, "a")
    other = submit(*both("a", "b"), jobs=1)
    started(heard, other, "b")
    waits(heard, other, "a", one)
    (place / "go-a").touch()
    waits(heard, one, "b", other)
    (place / "go-b").touch()
    assert verdicts(finish(one)) == {"a": "ran", "b": "reused"}
    assert verdicts(finish(other)) == {"a": "reused", "b": "ran"}
    assert sorted(lines(place / "ran")) == ["a", "b"]


def test_what_another_run_did_while_a_step_waited_for_its_place_is_used(
    held: Make, submit: Make, heard: Heard, place: Path, verdicts: Tell
) -> None:
    first = submit(held("b"), held("a"), jobs=1)
    started(heard, first, "b")  # that `a` has to run was found by then
    second = submit(held("a"))
    (place / "go-a").touch()
    assert verdicts(finish(second)) == {"a": "ran"}
    (place / "go-b").touch()
    assert verdicts(finish(first)) == {"b": "ran", "a": "reused"}
    assert sorted(lines(place / "ran")) == ["a", "b"]


def test_steps_of_one_run_that_are_alike_never_wait_for_each_other(
    make_step: Make, submit: Make, heard: Heard, place: Path, verdicts: Tell
) -> None:
    meet = """
        import os, sys, time, uuid
        open(os.path.join(sys.argv[1], uuid.uuid4().hex), "w").close()
        limit = time.monotonic() + 30
        while len(os.listdir(sys.argv[1])) < 5:
            time.sleep(0.01)
            if time.monotonic() > limit:
                sys.exit("the others never came")
    """
    (place / "met").mkdir()

    def samples() -> list[Any]:
        return [make_step(name, meet, arguments=[str(place / "met")]) for name in "abcde"]

    first, second = submit(*samples(), jobs=5), submit(*samples(), jobs=5)
    assert sorted(verdicts(finish(first)).values()) + sorted(verdicts(finish(second)).values()) in (
        ["ran"] * 5 + ["reused"] * 5,
        ["reused"] * 5 + ["ran"] * 5,
    )
    assert len(list((place / "met").iterdir())) == 5
    origins = {s.get_properties().get("azureml.reusedrunid") for r in (first, second) for s in r.get_steps()}
    assert len(origins - {None}) == 5


def test_where_the_others_attempt_fails_the_step_is_run_here(
    held: Make, submit: Make, heard: Heard, place: Path, verdicts: Tell
) -> None:
    first = submit(held("a"))
    started(heard, first, "a")
    second = submit(held("a"))
    waits(heard, second, "a", first)
    (place / "fail-a").touch()
    (place / "go-a").touch()
    assert verdicts(finish(first)) == {"a": "Failed"}
    finish(second)
    assert lines(place / "ran") == ["a", "a"]


def test_a_step_that_is_tried_again_keeps_the_others_waiting(
    make_step: Make, submit: Make, heard: Heard, place: Path, verdicts: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FIRST_S", 0.3)

    def step() -> Any:
        code = HELD + "    if len(open(os.path.join(place, 'ran')).readlines()) < 2:\n        sys.exit(7)\n"
        return make_step("a", code, arguments=[str(place), "a"])

    first = submit(step(), retries=1)
    started(heard, first, "a")
    second = submit(step())
    waits(heard, second, "a", first)
    (place / "go-a").touch()
    assert verdicts(finish(first)) == {"a": "ran"}
    assert verdicts(finish(second)) == {"a": "reused"}
    assert lines(place / "ran") == ["a", "a"]


def test_a_run_that_waits_can_be_cancelled(held: Make, submit: Make, heard: Heard, place: Path) -> None:
    first = submit(held("a"))
    started(heard, first, "a")
    second = submit(held("a"))
    waits(heard, second, "a", first)
    second.cancel()
    assert finish(second).get_status() == "Canceled"
    assert second.find_step_run("a")[0].get_status() == "Canceled"
    assert not finished(first)
    (place / "go-a").touch()
    assert finish(first).get_status() == "Finished"
    assert lines(place / "ran") == ["a"]


@pytest.mark.parametrize("how", ["allow_reuse", "regenerate", "alone"])
def test_what_takes_no_earlier_result_waits_for_nobody(
    how: str, held: Make, submit: Make, ws: Any, heard: Heard, place: Path, project: Path
) -> None:
    first = submit(held("a"))
    started(heard, first, "a")
    if how == "alone":
        config = ScriptRunConfig(str(project / "src" / "a"), "main.py", arguments=[str(place), "a"])
        second = Experiment(ws, "test").submit(config)
    elif how == "regenerate":
        second = submit(held("a"), regenerate_outputs=True)
    else:
        second = submit(held("a", allow_reuse=False))
    heard.wait_for(lambda e: isinstance(e, StepStarted) and e.run_id == second.id)
    assert not heard.of(StepWaiting)
    (place / "go-a").touch()
    finish(second)
    assert finish(first).get_status() == "Finished"


# --- several processes

PIPELINE = """
    import sys
    from azureml.core import Experiment, Workspace
    from azureml.pipeline.core import Pipeline, PipelineData
    from azureml.pipeline.steps import PythonScriptStep
    place = sys.argv[1]
    ws = Workspace.from_config()
    one, two = PipelineData("one"), PipelineData("two")
    steps = [
        PythonScriptStep("main.py", name="first", source_directory="step", arguments=[place, "first", one], outputs=[one]),
        PythonScriptStep("main.py", name="second", source_directory="step", arguments=[place, "second", two, one],
                         inputs=[one], outputs=[two]),
        PythonScriptStep("main.py", name="beside", source_directory="step", arguments=[place, "beside"]),
    ]
    run = Experiment(ws, "many").submit(Pipeline(ws, steps=steps))
    run.wait_for_completion(show_output=False)
"""
COUNTED = """
    import os, sys
    place, name, *paths = sys.argv[1:]
    with open(os.path.join(place, "ran"), "a") as file:
        file.write(f"{name} {os.getpid()}\\n")
    while not os.path.exists(os.path.join(place, "go")):
        __import__("time").sleep(0.01)
    if paths:
        with open(paths[0], "w") as file:
            file.write(name + "".join(open(p).read() for p in paths[1:]))
"""


@pytest.fixture
def start(project: Path, place: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that submits the pipeline and waits for its end."""
    (project / "step").mkdir()
    (project / "step" / "main.py").write_text(dedent(COUNTED))
    (project / "pipeline.py").write_text(dedent(PIPELINE))
    processes: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        number = len(processes)
        with (place / f"told-{number}").open("w") as told:
            command = [sys.executable, "-m", "scriptstep", "run", "pipeline.py", str(place)]
            processes.append(subprocess.Popen(command, stdout=told, stderr=told, text=True, start_new_session=True))
        return processes[-1]

    yield begin
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_(true: Callable[[], Any], seconds: float = 60) -> Any:
    limit = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < limit, "it never came to that"
        time.sleep(0.02)
    return found


@pytest.mark.timeout(300)
def test_sixteen_processes_that_submit_one_pipeline_run_each_step_once(
    start: Callable[[], subprocess.Popen[str]], place: Path, home: Path, verdicts: Tell
) -> None:
    assert not home.exists()  # they make it, too
    (place / "go").touch()
    for total in (16, 32):  # fresh, then unchanged
        for process in [start() for _ in range(16)]:
            assert process.wait(200) == 0, [p.read_text() for p in place.glob("told-*")]
        assert sorted(lines(place / "ran")[::2]) == ["beside", "first", "second"]
        runs = list(Experiment(Workspace.from_config(), "many").get_runs())
        assert len(runs) == total
        assert {run.get_status() for run in runs} == {"Finished"}
        outputs = [step._row().details["outputs"] for run in runs for step in run.find_step_run("second")]
        assert [o["two"] == outputs[0]["two"] for o in outputs] == [True] * total
        found = [v for run in runs for v in verdicts(run).values()]
        assert (found.count("ran"), found.count("reused")) == (3, 3 * total - 3)
    told = "\n".join(p.read_text() for p in place.glob("told-*"))
    assert "locked" not in told
    assert "rror" not in told
    assert list((home / "claims").iterdir()) == []


def test_processes_that_come_first_make_one_workspace(project: Path, home: Path) -> None:
    code = """
        import sys
        from scriptstep import Environment, Workspace
        import scriptstep.workspace.local_catalog
        print("up", flush=True)
        sys.stdin.readline()
        ws = Workspace.from_config()
        Environment(sys.argv[1]).register(ws)
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", dedent(code), f"e{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
    assert not home.exists()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, told
    assert set(Workspace.from_config().environments) == {f"e{n}" for n in range(8)}


@pytest.mark.timeout(120)
def test_a_killed_runners_work_is_taken_over_by_one_of_those_who_wait(
    start: Callable[[], subprocess.Popen[str]], place: Path, ws: Any, verdicts: Tell
) -> None:
    runner = start()
    await_(lambda: {"first", "beside"} <= set(lines(place / "ran")))
    others = [start() for _ in range(3)]
    await_(lambda: all((place / f"told-{n}").read_text().count("waiting") == 2 for n in (1, 2, 3)))
    assert len(lines(place / "ran")) == 4
    runner.kill()
    # Both are run again, each by one of those who waited.
    await_(lambda: sorted(lines(place / "ran")[::2]) == ["beside", "beside", "first", "first"], 10)
    (place / "go").touch()
    for process in others:
        assert process.wait(60) == 0
    assert sorted(lines(place / "ran")[::2]) == ["beside", "beside", "first", "first", "second"]
    found = [v for run in Experiment(ws, "many").get_runs() for v in verdicts(run).values()]
    assert (found.count("ran"), found.count("reused")) == (3, 6)


# --- the lock itself


def test_a_lock_has_one_holder_and_says_who(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder(path) is None
    lock = FileLock.take(path, "me")
    assert lock is not None
    assert (FileLock.take(path, "you"), holder(path)) == (None, "me")
    lock.release(remove=True)
    assert not path.exists()
    again = FileLock.take(path, "you")
    assert again is not None
    lock.release()
    assert holder(path) == "you"


def test_a_file_that_is_removed_by_its_holder_never_has_two_holders(tmp_path: Path) -> None:
    path, inside, worst, done = tmp_path / "lock", [], [], []

    def work() -> None:
        while len(done) < 2000:
            lock = FileLock.take(path)
            if lock is not None:
                inside.append(1)
                worst.append(len(inside))
                inside.pop()
                done.append(1)
                lock.release(remove=True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(worst) == 1


def test_a_lock_on_a_file_that_is_gone_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    before, real = FileLock.take(path, "before"), file_lock._lock
    assert before is not None
    after: list[FileLock | None] = []

    def lock(descriptor: int) -> bool:
        if not after:
            # Between the opening and the lock the holder goes, with the file, and another comes.
            after.append(None)
            before.release(remove=True)
            after.append(FileLock.take(path, "after"))
        return real(descriptor)

    monkeypatch.setattr(file_lock, "_lock", lock)
    assert FileLock.take(path, "late") is None
    assert holder(path) == "after"


def test_a_lock_ends_with_its_process_whatever_that_started(tmp_path: Path) -> None:
    code = f"""
        import os, pathlib, subprocess, sys, time
        from scriptstep.engine.file_lock import FileLock
        lock = FileLock.take(pathlib.Path({str(tmp_path / "lock")!r}))
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
        if os.fork() == 0:
            print(child.pid, os.getpid(), flush=True)
        time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", dedent(code)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    try:
        assert holder(tmp_path / "lock") == ""
        process.kill()
        process.wait()
        assert holder(tmp_path / "lock") is None
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        process.stdout.close()


def test_where_no_claim_can_be_made_the_step_runs(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "claims", "w", "run")
    (tmp_path / "claims").rmdir()
    assert claims.take("node", "key")
    claims.give_back("node")
    assert len(claims) == 0


def test_a_claim_is_of_one_workspace(tmp_path: Path) -> None:
    one, same, other = (Claims(tmp_path / "claims", w, w) for w in ("w", "w", "v"))
    assert one.take("node", "key")
    assert not same.take("node", "key")
    assert other.take("node", "key")
