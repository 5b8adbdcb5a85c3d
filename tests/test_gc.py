"""Collecting: what is needed stays, what goes is told before, and nothing is collected on a doubtful word."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from scriptstep import Dataset, Model, OutputFileDatasetConfig, Pipeline, PipelineData, Workspace
from scriptstep.cli import main
from scriptstep.content import ContentStore
from scriptstep.workspace.catalog import close_catalogs

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]
WRITE = """
    import pathlib, sys
    pathlib.Path(sys.argv[1]).write_text(sys.argv[2] * 100_000)
    print("wrote", sys.argv[2])
"""


def step(make_step: Make, name: str, text: str) -> Any:
    out = PipelineData("out")
    return make_step(name, WRITE, arguments=[out, text], outputs=[out])


def forget_leases() -> None:
    close_catalogs()
    for lease in (Path(os.environ["SCRIPTSTEP_HOME"]) / "trees" / ".leases").glob("*"):
        lease.unlink()


def gc(*options: str, grace: str = "0s") -> int:
    """Collects, as though the process that ran the pipelines, which is this one, were gone."""
    forget_leases()
    return main(["gc", "--grace", grace, *options])


def told(capsys: pytest.CaptureFixture[str], *options: str, grace: str = "0s") -> Any:
    capsys.readouterr()
    assert gc("--json", *options, grace=grace) == 0
    return json.loads(capsys.readouterr().out)


def age(home: Path, days: int) -> None:
    """Lets everything in the history be so many days old."""
    close_catalogs()
    stamp = (datetime.now(timezone.utc) - timedelta(days=days)).isoformat(timespec="microseconds")
    with sqlite3.connect(home / "history.db") as database:
        database.execute("UPDATE runs SET created = ?, ended = ?", (stamp, stamp))
        database.execute("UPDATE results SET created = ?", (stamp,))
    database.close()


def trees(home: Path) -> set[str]:
    return set(ContentStore(home / "trees").digests())


def output_of(run: Any, name: str) -> str:
    (found,) = run.find_step_run(name)
    return str(found._row().details["outputs"]["out"]["tree"])


def listing(root: Path) -> list[tuple[str, int, int]]:
    found = []
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            # The database's own log grows whoever opens it.
            if not name.startswith("history.db"):
                stat = os.lstat(os.path.join(folder, name))
                found.append((os.path.join(folder, name), stat.st_size, stat.st_mtime_ns))
    return sorted(found)


def test_without_limits_only_what_nothing_refers_to_goes(
    make_step: Make, run: Make, verdicts: Tell, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(step(make_step, "one", "a"))
    age(home, 400)
    kept = trees(home)
    orphan = tmp_path / "orphan"
    orphan.write_text("nobody's")
    ContentStore(home / "trees").add(orphan)
    assert told(capsys)["orphans"]["trees"] == 1
    assert trees(home) == kept
    assert verdicts(run(step(make_step, "one", "a"))) == {"one": "reused"}


def test_what_was_not_used_for_long_goes_and_the_verdict_says_so(
    make_step: Make, run: Make, verdicts: Tell, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(step(make_step, "one", "a"), step(make_step, "two", "b"))
    gone = output_of(first, "one")
    age(home, 40)
    run(step(make_step, "two", "b"))
    found = told(capsys, "--keep", "30d")
    assert [(loss["name"], loss["kind"]) for loss in found["lost"] if loss["kind"] == "result"] == [("one", "result")]
    assert found["seconds_to_make_again"] > 0 and found["bytes_after"] < found["bytes_before"]
    assert gone not in trees(home)
    again = run(step(make_step, "one", "a"), step(make_step, "two", "b"))
    assert verdicts(again) == {"one": "ran", "two": "reused"}
    (found_run,) = again.find_step_run("one")
    today = datetime.now(timezone.utc).date().isoformat()
    assert found_run._row().verdict["reasons"] == [f"its outputs were collected on {today}"]
    assert verdicts(run(step(make_step, "one", "a"))) == {"one": "reused"}


def test_logs_and_metrics_of_what_was_collected_are_kept(
    make_step: Make, run: Make, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(make_step("one", "from azureml.core import Run; Run.get_context().log('m', 1); print('printed')"))
    age(home, 40)
    assert gc("--keep", "1d") == 0
    (found,) = done.find_step_run("one")
    assert found.get_metrics() == {"m": 1}
    capsys.readouterr()
    assert main(["logs", done.id]) == 0
    assert "printed" in capsys.readouterr().out


def test_a_dry_run_tells_the_same_and_changes_nothing(
    make_step: Make, run: Make, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(step(make_step, "one", "a"))
    age(home, 40)
    (home / "trees" / ".tmp" / "1-2-3").mkdir(parents=True)
    forget_leases()
    before = listing(home)
    dry = told(capsys, "--keep", "30d", "--dry-run")
    assert listing(home) == before
    assert dry["leftovers"]
    wet = told(capsys, "--keep", "30d")
    assert (dry.pop("dry_run"), wet.pop("dry_run")) == (True, False)
    assert dry == wet and trees(home) == set()
    assert not (home / "trees" / ".tmp" / "1-2-3").exists()


def test_what_is_told_to_be_freed_is_what_du_says(
    make_step: Make, run: Make, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("du") is None:
        pytest.skip("no du here")

    def du() -> int:
        there = [str(home / "trees" / d[:2] / d[2:]) for d in trees(home)]
        shown = subprocess.run(["du", "-scB1", *there], capture_output=True, text=True, check=True).stdout
        return int(shown.splitlines()[-1].split()[0]) if there else 0

    for text in "abc":
        run(step(make_step, "one", text))
    age(home, 3)
    run(step(make_step, "one", "a"))
    before = du()
    found = told(capsys, "--keep", "1d")
    assert (found["bytes_before"], found["bytes_after"]) == (before, du())
    assert 0 < found["bytes_after"] < before


def test_with_a_size_the_results_used_least_lately_go_until_it_fits(
    make_step: Make, run: Make, verdicts: Tell, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in "abcd":
        run(step(make_step, f"step-{text}", text))
    run(step(make_step, "step-a", "a"))
    found = told(capsys, "--max-size", "350k")
    lost = [loss["name"] for loss in found["lost"] if loss["kind"] == "result"]
    assert lost == ["step-b", "step-c"][: len(lost)] and lost
    assert found["bytes_after"] <= 350_000
    assert told(capsys, "--max-size", "350k")["lost"] == []
    assert verdicts(run(step(make_step, "step-a", "a"))) == {"step-a": "reused"}


@pytest.mark.parametrize("keeper", ["pin", "model", "dataset"])
def test_what_is_pinned_or_registered_stays(
    keeper: str, ws: Any, make_step: Make, run: Make, verdicts: Tell, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def declared() -> Any:
        if keeper == "model":
            code = """
                import pathlib
                from azureml.core import Model, Run
                pathlib.Path("m.bin").write_text("model")
                Model.register(Run.get_context().experiment.workspace, "m.bin", "mine")
            """
            return make_step("one", code)
        if keeper == "dataset":
            out = OutputFileDatasetConfig(name="out").register_on_complete("mine")
            return make_step("one", "import sys; open(sys.argv[1] + '/a', 'w').write('x')", arguments=[out])
        return step(make_step, "one", "a")

    done = run(declared())
    if keeper == "pin":
        assert main(["pin", done.id[:6]]) == 0
    age(home, 400)
    found = told(capsys, "--keep", "1d", "--max-size", "1")
    assert [loss for loss in found["lost"] if loss["kind"] == "result"] == []
    assert verdicts(run(declared())) == {"one": "reused"}
    age(home, 400)
    if keeper == "pin":
        assert main(["unpin", done.id]) == 0
        assert main(["unpin", done.id]) == 1
    elif keeper == "model":
        Model(ws, "mine").delete()
    else:
        Dataset.get_by_name(ws, "mine").unregister_all_versions()
    assert [loss["name"] for loss in told(capsys, "--keep", "1d")["lost"] if loss["kind"] == "result"] == ["one"]


def test_a_step_whose_registered_model_is_gone_is_not_reused(
    ws: Any, make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    code = """
        import pathlib
        from azureml.core import Model, Run
        pathlib.Path("m.bin").write_text("model")
        Model.register(Run.get_context().experiment.workspace, "m.bin", "mine")
    """
    run(make_step("one", code))
    digest = ws._catalog.model("mine").digest
    shutil.rmtree(home / "trees" / digest[:2] / digest[2:])
    assert verdicts(run(make_step("one", code))) == {"one": "ran"}
    assert ContentStore(home / "trees").ensure(digest)


def test_a_history_of_the_version_before_is_taken_over(make_step: Make, run: Make, home: Path) -> None:
    done = run(step(make_step, "one", "a"))
    close_catalogs()
    with sqlite3.connect(home / "history.db") as database:
        database.execute("DROP TABLE pins")
        database.execute("DROP TABLE acceptances")
        database.execute("ALTER TABLE results DROP COLUMN collected")
        database.execute("UPDATE schema SET version = 2")
    database.close()
    assert main(["pin", done.id]) == 0 and main(["gc"]) == 0


def test_a_published_pipeline_can_be_submitted_after_everything_else_went(
    ws: Any, make_step: Make, run: Make, home: Path, project: Path
) -> None:
    pipeline = Pipeline(ws, [step(make_step, "one", "a")])
    published = pipeline.publish("kept")
    shutil.rmtree(project / "src")
    age(home, 400)
    assert gc("--keep", "1d", "--max-size", "0") == 0
    submitted = published.submit(ws, "again")
    assert submitted.wait_for_completion() == "Finished"


def test_another_workspace_of_the_same_home_keeps_what_it_needs(
    ws: Any, make_step: Make, run: Make, home: Path, tmp_path: Path
) -> None:
    from scriptstep import Workspace

    other = Workspace.create("other")
    (tmp_path / "m.bin").write_text("model")
    model = Model.register(other, str(tmp_path / "m.bin"), "theirs")
    run(step(make_step, "one", "a"))
    age(home, 400)
    assert gc("--keep", "1d") == 0
    assert Path(model.download(str(tmp_path / "copy"))).read_text() == "model"


def test_what_a_living_process_relies_on_stays_and_is_told(
    make_step: Make, run: Make, verdicts: Tell, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = output_of(run(step(make_step, "one", "a")), "one")
    age(home, 40)
    before = trees(home)
    mine = ContentStore(home / "trees")
    assert mine.ensure(digest)
    capsys.readouterr()
    assert main(["gc", "--keep", "1d", "--grace", "0s", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["lost"] == [] and found["kept"] == {"relied on by a process that runs": 1}
    assert trees(home) == before
    assert verdicts(run(step(make_step, "one", "a"))) == {"one": "reused"}


def test_all_results_that_share_a_tree_lose_it_together(
    make_step: Make, run: Make, verdicts: Tell, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tree goes with the last result that needs it, and those before it are not to be believed whole."""
    for name in ("one", "two", "three"):
        run(step(make_step, name, "the same"), regenerate_outputs=True)
    age(home, 40)
    assert gc("--keep", "30d", "--dry-run") == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if "to make again" in line]
    assert ["shared" in words for words in shown if words[0] in ("one", "two", "three")] == [True, True, False]
    found = told(capsys, "--keep", "30d")
    assert {loss["name"] for loss in found["lost"] if loss["kind"] == "result"} == {"one", "two", "three"}
    assert trees(home) == set() and main(["verify"]) == 0


