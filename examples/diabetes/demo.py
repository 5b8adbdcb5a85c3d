"""Run the example four times, as a user would, and show what ran, what was reused, and why; then plan a fifth run.

    make demo

The example is copied to a scratch folder first, for the demo edits it. Everything that it leaves stays there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scriptstep import Experiment, Model, PipelineRun, StepRun, Workspace

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCRIPTSTEP = Path(sys.executable).parent / "scriptstep"


@dataclass(frozen=True)
class Turn:
    """One of the four runs: what happens before it, and the arguments that it is given."""

    title: str
    arguments: tuple[str, ...] = ()
    adds_comment: bool = False


TURNS = [
    Turn("the first run"),
    Turn("nothing changed"),
    Turn("one argument changed: --depth 5", ("--depth", "5")),
    Turn("a comment added to prepare.py", ("--depth", "5"), adds_comment=True),
]


def copy_example(scratch: Path) -> None:
    """Copy the example, without what running it in place may have left."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(HERE, scratch, ignore=shutil.ignore_patterns(".scriptstep", "__pycache__", Path(__file__).name))


def run_pipeline(scratch: Path, turn: Turn) -> float:
    """Make the turn's edit, run the pipeline from the shell, and tell how many seconds that took."""
    if turn.adds_comment:
        with (scratch / "prepare" / "prepare.py").open("a", encoding="utf-8") as script:
            script.write("\n# Ten features of 442 patients, and how their diabetes progressed within a year.\n")
    command = [str(SCRIPTSTEP), "run", "pipeline.py", *turn.arguments]
    print(f"\n{' '.join(['scriptstep', *command[1:]])}   # {turn.title}", file=sys.stderr, flush=True)
    began = time.perf_counter()
    done = subprocess.run(command, cwd=scratch, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return time.perf_counter() - began


def show_run(number: int, turn: Turn, took: float, run: PipelineRun) -> None:
    """Print one run of the table: a line for each step with its verdict, its time and the reason."""
    print(f"{number}. {turn.title} (run {run.id[:4]}, {took:.1f} s from the shell)")
    for step in run.get_steps():
        details, properties = step.get_details(), step.get_properties()
        if properties.get("azureml.isreused") == "true":
            verdict, seconds = "reused", ""
            reason = f"from run {properties['azureml.reusedpipelinerunid'][:4]}"
        else:
            began, ended = (datetime.fromisoformat(details[name]) for name in ("startTimeUtc", "endTimeUtc"))
            verdict, seconds = "ran", f"{(ended - began).total_seconds():.1f} s"
            reason = "; ".join([*details["verdict"]["reasons"], *details["verdict"]["outcome"]])
        print(f"  {step.name:<12}  {verdict:<6}  {seconds:>6}   {reason}")
    print()


def in_words(value: object) -> str:
    """A metric's value on one line: a number, a list, or the rows of a table."""
    if isinstance(value, dict):
        return "; ".join(" ".join(map(in_words, row)) for row in zip(*value.values(), strict=True))
    if isinstance(value, list):
        return ", ".join(map(in_words, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def show_results(workspace: Workspace, run: PipelineRun, scratch: Path) -> None:
    """Print the metrics of a run, and fetch what it wrote."""
    print("Metrics of the last run")
    for owner in (*run.get_steps(), run):
        name = owner.name if isinstance(owner, StepRun) else "the pipeline"
        for metric, value in owner.get_metrics().items():
            print(f"  {name:<12}  {metric:<8}  {in_words(value)}")
    model = Model(workspace, "diabetes")
    print(f"\nRegistered: model {model.name}, version {model.version} ({model.tags['kind']}, R2 {model.tags['r2']})")

    results = scratch / "results"
    run.find_step_run("evaluate")[0].get_output_data("chosen").download(str(results))
    run.find_step_run("register")[0].download_file("outputs/report.md", str(results / "report.md"))
    print("\nOutputs")
    for path in sorted(path for path in results.rglob("*") if path.is_file()):
        print(f"  {os.path.relpath(path)}")


def show_plan(scratch: Path) -> None:
    """Edit a file, and print what would happen then, and why: nothing runs."""
    models = scratch / "train" / "models.py"
    edited = models.read_text("utf-8").replace("max_depth=depth, ", "max_depth=depth, min_samples_leaf=5, ")
    models.write_text(edited, encoding="utf-8")
    print("\n5. before a fifth run: train/models.py was edited, and --depth is 7 (nothing runs)")
    for words in (["plan", "pipeline.py"], ["explain", "pipeline.py", "train-tree"]):
        command = [*words, "--depth", "7"]
        print(f"\n{' '.join(['scriptstep', *command])}", flush=True)
        done = subprocess.run([str(SCRIPTSTEP), *command], cwd=scratch, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            sys.exit(done.returncode)


def main() -> None:
    """Run the turns, then show all of them in one table."""
    parser = argparse.ArgumentParser(description="Run the diabetes example four times.")
    parser.add_argument("--scratch", type=Path, default=ROOT / "build" / "demo", help="where it may work")
    scratch: Path = parser.parse_args().scratch.resolve()

    copy_example(scratch)
    took = [run_pipeline(scratch, turn) for turn in TURNS]

    stood = Path.cwd()
    os.chdir(scratch)
    workspace = Workspace.from_config()
    os.chdir(stood)
    runs = [run for run in Experiment(workspace, "diabetes").get_runs() if isinstance(run, PipelineRun)]
    print()
    for number, (turn, run) in enumerate(zip(TURNS, reversed(runs), strict=True)):
        show_run(number + 1, turn, took[number], run)
    show_results(workspace, runs[0], scratch)
    show_plan(scratch)
    print(f"\nThe runs are kept: cd {os.path.relpath(scratch)}, then scriptstep runs")


if __name__ == "__main__":
    main()
