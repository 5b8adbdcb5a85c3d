"""The benchmark harness, at its smallest size: so that it still runs when it is needed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benches import __main__ as bench
from benches import report
from benches.measure import BenchError, Contender, Figure, Row, own_environment, take_turns, timed
from benches.peers import Peers, find_peers
from benches.sizes import SIZES
from benches.tree import IGNORED_FOLDER, TreePlan, make_tree

# The programs that are measured are built first.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Peers:
    """Git, which every machine that builds this has; the others are not installed for a test."""
    return find_peers(tmp_path_factory.mktemp("peers"), install=False)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, peers: Peers) -> list[Row]:
    """Every row, measured once at the smallest size."""
    return bench.measure(tmp_path_factory.mktemp("bench") / "scratch", peers, SIZES["small"], list(bench.GROUPS))


def test_every_row_is_measured(rows: list[Row]) -> None:
    assert [row.id for row in rows] == [
        "scan-cold",
        "scan-ignored",
        "scan-warm",
        "scan-small",
        "content-cold",
        "content-warm",
        "content-small-files",
        "content-changed",
        "content-ignored",
        "content-large-10",
        "content-large-1",
        "content-memory",
        "content-match",
        "content-save",
        "content-save-unchanged",
        "content-restore",
        "content-adopt",
        "content-save-changed",
        "data-mount",
        "load",
        "build-graph",
        "log",
        "working-copy-20",
        "working-copy-500",
        "hand-on",
        "environment",
        "chain-2",
        "chain-3",
        "fan-2",
        "fan-4",
        "fan-memory",
        "one-more-step",
        "run-thousand",
    ]
    for row in rows:
        assert "ours" in {figure.role for figure in row.figures}, row.id
        assert all(figure.values and min(figure.values) > 0 for figure in row.figures), row.id


def test_peers_that_are_not_there_are_named_not_made_up(rows: list[Row], peers: Peers) -> None:
    assert "git" in peers.versions
    assert set(peers.absent) == {"b3sum", "dvc", "snakemake", "azureml", "azure-ai-ml"}
    names = " ".join(figure.name for row in rows for figure in row.figures)
    assert "git status" in names
    assert not re.search("dvc|snakemake|azureml", names, re.IGNORECASE)


def test_the_table_has_a_ratio_for_each_pair_of_like_things(rows: list[Row]) -> None:
    table = report.as_table(rows).splitlines()
    assert all(line.count("|") == 6 for line in table)
    pairs = [
        (ours, other)
        for row in rows
        for ours in row.figures
        for other in row.figures
        if ours.role == "ours" and other.role != "ours" and ours.scope == other.scope
    ]
    assert len(pairs) >= 4
    assert sum(re.search(r"\| [\d.]+ \|$", line) is not None for line in table) == len(pairs)


def test_figures_are_written_between_the_markers_and_name_no_place(
    rows: list[Row], peers: Peers, tmp_path: Path
) -> None:
    page = shutil.copy(bench.HERE / "README.md", tmp_path)
    before, rest = Path(page).read_text("utf-8").split(report.BEGIN)
    after = rest.split(report.END)[1]
    document = report.as_document(rows, peers, "small")
    for _ in range(2):
        report.write(document, rows, tmp_path)
    text = Path(page).read_text("utf-8")
    assert text.startswith(before)
    assert text.endswith(after)
    assert "`make bench SIZE=small`" in text
    assert "Absent: b3sum (not installed); dvc (not installed)" in text
    written = (tmp_path / "results.json").read_text("utf-8")
    assert json.loads(written) == document
    picture = (tmp_path / "steps.svg").read_text("utf-8")
    assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert "scriptstep, in one chain" in picture
    import socket

    for secret in (str(Path.home()), str(bench.BUILD.parent), str(tmp_path), f" {socket.gethostname()} "):
        assert secret not in text + written


def test_a_page_without_markers_is_not_overwritten(rows: list[Row], peers: Peers, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ValueError, match="markers"):
        report.write(report.as_document(rows, peers, "small"), rows, tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_contenders_take_turns_within_their_share_of_the_budget() -> None:
    turns: list[str] = []

    def turn(name: str, seconds: float) -> float:
        turns.append(name)
        time.sleep(seconds)
        return 7.0

    contenders = [
        Contender("quick", "ours", lambda: turn("quick", 0)),
        Contender("slow", "peer", lambda: turn("slow", 0.2), prepare=lambda: turns.append("prepare")),
    ]
    quick, slow = take_turns(contenders, repeats=3, budget_s=0.6)
    assert turns == ["quick", "prepare", "slow", "quick", "quick"]
    assert (quick.values, slow.values) == ([7.0] * 3, [7.0])


def test_a_contender_that_does_other_work_is_an_error(tmp_path: Path) -> None:
    say = [sys.executable, "-c", "print('3 ran')"]
    environment = own_environment(tmp_path / "home")
    assert timed(say, tmp_path, environment, expect="3 ran") > 0
    with pytest.raises(BenchError, match="did not say '3 reused'"):
        timed(say, tmp_path, environment, expect="3 reused")
    with pytest.raises(BenchError, match="said '3 ran'"):
        timed(say, tmp_path, environment, unexpected="3 ran")
    with pytest.raises(BenchError, match="exit code 5"):
        timed([sys.executable, "-c", "raise SystemExit(5)"], tmp_path, environment)


def test_ratios_are_of_medians() -> None:
    row = Row("r", "work", [Figure("ours", "ours", [1, 2, 30]), Figure("it", "peer", [4, 4, 4])])
    assert (
        report.as_table([row]).splitlines()[-1]
        == "| **work** | ours: 2 s (1 s to 30 s) | it | 4 s (4 s to 4 s) | 0.50 |"
    )


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0000006, "0.6 us"),
        (0.0001404, "140 us"),
        (0.09996, "100 ms"),
        (0.9994, "999 ms"),
        (0.9998, "1 s"),
        (1234, "1230 s"),
    ],
)
def test_times_are_told_in_the_unit_that_suits_them(seconds: float, told: str) -> None:
    row = Row("r", "work", [Figure("ours", "ours", [seconds])])
    assert f"ours: {told} (one turn)" in report.as_table([row])


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_tree_follows_from_its_seed(tmp_path: Path) -> None:
    plan = TreePlan(files=120, ignored=30, rule_files=4)
    sizes = {make_tree(tmp_path / name, plan) for name in ("one", "two")}
    assert len(sizes) == 1
    one, two = (files_below(tmp_path / name) for name in ("one", "two"))
    assert one == two
    content = {path: data for path, data in one.items() if IGNORED_FOLDER not in path.parts}
    assert (len(content), len(one)) == (120, 150)
    assert sum(map(len, content.values())) in sizes
    make_tree(tmp_path / "other", TreePlan(files=120, ignored=30, rule_files=4, seed=2))
    assert files_below(tmp_path / "other") != one


def test_git_finds_the_files_of_a_tree_that_are_its_content(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", TreePlan(files=90, ignored=20, rule_files=3))
    environment = own_environment(tmp_path / "home")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path / "tree", env=environment, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        cwd=tmp_path / "tree",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(listed.stdout.splitlines()) == 90