def test_the_young_stay(make_step: Make, run: Make, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(step(make_step, "one", "a"))
    before = trees(home)
    found = told(capsys, "--max-size", "0", grace="1h")
    assert found["lost"] == [] and trees(home) == before


# Where the roots are in doubt.


def damage(home: Path) -> None:
    data = bytearray((home / "history.db").read_bytes())
    data[:100] = b"\0" * 100
    (home / "history.db").write_bytes(data)


def remove(home: Path) -> None:
    for path in home.glob("history.db*"):
        path.unlink()


def empty(home: Path) -> None:
    with sqlite3.connect(home / "history.db") as database:
        for table in ("results", "tags", "properties", "metrics", "runs", "models", "datasets", "pipelines"):
            database.execute(f"DELETE FROM {table}")
    database.close()


def begin_anew(home: Path) -> None:
    """The history goes, and a plan some minutes later begins another one."""
    remove(home)
    for manifest in (home / "trees").glob("*/*/manifest"):
        os.utime(manifest, (manifest.stat().st_mtime - 300,) * 2)
    Workspace.from_config()
    close_catalogs()


def was_set_aside(home: Path) -> None:
    shutil.copy(home / "history.db", home / "history.db.damaged-1")


@pytest.mark.parametrize("harm", [damage, remove, empty, begin_anew, was_set_aside])
def test_nothing_is_collected_where_the_roots_cannot_be_believed(
    harm: Callable[[Path], None], make_step: Make, run: Make, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(step(make_step, "one", "a"))
    close_catalogs()
    before = trees(home)
    harm(home)
    capsys.readouterr()
    assert gc("--keep", "0s") == 1
    shown = capsys.readouterr().err
    assert "nothing was collected" in shown and "help:" in shown
    assert trees(home) == before


def test_where_nothing_ever_ran_there_is_nothing_to_collect(project: Path, home: Path) -> None:
    assert gc() == 0 and not (home / "trees").exists()


@pytest.mark.parametrize(
    ("option", "text"), [("--keep", "30"), ("--keep", "d"), ("--keep", "-1d"), ("--max-size", "5X"), ("--max-size", "")]
)
def test_what_is_no_age_or_size_is_refused_with_an_example(
    option: str, text: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["gc", f"{option}={text}"])
    assert ("30d" if option == "--keep" else "50G") in capsys.readouterr().err


def test_ages_and_sizes_are_read_as_people_write_them() -> None:
    from scriptstep.cli.amounts import age as read_age
    from scriptstep.cli.amounts import amount

    assert [read_age(text) for text in ("45s", "90m", "12h", "30d", "2w", "1.5d")] == [
        45, 5400, 43200, 30 * 86400, 14 * 86400, 129600,
    ]  # fmt: skip
    assert [amount(text) for text in ("7", "500M", "50G", "1.5k", "2GiB", "3kB")] == [
        7, 500 * 10**6, 50 * 10**9, 1500, 2 << 30, 3000,
    ]  # fmt: skip


# Verify.


def test_a_sound_store_is_sound(make_step: Make, run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    run(step(make_step, "one", "a"))
    capsys.readouterr()
    assert main(["verify"]) == 0
    assert capsys.readouterr().out.startswith("all sound: 3 trees read in ")


def test_damage_is_named_with_its_step_and_set_aside_on_request(
    make_step: Make, run: Make, verdicts: Tell, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(step(make_step, "one", "a"))
    digest = output_of(done, "one")
    place = ContentStore(home / "trees").content_path(digest)
    data = bytearray(place.read_bytes())
    data[500] ^= 1
    place.write_bytes(data)
    capsys.readouterr()
    assert main(["verify"]) == 1
    shown = capsys.readouterr()
    assert f"damaged: step one, run {done.id[:4]}: " in shown.out and "--set-aside" in shown.err
    assert main(["verify", "--json", "--set-aside"]) == 1
    (tree,) = json.loads(capsys.readouterr().out)["damaged"]
    assert tree["tree"] == digest and Path(tree["set_aside"]).is_dir()
    assert main(["verify"]) == 1, "a result lacks a tree"
    assert main(["verify", "--set-aside"]) == 1
    assert main(["verify"]) == 0
    assert verdicts(run(step(make_step, "one", "a"))) == {"one": "ran"}


def test_a_tree_that_is_gone_is_missed(
    make_step: Make, run: Make, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = output_of(run(step(make_step, "one", "a")), "one")
    shutil.rmtree(home / "trees" / digest[:2] / digest[2:])
    capsys.readouterr()
    assert main(["verify", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(held["name"], held["trees"]) for held in found["missing"]] == [("one", [digest])]


# Caches.


def test_what_was_fetched_goes_unless_a_process_reads_from_the_same_store(tmp_path: Path) -> None:
    from scriptstep.data.held import hold
    from scriptstep.engine.keeping.caches import old_caches, remove_caches

    names = ["remote/one-1/v1/deep/a", "remote/two-2/v1/b", "remote/two-2/put/record", "stat/abc", "stat/now"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert old_caches(tmp_path, 3600) == []
    old = old_caches(tmp_path, 0)
    assert {str(file.path.relative_to(tmp_path)) for file in old} == {names[0], names[1], names[3]}
    hold(tmp_path / "remote" / "two-2")
    gone = remove_caches(old, tmp_path)
    assert {str(file.path.relative_to(tmp_path)) for file in gone} == {names[0], names[3]}
    assert [name for name in names if (tmp_path / name).exists()] == [names[1], names[2], names[4]]
    assert not (tmp_path / "remote" / "one-1" / "v1").exists()
    assert (tmp_path / "remote" / "two-2" / ".lock").stat().st_mode & 0o777 == 0o600


def test_a_collection_that_is_interrupted_keeps_what_is_there_reusable(
    make_step: Make, run: Make, ws: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(step(make_step, "one", "a"), step(make_step, "two", "b"))
    age(home, 400)
    from scriptstep.content import Collection

    def interrupted(self: Any, trees: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Collection, "remove", interrupted)
    assert main(["gc", "--keep", "1d", "--grace", "0s"]) == 130
    history = ws._catalog.history
    assert [history.results_of_step(ws.name, name, 1)[0].collected for name in ("one", "two")] == [None, None]


def test_a_store_that_only_plans_filled_is_no_reason_to_refuse(ws: Any, make_step: Make) -> None:
    Pipeline(ws, [step(make_step, "one", "a")]).plan()
    close_catalogs()
    assert gc() == 0


def test_a_tree_is_not_older_than_the_history_because_its_time_is_told_less_exactly(
    ws: Any, make_step: Make, home: Path
) -> None:
    begun = datetime.fromisoformat(ws._catalog.history.workspaces()[0].created).timestamp()
    Pipeline(ws, [step(make_step, "one", "a")]).plan()
    close_catalogs()
    (manifest,) = (home / "trees").glob("*/*/manifest")
    os.utime(manifest, (begun - 0.9, begun - 0.9))
    assert gc() == 0


def test_verify_tells_of_a_damaged_history_and_leaves_it(
    make_step: Make, run: Make, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(step(make_step, "one", "a"))
    close_catalogs()
    damage(home)
    before = (home / "history.db").read_bytes()
    capsys.readouterr()
    assert main(["verify"]) == 1
    shown = "".join(capsys.readouterr())
    assert "history" in shown and "not sound" in shown
    assert (home / "history.db").read_bytes() == before and not list(home.glob("*.damaged-*"))
