"""`scriptstep plan`, `explain`, `accept`, `reproduce` and `key export`: what would happen, and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from scriptstep.cli.running import INTERRUPTED
from scriptstep.console import emit, notice
from scriptstep.console.text import escaped
from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException
from scriptstep.records import dataclass

if TYPE_CHECKING:
    from scriptstep.cli.command_table import CommandTable
    from scriptstep.cli.foreseeing import Foreseen
    from scriptstep.content import ContentStore
    from scriptstep.history import History, RunRow
    from scriptstep.run.explained import Explained
    from scriptstep.run.plan import Plan

__all__ = ["COMMANDS", "add_commands", "split"]

_PLAN_ABOUT = """Tell what each step of a pipeline would do, and why; nothing runs. Without FILE it is the pipeline
that was planned or run last. What follows FILE goes to the script, but for the options below; after -- all does."""
_PLAN_JSON = """--json prints {"version": 1, "plans": [{"experiment", "steps": [{"name", "verdict" (reused, run, run?,
stuck), "reasons", "seconds" (the last time; null where it never ran), "bytes" (of the outputs that reuse need not make
again, or null)}], "ends_at" (where the script asks for what only a run has, so that the rest is not planned; or
null)}]}. "run?" is a step that runs only if a step above it writes something else than before.
The exit code is 0; 1 where a step cannot run; with --exit-code 2 where a step would run, or may."""
_EXPLAIN_ABOUT = """Tell why a step would run or be reused (FILE STEP), or why it did (RUN STEP): every difference from
the last run in which it succeeded. Without FILE it is the pipeline that was planned or run last."""
_EXPLAIN_JSON = """--json prints {"version": 1, "step", "verdict", "reasons", "against", "same_key", "differences":
[{"kind", "name", "before", "after", "what", "parts", "diff"}], "not_compared"}; what a thing has not is null."""
_ACCEPT_ABOUT = """Record that what differs in a step does not matter: its last result is used again, and each verdict
says who accepted it and why. A later difference is a new one."""

_REPRODUCE_ABOUT = """Run steps that would be reused once more, on the side, and compare what they write byte by byte:
it tells which steps are not deterministic, and in which files. The workspace stays as it is."""
_REPRODUCE_JSON = """--json prints {"version": 1, "steps": [{"name", "outcome" (same, differs, failed, not run),
"differences", "seconds"}]}. The exit code is 0, and 1 where a step wrote something else or failed."""


@dataclass(frozen=True)
class _Words:
    """How a command line is read: what follows a command's own words is the script's, but for its own options."""

    own: int
    valued: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


_EVERYWHERE = _Words(0, frozenset({"--color"}), frozenset({"--quiet", "-q", "--verbose", "-v", "--help", "-h"}))
_CHANGES = frozenset({"--with", "--touch"})
COMMANDS = {
    "plan": _Words(1, _CHANGES, frozenset({"--exit-code", "--json"})),
    "reproduce": _Words(1, frozenset({"--step", "--sample"}), frozenset({"--json"})),
    "explain": _Words(2, _CHANGES | {"--against"}, frozenset({"--full", "--json"})),
    "accept": _Words(2, frozenset({"--because"}), frozenset({"--undo"})),
    "key": _Words(3, frozenset({"--output", "-o"})),
}


class _Given(argparse.Namespace):
    json: bool
    verbose: bool
    words: list[str]
    changes: list[str]
    touched: list[str]
    exit_code: bool
    against: str | None
    full: bool
    because: str
    undo: bool
    output: str | None
    steps: list[str]
    sample: float


def add_commands(table: CommandTable) -> None:
    """Adds these commands.

    Args:
        table: The commands of the program.
    """
    plan = table.add(
        "plan",
        "tell what would run, what would be reused, and why; nothing runs",
        _plan,
        description=_PLAN_ABOUT,
        epilog=_PLAN_JSON,
        usage="%(prog)s [options] [FILE [ARGS...]]",
    )
    plan.add_argument("words", nargs="*", metavar="FILE", help="the script or notebook")
    _add_changes(plan)
    plan.add_argument("--exit-code", action="store_true", help="end with 2 where a step would run, or may")
    plan.add_argument("--json", action="store_true", help="print it as JSON (see below)")

    explain = table.add(
        "explain",
        "tell why a step would run or be reused, or why it did",
        _explain,
        description=_EXPLAIN_ABOUT,
        epilog=_EXPLAIN_JSON,
        usage="%(prog)s [options] [FILE | RUN] STEP [ARGS...]",
    )
    explain.add_argument("words", nargs="*", metavar="FILE STEP", help="the script, or a run; and the step's name")
    _add_changes(explain)
    explain.add_argument(
        "--against", metavar="RUN", help="compare with that run, or with the file of an exported key (key export)"
    )
    explain.add_argument("--full", action="store_true", help="show every line and file that changed")
    explain.add_argument("--json", action="store_true", help="print it as JSON (see below)")

    accept = table.add(
        "accept",
        "record that what differs in a step does not matter",
        _accept,
        description=_ACCEPT_ABOUT,
        usage="%(prog)s [options] [FILE] STEP --because WHY",
    )
    accept.add_argument("words", nargs="*", metavar="FILE STEP", help="the script, and the step's name")
    accept.add_argument("--because", metavar="WHY", default="", help="why it does not matter; shown with each verdict")
    accept.add_argument("--undo", action="store_true", help="take back what was accepted")

    again = table.add(
        "reproduce",
        "run reused steps again on the side, and compare what they write with what they wrote",
        _reproduce,
        description=_REPRODUCE_ABOUT,
        epilog=_REPRODUCE_JSON,
        usage="%(prog)s [options] [FILE [ARGS...]]",
    )
    again.add_argument("words", nargs="*", metavar="FILE", help="the script or notebook")
    again.add_argument(
        "--step", action="append", default=[], dest="steps", metavar="STEP", help="only this step; may be given again"
    )
    again.add_argument(
        "--sample", type=_share, default=1.0, metavar="5%", help="only so many of them, drawn at random (default: all)"
    )
    again.add_argument("--json", action="store_true", help="print it as JSON (see below)")

    key = table.group("key", "write a step's key to a file, to compare it elsewhere")
    export = key.add(
        "export",
        "write a step's key to a file: `scriptstep explain FILE STEP --against KEY.json` compares it elsewhere",
        _export,
        usage="%(prog)s [options] [FILE | RUN] STEP [ARGS...]",
    )
    export.add_argument("words", nargs="*", metavar="FILE STEP", help="the script, or a run; and the step's name")
    export.add_argument("-o", "--output", metavar="KEY.json", help="the file; standard output where it is not given")


def _add_changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        dest="changes",
        metavar="STEP.--FLAG=VALUE",
        help="if this argument were another; NAME=VALUE for a parameter of the pipeline",
    )
    parser.add_argument(
        "--touch", action="append", default=[], dest="touched", metavar="PATH", help="if this file were another"
    )


def split(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts a command line into what is the command's own and the script's arguments.

    Args:
        given: The command line, from the command on.

    Returns:
        What follows the command's words goes to the script, but for the options that the command knows; after `--`
        all of it does.
    """
    words = COMMANDS[given[0]]
    valued, flags = words.valued | _EVERYWHERE.valued, words.flags | _EVERYWHERE.flags
    own, left = [given[0]], words.own
    script: list[str] = []
    tokens = iter(given[1:])
    for token in tokens:
        name, equals, _ = token.partition("=")
        if token == "--":
            return own, [*script, *tokens]
        if token == "-m" and left:
            return own, [token, *tokens]
        if name in valued:
            own += [token] if equals else [token, *islice(tokens, 1)]
        elif token in flags or (left and token.startswith("-")):
            own.append(token)
        elif left:
            left -= 1
            own.append(token)
        else:
            script.append(token)
    return own, script


