"""The commands, their options, and what is common to all: how much is told, and how it ends."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from scriptstep.cli import garbage, keeping, planning
from scriptstep.cli.command_table import Act, CommandTable
from scriptstep.console import configure, notice, report
from scriptstep.errors import AzureMLException

__all__ = ["main"]

_ABOUT = """Run pipelines of Python script steps, written against the Azure ML SDK v1, on this machine.
A step whose code, arguments, environment and inputs are unchanged is not run again."""

_RUN_ABOUT = """Run a script that builds and submits pipelines, in this process, `import azureml...` being answered by
scriptstep; or a notebook (.ipynb): its code cells, in its own folder. What follows FILE or MODULE goes to it."""

_JSON_ABOUT = """--json prints {"version": 1, "runs": [...]}, the newest run first. Of each run: id, experiment, name,
number, status, created, started and ended (ISO 8601, UTC; null where it has not), seconds (or null), tags, and steps:
a list of {"name", "verdict" (ran, reused, failed, not run, cancelled, running, waiting), "seconds"}."""
_FILES_JSON_ABOUT = """--json prints {"version": 1, "digest", "files": [{"path", "kind" (file, executable, link),
"size" (bytes), "digest"}]}; with --ignored {"version": 1, "ignored": [{"path", "kind", "file", "line", "rule"}]},
"kind" being what decided: rule, never, environment; with --why {"version": 1, "kept", "path", "kind", "file", "line",
"rule"}, "kind" being none, too. What a thing has not is null; a byte that is no UTF-8 stands as \\udc80 to \\udcff."""
_DOCTOR_JSON_ABOUT = """--json prints {"version": 1, "findings": [{"file", "cell" (of a notebook, else null), "line",
"kind", "name", "what"}]}; "kind" is absent (it imports, and cannot be used), unknown (the SDK may have it, scriptstep
has not), setting (a portal held it) or syntax. The exit code is 1 where there is a finding."""

# Options of `run` that take a value: what follows them is not the file.
_VALUED = ("--jobs", "-j", "--input-identity", "--retries", "--debug", "--color")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: What follows the program's name; the process's own where None.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    script: list[str] = []
    if given[:1] == ["run"]:
        given, script = _split(given)
    elif given[:1] and given[0] in planning.COMMANDS:
        given, script = planning.split(given)
    options = _parser(given[0] if given and not given[0].startswith("-") else None).parse_args(given)
    if options.command == "run" and (not script or script in (["-m"], ["--"])):
        _parser().parse_args(["run", "--need-a-file"])
    configure(
        amount="quiet" if options.quiet else "verbose" if options.verbose else "normal",
        colour=options.color,
        live=options.debug is None,
    )
    try:
        code = _run(options, script)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read our output has enough of it; the interpreter must not try to write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except AzureMLException as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace, script: list[str]) -> int:
    act: Act = options.act
    if options.command != "run":
        garbage.release()
    return act(options, script)


def _split(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts `run [options] FILE [ARGS...]` before FILE: nothing of a script's own arguments is ours to read."""
    index = 1
    while index < len(given):
        token = given[index]
        if token == "-m" or (token.startswith("-m") and not token.startswith("--")):
            rest = given[index + 1 :] if token == "-m" else [token[2:], *given[index + 1 :]]
            return list(given[:index]), ["-m", *rest]
        if token == "--":
            return list(given[:index]), list(given[index + 1 :])
        if not token.startswith("-") or token == "-":
            return list(given[:index]), list(given[index:])
        index += 2 if token in _VALUED else 1
    return list(given), []


