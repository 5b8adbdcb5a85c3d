"""What people see while a pipeline runs."""

from __future__ import annotations

import io
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptstep.console import (
    Notice,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRetried,
    StepStarted,
    StepWaiting,
    configure,
    console,
    emit,
    notice,
    report,
    set_console,
)
from scriptstep.console.plain import PlainConsole
from scriptstep.console.text import cells, clip, columns, count, duration, escaped, listed, log_line, size, wrapped
from scriptstep.errors import ArgumentError

RUN = "7f3a12bc-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    configure(amount="normal", colour="auto")
    yield
    configure(amount="normal", colour="auto")


def told(*events: object, **options: object) -> str:
    stream = io.StringIO()
    printer = PlainConsole(stream=stream, **options)  # type: ignore[arg-type]
    for event in events:
        printer.send(event)  # type: ignore[arg-type]
    printer.close()
    return stream.getvalue()


def test_a_line_that_waits_for_others_comes_by_itself_and_stays_in_its_place() -> None:
    stream = io.StringIO()
    printer = PlainConsole(stream=stream)
    printer.send(RunStarted(RUN, "many", 300, 2, ["s"]))
    for number in range(99):
        printer.send(StepEnded(f"s{number}", "reused", 1.0, "from run 81c2", (), RUN))
    end = time.monotonic() + 30
    while "s98" not in stream.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    assert [line.split()[0] for line in stream.getvalue().splitlines()[1:]] == [f"s{number}" for number in range(99)]
    printer.send(StepEnded("s99", "reused", 1.0, "from run 81c2", (), RUN))
    printer.send(StepEnded("s100", "reused", 1.0, "from run 81c2", (), RUN))
    printer.send(Notice("warning", "at once", None))
    assert [line.split()[0] for line in stream.getvalue().splitlines()[-3:]] == ["s99", "s100", "warning:"]


def test_a_run_reads_as_a_table_with_what_it_cost_and_saved() -> None:
    names = ["prepare", "train-ridge"]
    text = told(
        RunStarted(RUN, "diabetes", 2, 4, names),
        StepStarted("prepare", RUN),
        StepEnded("prepare", "ran", 1.2, "prepare.py changed (+1 -0); its output is as before", (), RUN),
        StepEnded("train-ridge", "reused", 4320.0, "from run 81c2", (), RUN),
        RunEnded(RUN, "Finished", 1, 1, 0, 0, 1.31, 4320.0),
    )
    assert text == (
        "diabetes, run 7f3a: 2 steps, 4 at once\n"
        "  prepare       ran     1.2 s    prepare.py changed (+1 -0); its output is as before\n"
        "  train-ridge   reused           saved 1 h 12 m, from run 81c2\n"
        "1 ran, 1 reused in 1.3 s; 1 h 12 m saved\n"
    )


def test_a_failure_shows_its_last_lines_then_what_to_do() -> None:
    tail = ["Traceback (most recent call last):", '  File "tree.py", line 9', "ValueError: depth must be positive"]
    text = told(
        RunStarted(RUN, "diabetes", 3, 1, ["prepare", "train tree", "evaluate"]),
        StepEnded("prepare", "reused", 1.0, "from run 81c2", (), RUN),
        StepEnded("train tree", "failed", 0.3, "exit code 1\n  --> pipeline.py:31", tail, RUN),
        StepEnded("evaluate", "not run", None, "needs train tree", (), RUN),
        RunEnded(RUN, "Failed", 0, 1, 1, 1, 0.4, 1.0, "scriptstep logs 7f3a"),
    )
    assert text.splitlines()[1:] == [
        "  prepare       reused           saved 1.0 s, from run 81c2",
        "  train tree    failed  0.3 s    exit code 1",
        "  evaluate      not run          needs train tree",
        "",
        "train tree, last lines (all: scriptstep logs 7f3a 'train tree')",
        "  | Traceback (most recent call last):",
        '  |   File "tree.py", line 9',
        "  | ValueError: depth must be positive",
        "train tree:",
        "    --> pipeline.py:31",
        "error: 1 step failed, 1 not run",
        "help: mend it and run again: prepare will be reused",
    ]


