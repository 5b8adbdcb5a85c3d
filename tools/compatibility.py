"""Run public pipelines that were written against the SDK, twice each, and write down what came of it.

    python tools/compatibility.py --sources FOLDER [--python PYTHON] [--write] [ID ...]

FOLDER holds checkouts of the repositories that `CASES` names, each in a folder of the repository's name; PYTHON is an
interpreter that has scriptstep installed, and what the step scripts import. Nothing of theirs is kept here: what is
set, put in place and cut stands in the table below. `--write` writes docs/compatibility.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from by_hand.compare import capturing, compare

ROOT = Path(__file__).resolve().parent.parent
_PAGE = ROOT / "docs" / "compatibility.md"
# A line of the console about a step: its name, what became of it, and the rest.
_STEP = re.compile(r"^  (\S.*?)\s{2,}(ran|reused|failed|not run|cancelled)\b\s*(.*)$")
_RUNS_ALWAYS = ("allow_reuse=False", "regenerate_outputs=True")
# What the scripts import, of their time.
_PACKAGES = ("numpy", "pandas", "scikit-learn", "lightgbm", "matplotlib", "pyarrow", "mlflow")


def titanic() -> str:
    """A table of passengers, in the columns of the one that the notebooks take from the web."""
    draw = random.Random(1)
    lines = ["PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked"]
    for number in range(1, 101):
        sex = draw.choice(["male", "female"])
        survived, place = draw.randint(0, 1), draw.randint(1, 3)
        age, fare = draw.randint(1, 80), round(draw.uniform(5, 90), 2)
        lines.append(f"{number},{survived},{place},Passenger {number},{sex},{age},0,0,T{number},{fare},,S")
    return "\n".join(lines) + "\n"


def iris() -> str:
    """A table of flowers, in the columns of the well-known one."""
    draw = random.Random(2)
    lines = ["sepal_length,sepal_width,petal_length,petal_width,species"]
    for number in range(150):
        kind = number // 50
        lines.append(
            ",".join(f"{base + kind + draw.uniform(-0.4, 0.4):.1f}" for base in (5, 3, 1.5, 0.3)) + f",kind-{kind}"
        )
    return "\n".join(lines) + "\n"


def labelled() -> str:
    """A table whose first column is the label."""
    draw = random.Random(3)
    return "label,a,b\n" + "".join(f"{draw.randint(0, 1)},{draw.random():.3f},{draw.random():.3f}\n" for _ in range(50))


def _store(name: str, url: str) -> str:
    return f'[datastores.{name}]\npath = "web/{name}"\nurl = "{url}"\n'


# In place of the package of that name: what notebooks take from the web is put in place.
_REQUESTS = """\
class _Answer:
    def __init__(self, content):
        self.content, self.text = content, content.decode()
def get(url, **kwargs):
    return _Answer(open("web/titanic/Titanic.csv", "rb").read())