# --- what they do


def _plan(options: _Given, script: list[str]) -> int:
    code, found = _foreseen([*options.words, *script], options)
    if options.json:
        plans = [
            {"experiment": one.experiment, "steps": one.plan.to_json()["steps"], "ends_at": one.ends_at}
            for one in found
        ]
        emit(json.dumps({"version": 1, "plans": plans}, indent=2, ensure_ascii=False))
    else:
        for one in found:
            if len(found) > 1:
                emit(f"{escaped(one.experiment)}:")
            emit(str(one.plan))
        _tell_next(found, _as_given(options), [*options.words, *script])
    if code or any(one.plan.is_stuck for one in found):
        return code or 1
    return 2 if options.exit_code and any(one.plan.would_run for one in found) else 0


def _as_given(options: _Given) -> list[str]:
    """Returns: the changes that are thought of, as they were typed."""
    changes = [("--with", value) for value in options.changes] + [("--touch", path) for path in options.touched]
    return [word for pair in changes for word in pair]


def _tell_next(found: Sequence[Foreseen], changes: Sequence[str], script: Sequence[str]) -> None:
    for one in found:
        for step in one.plan.steps:
            if step.outlook == "run" and step.seconds is not None:
                words = [*script[:1], step.name, *script[1:]] if script[:1] != ["-m"] else [step.name]
                import shlex

                notice(f"see why: scriptstep explain {shlex.join([*changes, *words])}")
                return