def test_a_cancelled_run_says_so_in_its_last_line() -> None:
    text = told(
        RunStarted(RUN, "x", 2, 1),
        StepEnded("a", "cancelled", 3.0, "", (), RUN),
        RunEnded(RUN, "Canceled", 0, 0, 0, 1, 3.2, 0.0),
    )
    assert text.splitlines()[1:] == ["  a             cancelled 3.0 s", "cancelled after 3.2 s: 1 not run"]


def test_two_runs_at_once_keep_their_own_columns_and_failures() -> None:
    other = "81c20000"
    text = told(
        RunStarted(RUN, "one", 1, 1, ["a-very-long-name"]),
        RunStarted(other, "two", 1, 1, ["b"]),
        StepEnded("a-very-long-name", "failed", 1.0, "exit code 1", ["lost"], RUN),
        StepEnded("b", "ran", 1.0, "first run", (), other),
        RunEnded(other, "Finished", 1, 0, 0, 0, 1.0, 0.0),
        RunEnded(RUN, "Failed", 0, 0, 1, 0, 1.0, 0.0, "scriptstep logs 7f3a"),
    )
    lines = text.splitlines()
    assert lines[2] == "  7f3a  a-very-long-name   failed  1.0 s    exit code 1"
    assert lines[3] == "  81c2  b             ran     1.0 s    first run"
    assert lines[4] == "run 81c2: 1 ran in 1.0 s"
    assert lines[6:] == [
        "a-very-long-name, last lines (all: scriptstep logs 7f3a a-very-long-name)",
        "  | lost",
        "error: run 7f3a: 1 step failed",
        "help: scriptstep logs 7f3a",
    ]


def test_quiet_leaves_the_summary_and_errors() -> None:
    text = told(
        RunStarted(RUN, "x", 1, 1),
        Notice("warning", "something odd"),
        StepEnded("a", "ran", 1.0, "first run", (), RUN),
        Notice("error", "something wrong"),
        RunEnded(RUN, "Finished", 1, 0, 0, 0, 1.0, 0.0),
        amount="quiet",
    )
    assert text == "error: something wrong\n1 ran in 1.0 s\n"


def test_verbose_shows_the_output_of_a_step_as_it_comes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntw")
    stream = io.StringIO()
    printer = PlainConsole("verbose", stream=stream)
    printer.send(RunStarted(RUN, "x", 1, 1, ["a"]))
    printer.send(StepStarted("a", RUN, str(log)))
    log.write_bytes(b"one\ntwo\n\x1b[31mred\x1b[0m 10%\r20%\nlast")
    printer.send(StepEnded("a", "ran", 1.0, "", (), RUN))
    assert stream.getvalue().splitlines()[1:] == [
        "  a             started",
        "  a             | one",
        "  a             | two",
        "  a             | 20%",
        "  a             | last",
        "  a             ran     1.0 s",
    ]


def test_lines_are_broken_at_the_width_of_the_terminal_under_their_column() -> None:
    reason = "param depth 3 -> 5, data.csv changed, pandas 2.1 -> 2.2"
    text = told(RunStarted(RUN, "x", 1, 1), StepEnded("a", "ran", 1.0, reason, (), RUN), width=60)
    lines = text.splitlines()[1:]
    assert lines[0].startswith("  a             ran     1.0 s    param depth")
    assert all(line.startswith(" " * 33) for line in lines[1:])
    assert max(map(len, lines)) <= 60
    assert " ".join(line[33:].strip() for line in lines) == reason


def test_colour_says_nothing_that_the_words_do_not() -> None:
    events = (
        RunStarted(RUN, "x", 1, 1),
        StepEnded("a", "reused", 1.0, "from run 81c2", (), RUN),
        Notice("warning", "w"),
    )
    plain, coloured = told(*events), told(*events, colour=True)
    assert "\x1b[" in coloured
    import re

    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_wide_and_hostile_names_keep_columns_straight_and_the_terminal_safe() -> None:
    names = ["подготовка", "訓練", "a\x1b[2Jb", "x\ny", "\u202eevil"]
    events = [StepEnded(name, "ran", 1.0, "first run", (), RUN) for name in names]
    lines = told(RunStarted(RUN, "x\x07", 5, 1, names), *events).splitlines()
    assert lines[0].startswith("x\\x07, run")
    assert len(lines) == 6
    places = {cells(line[: line.index(" ran ")]) for line in lines[1:]}
    assert len(places) == 1
    assert not any(unicodedata.category(c) == "Cc" or c == "\u202e" for line in lines for c in line)