"""
_TITANIC = _store("titanic", "https://dprepdata.blob.core.windows.net/demo/")
_IRIS_OF_THE_TUTORIAL = (
    "https://raw.githubusercontent.com/Azure/MachineLearningNotebooks/4e7b3784d50e81c313c62bcdf9a330194153d9cd/"
    "how-to-use-azureml/work-with-data/datasets-tutorial/train-with-datasets/train-dataset/"
)
_PIPELINES = "how-to-use-azureml/machine-learning-pipelines/"
_REST = (
    r"get_authentication_header|requests\.post|response\.raise_for_status",
    r"run_via_rest|published_pipeline_run\b",
)
_SCHEDULE = (r"\bSchedule\b", r"schedules\b")


@dataclass(frozen=True)
class Case:
    """One public pipeline.

    Attributes:
        id: A short name.
        repository: Where it comes from.
        folder: The folder of the repository to work in.
        runs: Arguments of `scriptstep run`, one after the other; each is run in each of two turns.
        once: The same, in the first turn alone, and first.
        files: Files that are put in place, and what they hold.
        settings: scriptstep.toml.
        environment: Variables.
        edits: Patterns of cells, and what stands in their place.
        cut: Patterns of cells that are left out.
        told: What was set or cut, in words.
    """

    id: str
    repository: str
    folder: str
    runs: tuple[tuple[str, ...], ...]
    told: str
    once: tuple[tuple[str, ...], ...] = ()
    files: Mapping[str, Callable[[], str] | str] = field(default_factory=dict)
    settings: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[tuple[str, str], ...] = ()
    cut: tuple[str, ...] = ()


def _notebook(id: str, name: str, told: str, **more: object) -> Case:
    folder = f"{_PIPELINES}intro-to-pipelines"
    return Case(id, "Azure/MachineLearningNotebooks", folder, ((name,),), told, **more)  # type: ignore[arg-type]


CASES = (
    _notebook(
        "A1",
        "aml-pipelines-getting-started.ipynb",
        "Titanic.csv, which it gets from the web, put in place by a stand-in for `requests`",
        files={"requests.py": _REQUESTS, "web/titanic/Titanic.csv": titanic},
    ),
    _notebook(
        "A2",
        "aml-pipelines-with-data-dependency-steps.ipynb",
        "Titanic.csv put on the datastore",
        files={"store/titanic/Titanic.csv": titanic},
        settings='[datastores.workspaceblobstore]\npath = "store"\ndefault = true\n',
    ),
    _notebook(
        "A3",
        "aml-pipelines-publish-and-run-using-rest-endpoint.ipynb",
        "Titanic.csv put in place of its URL; the cells that post to the endpoint cut",
        files={"web/titanic/Titanic.csv": titanic},
        settings=_TITANIC,
        cut=_REST,
    ),
    _notebook(
        "A4",
        "aml-pipelines-showcasing-dataset-and-pipelineparameter.ipynb",
        "Titanic.csv and iris.csv put in place of their URLs; the cells that post to the endpoint cut",
        files={"web/titanic/Titanic.csv": titanic, "web/iris/iris.csv": iris, ".amlignore": "web/\nscriptstep.toml\n"},
        settings=_TITANIC + _store("iris", _IRIS_OF_THE_TUTORIAL),
        cut=_REST,
    ),
    Case(
        "A5",
        "Azure/MachineLearningNotebooks",
        f"{_PIPELINES}nyc-taxi-data-regression-model-building",
        (("nyc-taxi-data-regression-model-building.ipynb",),),
        "the rows that it has itself, without those of azureml.opendatasets; the AutoML cells cut, and the split "
        "before them submitted",
        edits=(
            (r"from azureml\.opendatasets import .*", ""),
            (r"number_of_months = 1", "number_of_months = 0"),
            (r"pipeline_steps = \[trainWithAutomlStep\]", "pipeline_steps = [testTrainSplitStep]"),
        ),
        cut=(r"AutoMLConfig", r"AutoMLStep\(", r"AutoMLRun"),
    ),
    Case(
        "A6",
        "MicrosoftLearning/mslearn-dp100",
        "",
        (("08 - Create a Pipeline.ipynb",),),
        "the cells that post to the endpoint and schedule it cut",
        cut=(*_REST, *_SCHEDULE),
    ),
    Case(
        "A8",
        "Azure/azureml-examples",
        "tutorials/an-introduction/workflow",
        (("job.py",),),
        "iris.csv put in place of its URL",
        files={"web/iris/iris.csv": iris},
        settings=_store("iris", "https://azuremlexamples.blob.core.windows.net/datasets/"),
    ),
    Case(
        "A9",
        "microsoft/MLOpsPython",
        "",
        (("-m", "ml_service.pipelines.run_train_pipeline"),),
        "the variables of .env.example",
        once=(("-m", "ml_service.pipelines.diabetes_regression_build_train_pipeline"),),
        environment={
            "WORKSPACE_NAME": "mlops",
            "RESOURCE_GROUP": "rg",
            "SUBSCRIPTION_ID": "s",
            "BUILD_BUILDID": "001",
            "EXPERIMENT_NAME": "mlopspython",
            "AML_ENV_NAME": "diabetes_regression_training_env",
            "AML_COMPUTE_CLUSTER_NAME": "train-cluster",
            "AML_COMPUTE_CLUSTER_CPU_SKU": "STANDARD_DS2_V2",
            "MODEL_NAME": "diabetes_regression_model.pkl",
            "TRAIN_SCRIPT_PATH": "training/train_aml.py",
            "EVALUATE_SCRIPT_PATH": "evaluate/evaluate_model.py",
            "REGISTER_SCRIPT_PATH": "register/register_model.py",
            "SOURCES_DIR_TRAIN": "diabetes_regression",
            "TRAINING_PIPELINE_NAME": "Training Pipeline",
            "DATASET_NAME": "diabetes_ds",
            "DATASET_VERSION": "latest",
        },
    ),
    Case(
        "A10",
        "liupeirong/MLOpsManufacturing",
        "samples/wrapping-existing-ml-scripts-tutorial",
        (("-m", "ml_service.pipelines.run_pipeline"),),
        "the variables of its .env",
        once=(("-m", "ml_service.pipelines.build_pipeline"),),
        environment={
            "AML_EXPERIMENT_NAME": "wrap",
            "AML_ENVIRONMENT_NAME": "wrap-env",
            "AML_COMPUTE_NAME": "cpu-cluster",
            "AML_MODEL_NAME": "model.pkl",
            "AML_PIPELINE_NAME": "wrap-pipeline",
            "AML_PIPELINE_ENDPOINT_NAME": "wrap-endpoint",
        },
    ),
    Case(
        "A12",
        "microsoft/dstoolkit-mlops-base",
        "",
        (("mlops/run_training_pipeline.py", "--version", "1"),),
        "a table registered as mydataset, by scriptstep.toml",
        once=(("mlops/build_training_pipeline.py", "--version", "1"),),
        files={"data.csv": labelled},
        settings='[datasets.mydataset]\npath = "data.csv"\nkind = "tabular"\n',
    ),
)


@dataclass
class Outcome:
    """What came of a pipeline.

    Attributes:
        case: The pipeline.
        steps: How many steps the runs of a turn have.
        first: What became of them in the first turn.
        second: What became of them in the second one.
        by_hand: What came of the comparison with the same scripts, run by hand.
        wrong: What is not as it should be; empty where all is.
    """

    case: Case
    steps: int = 0
    first: str = ""
    second: str = ""
    by_hand: str = ""
    wrong: str = ""


def prepare(case: Case, sources: Path, folder: Path) -> Path:
    """Lays a pipeline out; gives the folder to work in."""
    project = folder / case.id
    shutil.copytree(
        sources / case.repository.partition("/")[2] / case.folder,
        project,
        ignore=shutil.ignore_patterns(".git", ".scriptstep"),
    )
    for name, held in case.files.items():
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(held if isinstance(held, str) else held(), encoding="utf-8")
    if case.settings:
        (project / "scriptstep.toml").write_text(case.settings, encoding="utf-8")
    for run in case.runs:
        if run[0].endswith(".ipynb"):
            edit_notebook(project / run[0], case)
    return project


def edit_notebook(file: Path, case: Case) -> None:
    """Leaves cells out, and changes some, as the case says."""
    notebook = json.loads(file.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] != "code":
            continue
        for pattern, instead in case.edits:
            text = re.sub(pattern, instead, text)
        cell["source"] = "" if any(re.search(pattern, text) for pattern in case.cut) else text
    file.write_text(json.dumps(notebook), encoding="utf-8")


def try_out(case: Case, sources: Path, python: Path, folder: Path) -> Outcome:
    """Runs a pipeline, and again, and the scripts of its first turn by hand."""
    project = prepare(case, sources, folder)
    environment = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder), **case.environment}
    captured = folder / f"{case.id}-captured"
    with capturing(python, captured):
        outcome = _run_twice(Outcome(case), project, python, folder, environment)
    if not outcome.wrong:
        outcome.by_hand = compare(captured / "1", project, python, environment)
        if outcome.by_hand.startswith("not equal"):
            outcome.wrong = outcome.by_hand
    return outcome


def _run_twice(outcome: Outcome, project: Path, python: Path, folder: Path, environment: Mapping[str, str]) -> Outcome:
    case, captured = outcome.case, folder / f"{outcome.case.id}-captured"
    program = python.parent / "scriptstep"
    for turn in (1, 2):
        told: list[tuple[str, str, str]] = []
        for run in (*(case.once if turn == 1 else ()), *case.runs):
            done = subprocess.run(
                [program, "run", *run],
                cwd=project,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            with (folder / f"{case.id}-{turn}.log").open("a", encoding="utf-8") as log:
                log.write(done.stdout)
            matches = map(_STEP.match, done.stdout.splitlines())
            told += [(match[1], match[2], match[3]) for match in matches if match]
            if done.returncode and not any(verdict == "cancelled" for _, verdict, _ in told):
                outcome.wrong = f"turn {turn}: exit code {done.returncode}: {_last_error(done.stdout)}"
                return outcome
        _judge(outcome, turn, told)
        if turn == 1 and captured.is_dir():
            # What the second turn runs is no part of the comparison.
            steps = list(captured.iterdir())
            (captured / "1").mkdir()
            for step in steps:
                step.rename(captured / "1" / step.name)
    return outcome


def _last_error(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    found = [line for line in lines if line.startswith("error:") or re.match(r"^\w*(Error|Exception)\b", line)]
    return (found or lines or ["nothing was printed"])[-1][:300]


def _judge(outcome: Outcome, turn: int, told: list[tuple[str, str, str]]) -> None:
    counts = {
        verdict: sum(1 for _, v, _ in told if v == verdict)
        for verdict in ("ran", "reused", "failed", "not run", "cancelled")
    }
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    if turn == 1:
        outcome.steps, outcome.first = len(told), said
        if counts["failed"] or not told:
            outcome.wrong = f"turn 1: {said or 'no step was run'}"
        return
    outcome.second = said
    again = [
        name for name, verdict, why in told if verdict == "ran" and not any(always in why for always in _RUNS_ALWAYS)
    ]
    if again:
        outcome.wrong = f"turn 2: ran again: {', '.join(again)}"
    elif any(why for _, verdict, why in told if verdict == "ran"):
        outcome.second += " (allow_reuse=False or regenerate_outputs=True)"


def page(outcomes: list[Outcome], python: Path) -> str:
    """The page that says what came of all of them."""
    asked = "import importlib.metadata as m, sys\nfor n in sys.argv[1:]:\n    print(n, m.version(n))"
    versions = subprocess.run(
        [python, "-c", asked, "scriptstep", *_PACKAGES], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    lines = [
        "# Public pipelines",
        "",
        "What came of public pipelines that were written against the Azure ML SDK v1, unchanged but for what the last",
        "column says. Each was run twice: the second time every step is to be reused that does not ask to run always.",
        "The scripts of the first time were then run by hand, as plain programs with a stand-in for the SDK that only",
        "takes notes: the last but one column says whether outputs (the digest of every file), metrics and registered",
        "models are the same. `python tools/compatibility.py --sources FOLDER --python PYTHON --write` repeats it,",
        "given checkouts.",
        "",
        f"{datetime.datetime.now(datetime.timezone.utc).date().isoformat()}, with {', '.join(versions)}.",
        "",
        "| | Repository, file | Steps | First time | Second time | By hand | Set or cut |",
        "|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        case = outcome.case
        place = f"{case.repository} `{' '.join(case.runs[0])}`"
        first, second = (f"**{outcome.wrong}**", "") if outcome.wrong else (outcome.first, outcome.second)
        cells = (case.id, place, str(outcome.steps), first, second, outcome.by_hand, case.told)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs the pipelines.

    Returns:
        The exit code: 1 where something is not as it should be.
    """
    parser = argparse.ArgumentParser(prog="python tools/compatibility.py", description="Run public pipelines.")
    parser.add_argument("--sources", type=Path, required=True, help="the folder of the checkouts")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="an interpreter with scriptstep")
    parser.add_argument("--write", action="store_true", help="write docs/compatibility.md")
    parser.add_argument("--keep", type=Path, help="work in this folder, and leave it there")
    parser.add_argument("ids", nargs="*", help="only these")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="compatibility-"))
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for case in CASES:
        if options.ids and case.id not in options.ids:
            continue
        outcome = try_out(case, options.sources, options.python.absolute(), folder)
        outcomes.append(outcome)
        came = f"{outcome.steps} steps: {outcome.first}; then {outcome.second}; by hand {outcome.by_hand}"
        print(f"{case.id}: {outcome.wrong or came}", flush=True)
    if options.write:
        _PAGE.write_text(page(outcomes, options.python.absolute()), encoding="utf-8")
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return int(any(outcome.wrong for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