def _explain(options: _Given, script: list[str]) -> int:
    found = _explained(options, script)
    if options.json:
        emit(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        emit(found.text(options.full))
    return 0


def _explained(options: _Given, script: list[str]) -> Explained:
    if (row := _step_run(options.words)) is not None:
        from scriptstep.engine.comparing.explanation import explain_run
        from scriptstep.run.explained import Explained

        return Explained(explain_run(*_state(), row, options.against))
    plan, step = _planned_step(options, script)
    return plan.explain(step, options.against)


def _export(options: _Given, script: list[str]) -> int:
    if (row := _step_run(options.words)) is not None:
        from scriptstep.engine.comparing.explanation import export_run

        text = export_run(*_state(), row)
    else:
        plan, step = _planned_step(options, script)
        text = plan.export_key(step)
    if options.output is None:
        emit(text)
        return 0
    try:
        Path(options.output).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserErrorException(f"{options.output} cannot be written: {error.strerror}") from error
    return 0


def _accept(options: _Given, script: list[str]) -> int:
    if not options.undo and not options.because.strip():
        raise ArgumentError("why does the difference not matter?", help='scriptstep accept STEP --because "..."')
    plan, step = _planned_step(options, script)
    emit(escaped(plan.withdraw(step) if options.undo else plan.accept(step, options.because.strip())))
    return 0


def _reproduce(options: _Given, script: list[str]) -> int:
    from scriptstep.console.text import columns, count, duration

    found = _plans([*options.words, *script], options)
    done = [one for plan in found for one in plan.plan.reproduce(options.steps, options.sample)]
    differ = [one for one in done if one.outcome != "same"]
    if options.json:
        steps = [
            {"name": o.step, "outcome": o.outcome, "differences": list(o.differences), "seconds": o.seconds}
            for o in done
        ]
        emit(json.dumps({"version": 1, "steps": steps}, indent=2, ensure_ascii=False))
        return 1 if differ else 0
    rows = [
        (
            escaped(o.step),
            o.outcome,
            "" if o.seconds is None else duration(o.seconds),
            escaped("; ".join(o.differences)),
        )
        for o in done
    ]
    emit("\n".join(f"  {line}" for line in columns(rows)))
    same = len(done) - len(differ)
    emit(f"{count(len(done), 'step')} ran again: {same:,} wrote what they wrote, {len(differ):,} did not")
    return 1 if differ else 0


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"a share such as 5% or 0.05, not {text!r}")
    return share


# --- what they are about


def _foreseen(script: Sequence[str], options: _Given) -> tuple[int, list[Foreseen]]:
    from scriptstep.cli.foreseeing import Changes, foresee
    from scriptstep.cli.last_script import recalled, remember_script

    given = list(script) or recalled()
    changes = Changes(getattr(options, "changes", ()), getattr(options, "touched", ()))
    code, found = foresee(given, changes, verbose=options.verbose)
    if found:
        remember_script(given)
    return code, found


def _plans(script: Sequence[str], options: _Given) -> list[Foreseen]:
    """Returns: what a script that ends well would submit."""
    code, found = _foreseen(script, options)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise UserErrorException(f"the script ended with exit code {code}: there is no plan")
    return found


def _planned_step(options: _Given, script: list[str]) -> tuple[Plan, str]:
    """Plans the script that the words name, and finds the step in it."""
    if not options.words:
        raise ArgumentError("which step?", help="name it: scriptstep explain pipeline.py STEP")
    *file, step = options.words
    found = _plans([*file, *script] if file else script, options)
    for one in found:
        if any(planned.name == step for planned in one.plan.steps):
            return one.plan, step
    # It says which there are.
    found[0].plan[step]
    raise AssertionError("unreachable")


def _state() -> tuple[History, ContentStore, Path]:
    """Returns: the history, which is there, the content store, and the state folder."""
    from scriptstep.cli.listing import history_here
    from scriptstep.content import ContentStore
    from scriptstep.engine.keeping.roots import TREES

    place, history = history_here()
    assert history is not None
    return history, ContentStore(place.home / TREES), place.home


def _step_run(words: Sequence[str]) -> RunRow | None:
    """Returns: the step run that RUN STEP names; None where the first word is a script, or there is but one word."""
    if len(words) != 2 or Path(words[0]).exists():
        return None
    from scriptstep.cli.listing import one_run, steps_of

    run, step = words
    try:
        _, history, row = one_run(run)
    except NotRegisteredError:
        if run.endswith((".py", ".ipynb")):
            return None
        raise
    # A script by itself is its own step, whatever it is called.
    return row if row.kind != "pipeline" else steps_of(history, row, step)[-1]