@given(st.text())
def test_escaped_text_is_one_line_and_prints(text: str) -> None:
    shown = escaped(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in shown)
    shown.encode("utf-8")


@given(st.text(), st.integers(0, 40))
def test_clipped_text_fits(text: str, width: int) -> None:
    shown = clip(text, width)
    assert cells(shown) <= max(width, 0)
    assert shown == text or cells(text) > width


@given(st.lists(st.text("ab界", min_size=1), min_size=1, max_size=8), st.integers(5, 30))
def test_wrapped_text_loses_no_word(words: list[str], width: int) -> None:
    text = " ".join(words)
    lines = wrapped(text, width, 4)
    assert " ".join([lines[0], *(line[4:] for line in lines[1:])]) == text
    assert all(cells(line) <= width + 4 or " " not in line[4:] for line in lines)


def test_cells_count_as_rich_does() -> None:
    from rich.cells import cell_len

    for text in ("abc", "Привет", "訓練", "가나", "e\u0301", "ｆｕｌｌ", "naïve", "日本 x"):
        assert cells(text) == cell_len(text), text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 0 s"),
        (130, "2 m 10 s"),
        (3599.4, "59 m 59 s"),
        (3600, "1 h 0 m"),
        (4320, "1 h 12 m"),
        (90000, "25 h 0 m"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (81_000_000, "81 MB"),
        (1_240_000_000, "1.2 GB"),
        (999_999, "1.0 MB"),
    ],
)
def test_sizes(amount: int, text: str) -> None:
    assert size(amount) == text


def test_counts_and_lists() -> None:
    assert [count(1, "file"), count(78273, "file"), count(2, "entry", "entries")] == [
        "1 file",
        "78,273 files",
        "2 entries",
    ]
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(list("abcdefgh"))] == [
        "",
        "a",
        "a and b",
        "a, b, c and 5 more",
    ]
    assert columns([("a", "1"), ("long", "22")], right=frozenset({1})) == ["a       1", "long   22"]


def test_a_line_of_a_log_shows_the_last_state_of_a_progress_bar() -> None:
    assert log_line("\x1b[32m 10%\r 99%\r") == " 99%"
    assert log_line("\x1b]0;title\x07text\x1b[K") == "text"
    assert log_line("a\tb") == "a       b"


def test_a_notice_is_given_once_a_process_and_events_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    notice("the cluster is this machine", help="name it in scriptstep.toml")
    notice("the cluster is this machine", help="name it in scriptstep.toml")
    notice("again", once=False)
    notice("again", once=False)
    emit("a result")
    out, err = capsys.readouterr()
    assert out == "a result\n"
    assert err == "note: the cluster is this machine\nhelp: name it in scriptstep.toml\nnote: again\nnote: again\n"


def test_an_error_says_what_where_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    report(ArgumentError("script 'trian.py' is not there", help="did you mean 'train.py'?"), "pipeline.py:18")
    report(ArgumentError("it\n  --> named.py:1"), "pipeline.py:18")
    assert capsys.readouterr().err == (
        "error: script 'trian.py' is not there\n  --> pipeline.py:18\nhelp: did you mean 'train.py'?\n"
        "error: it\n  --> named.py:1\n"
    )


def test_what_the_stream_cannot_spell_is_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    emit("Привет")
    assert raw.getvalue() == b"\\u041f\\u0440\\u0438\\u0432\\u0435\\u0442\n"