def _parser(asked: str | None = None) -> argparse.ArgumentParser:
    """Returns: what reads the command line; of the commands only the one that is asked for, where one is."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("-q", "--quiet", action="store_true", help="print results, summaries and errors only")
    shared.add_argument("-v", "--verbose", action="store_true", help="print the output of steps as it comes, too")
    shared.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours (default: on a terminal)"
    )
    shared.set_defaults(json=False, debug=None)

    parser = argparse.ArgumentParser(
        prog="scriptstep", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    parser.set_defaults(act=_no_command, command=None, quiet=False, verbose=False, color="auto", debug=None)
    table = CommandTable(parser, shared, "command", asked=asked)
    add = table.add

    run = add(
        "run",
        "run a script or notebook that builds and submits pipelines",
        _run_script,
        description=_RUN_ABOUT,
        usage="%(prog)s [options] FILE [ARGS...]\n       %(prog)s [options] -m MODULE [ARGS...]",
    )
    run.add_argument(
        "-j", "--jobs", type=_at_least(1), metavar="N", help="steps side by side at most (default: the number of cores)"
    )
    run.add_argument(
        "--input-identity",
        choices=("definition", "content"),
        help="know datasets by their definition (the default), or by the content of their files",
    )
    run.add_argument(
        "--audit", action="store_true", help="tell what steps read from outside their copy, inputs and environment"
    )
    run.add_argument("--strict", action="store_true", help="as --audit, and a step that reads such a thing fails")
    _add_retries(run)
    run.add_argument(
        "--debug",
        metavar="STEP",
        help="run this step on the terminal, whatever its verdict: breakpoint() works in it; it is not reused",
    )
    run.add_argument("--need-a-file", action=_NeedsFile, nargs=0, help=argparse.SUPPRESS)

    runs = add("runs", "list runs, the newest first", _list_runs, epilog=_JSON_ABOUT)
    runs.add_argument(
        "-n", type=_at_least(1), default=20, metavar="N", dest="most", help="how many at most (default: 20)"
    )
    runs.add_argument("--experiment", metavar="NAME", help="only those of this experiment")
    runs.add_argument("--json", action="store_true", help="print them as JSON (see below)")

    planning.add_commands(table)

    logs = add("logs", "print what the steps of a run printed", _print_logs)
    logs.add_argument("run", metavar="RUN", help="id of a run, or its first characters")
    logs.add_argument("step", metavar="STEP", nargs="?", help="name of a step; without it, all of them")
    logs.add_argument(
        "--rank",
        type=_at_least(0),
        metavar="N",
        help="of a step in several processes, the one of this rank; else all of them",
    )

    logs.add_argument(
        "--attempt", type=_at_least(1), metavar="N", help="of a step that was tried again, this try (default: the last)"
    )

    cancel = add("cancel", "cancel a run and end its processes", _cancel_run)
    cancel.add_argument("run", metavar="RUN", help="id of a run, or its first characters")

    files = add(
        "files", "list what a source directory holds, its ignore rules applied", _list_files, epilog=_FILES_JSON_ABOUT
    )
    files.add_argument("directory", metavar="DIR", help="the directory")
    shown = files.add_mutually_exclusive_group()
    shown.add_argument("--ignored", action="store_true", help="list what the rules leave out, each with its rule")
    shown.add_argument("--largest", action="store_true", help="the largest first")
    shown.add_argument("--why", metavar="PATH", help="tell which rule decides about a path, relative to DIR")
    files.add_argument("--json", action="store_true", help="print it as JSON (see below)")
    doctor = add(
        "doctor",
        "list what stands in the way of a script, a notebook or a folder; nothing is run",
        _examine,
        epilog=_DOCTOR_JSON_ABOUT,
    )
    doctor.add_argument("path", metavar="PATH", help="a .py file, a notebook or a folder")
    doctor.add_argument("--json", action="store_true", help="print it as JSON (see below)")

    keeping.add_commands(table)
    published = table.group(
        "published",
        "list published pipelines, or submit one",
        _list_published,
        description="List published pipelines and endpoints.",
    )
    submitted = published.add(
        "submit",
        "submit a published pipeline, and wait for its end",
        _submit_published,
        description="Submit a published pipeline, or an endpoint, as it was when it was published; wait for its end.",
    )
    submitted.add_argument("name", metavar="NAME", help="its name or id; of several of a name the newest")
    submitted.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter's value; of a dataset its name, of a data path a path on the same datastore",
    )
    submitted.add_argument("--experiment", metavar="NAME", help="what to file the run under (default: its name)")
    _add_retries(submitted)
    data = table.group("data", "name data, so that scripts find it")
    added = data.add(
        "add",
        "name a file or folder in scriptstep.toml",
        _add_data,
        description="Name a file, a folder or a pattern of files in scriptstep.toml: Dataset.get_by_name finds it.",
    )
    added.add_argument("name", metavar="NAME", help="what scripts call it")
    added.add_argument("path", metavar="PATH", help="the file, the folder, or a pattern of files")
    added.add_argument("--tabular", action="store_true", help="it is a table, to be read with to_pandas_dataframe()")
    # Of a command that there is not, the error names all that there are.
    return parser if table.has_asked else _parser()


class _NeedsFile(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *args: object, **kwargs: object) -> None:
        parser.error("a FILE to run is needed, or -m MODULE")


def _add_retries(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--retries", type=_at_least(0), metavar="N", help="try a step that fails again, N times at most (default: 0)"
    )


def _at_least(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if text.isdigit() else -1
        if number < least:
            raise argparse.ArgumentTypeError(f"a number, at least {least}, not {text!r}")
        return number

    return read


def _no_command(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.console import emit

    if options.version:
        from importlib.metadata import version

        emit(f"scriptstep {version('scriptstep')}")
        return 0
    emit(_parser().format_help())
    return 2


def _run_script(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.last_script import remember_script
    from scriptstep.cli.running import run_module, run_path
    from scriptstep.run.submission import set_defaults

    if taken := [word for word in script[1:] if word in ("--audit", "--strict", "--retries", "--debug")]:
        notice(
            f"{taken[0]} goes to {script[0]}, which it follows; before it, it would be an option of `scriptstep run`"
        )
    set_defaults(
        jobs=options.jobs,
        input_identity=options.input_identity,
        audit="strict" if options.strict else "report" if options.audit else None,
        retries=options.retries,
        debug=options.debug,
    )
    garbage.release()
    try:
        if script[0] == "-m":
            return run_module(script[1], script[2:], verbose=options.verbose)
        return run_path(script[0], script[1:], verbose=options.verbose)
    finally:
        remember_script(script, if_submitted=True)


def _list_runs(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.listing import list_runs

    return list_runs(options.most, options.experiment, options.json)


def _print_logs(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.listing import print_logs

    return print_logs(options.run, options.step, options.rank, options.attempt)


def _cancel_run(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.listing import cancel_run

    return cancel_run(options.run)


def _list_files(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.files import list_files, list_ignored, tell_why

    if options.why is not None:
        return tell_why(options.directory, options.why, as_json=options.json)
    if options.ignored:
        return list_ignored(options.directory, as_json=options.json)
    return list_files(options.directory, largest_first=options.largest, as_json=options.json)


def _add_data(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.naming import add_data

    return add_data(options.name, options.path, tabular=options.tabular)


def _examine(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.doctor import examine

    return examine(options.path, as_json=options.json)


def _list_published(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.published import list_published

    return list_published()


def _submit_published(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.published import submit_published
    from scriptstep.run.submission import set_defaults

    set_defaults(retries=options.retries)
    return submit_published(options.name, options.experiment, options.param)