def test_a_reader_that_left_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    told(RunStarted(RUN, "x", 1, 1))
    PlainConsole(stream=Gone()).send(Notice("error", "nobody hears"))


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def fitting(monkeypatch: pytest.MonkeyPatch, **environment: str) -> object:
    for name in ("NO_COLOR", "CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    set_console(None)
    return console()


def test_a_terminal_gets_a_live_display_and_all_else_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    from scriptstep.console.live import LiveConsole

    live = fitting(monkeypatch)
    assert isinstance(live, LiveConsole)
    assert live.colour
    uncoloured = fitting(monkeypatch, NO_COLOR="1")
    assert isinstance(uncoloured, LiveConsole)
    assert not uncoloured.colour
    assert not isinstance(fitting(monkeypatch, CI="true"), LiveConsole)
    assert not isinstance(fitting(monkeypatch, TERM="dumb"), LiveConsole)
    configure(colour="always")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    plain = console()
    assert isinstance(plain, PlainConsole)
    assert plain.colour
    assert not isinstance(plain, LiveConsole)


def test_the_live_display_keeps_finished_steps_and_takes_itself_off_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    live = fitting(monkeypatch, NO_COLOR="1", COLUMNS="100", LINES="30")
    stream = sys.stderr
    log_events = [
        RunStarted(RUN, "x", 2, 2, ["a", "b"]),
        StepStarted("a", RUN),
        StepStarted("b", RUN),
        StepEnded("a", "ran", 1.0, "first run", (), RUN),
        StepEnded("b", "ran", 1.0, "first run", (), RUN),
        RunEnded(RUN, "Finished", 2, 0, 0, 0, 1.0, 0.0),
    ]
    for event in log_events:
        live.send(event)  # type: ignore[attr-defined]
    assert isinstance(stream, Terminal) or sys.stderr is not stream
    text = getattr(stream, "getvalue", lambda: "")()
    screen = on_screen(text)
    assert screen == [
        "x, run 7f3a: 2 steps, 2 at once",
        "  a             ran     1.0 s    first run",
        "  b             ran     1.0 s    first run",
        "2 ran in 1.0 s",
    ]


def test_a_step_that_waits_says_for_whom_and_one_that_is_tried_again_says_why() -> None:
    events = [
        RunStarted(RUN, "x", 2, 2, ["train", "b"]),
        StepWaiting("train", "81c2ffff", RUN),
        StepRetried("b", 1, 3, 2.0, "exit code 1", RUN),
        StepEnded("train", "reused", 2.0, "from run 81c2", (), RUN),
    ]
    assert told(*events).splitlines()[1:] == [
        "  train         waiting          for run 81c2, which runs the same step",
        "  b             retry            1 of 3 in 2 s: exit code 1",
        "  train         reused           saved 2.0 s, from run 81c2",
    ]
    assert told(*events[1:3], amount="quiet") == ""


def test_on_a_terminal_what_waits_stands_below_until_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from scriptstep.console.live import LiveConsole

    live = fitting(monkeypatch, NO_COLOR="1", COLUMNS="100", LINES="30")
    assert isinstance(live, LiveConsole)

    def below() -> list[str]:
        return [str(row).rstrip() for row in live._render().renderables]

    live.send(RunStarted(RUN, "x", 2, 2, ["train", "b"]))
    live.send(StepWaiting("train", "81c2ffff", RUN))
    assert below() == ["  train         waiting 0.0 s    for run 81c2, which runs the same step"]
    live.send(StepStarted("train", RUN))
    assert below() == ["  train         running 0.0 s"]
    live.send(StepRetried("train", 1, 3, 2.0, "exit code 1", RUN))
    assert below() == ["  train         waiting 0.0 s    for retry 1 of 3"]
    live.send(StepEnded("train", "ran", 1.0, "first run; attempt 2", (), RUN))
    assert below() == []
    live.close()


def on_screen(text: str) -> list[str]:
    """What a terminal shows after all control codes: enough of one for what is used here."""
    import re

    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if piece == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif piece == "\r":
            column = 0
        elif piece.startswith("\x1b["):
            if piece.endswith("A"):
                row -= int(piece[2:-1] or 1)
            elif piece.endswith("K"):
                lines[row] = "" if piece == "\x1b[2K" else lines[row][:column]
        else:
            lines[row] = lines[row].ljust(column)[:column] + piece + lines[row][column + len(piece) :]
            column += len(piece)
    return [line.rstrip() for line in lines if line.strip()]


def test_a_plain_console_loads_no_display(tmp_path: Path) -> None:
    import subprocess

    code = "import sys; from scriptstep.console import notice; notice('x'); sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
