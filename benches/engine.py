"""Rows about what the engine adds to a step: loading, declaring, laying out, logging, handing on."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benches.measure import Contender, Row, own_environment, take_turns, timed
from benches.peers import Peers
from benches.sizes import Sizes
from benches.tree import TreePlan, make_tree
from scriptstep.content import ContentStore, scan
from scriptstep.engine.environment_identity import installed
from scriptstep.engine.known_distributions import KnownDistributions

_LOADED = {
    "`import scriptstep`": "import scriptstep",
    "a step declared": "from scriptstep import PythonScriptStep as P; P('x.py', source_directory='.')",
    "a step's class through the alias": "import scriptstep.azureml; scriptstep.azureml.install(); "
    "from azureml.pipeline.steps import PythonScriptStep",
}
_SDK = "from azureml.pipeline.steps import PythonScriptStep"
_LOGGING = """\
import sys
import time
from azureml.core import Run

run = Run.get_context()
run.log("first", 0)
began = time.perf_counter()
for number in range(1000):
    run.log("value", number)
with open(sys.argv[1], "a") as file:
    print(time.perf_counter() - began, file=file)
"""
_BUILDING = """\
import sys
import time
from scriptstep import Pipeline, PythonScriptStep, Workspace

ws = Workspace.from_config()
began = time.perf_counter()
steps = [
    PythonScriptStep("step.py", name=f"s{{n}}", arguments=[n], source_directory="code") for n in range({steps})
]
Pipeline(ws, steps)
with open(sys.argv[1], "w") as file:
    print(time.perf_counter() - began, file=file)
"""
_PIPELINE = """\
from scriptstep import Experiment, Pipeline, PythonScriptStep, Workspace

ws = Workspace.from_config()
step = PythonScriptStep("step.py", arguments=[{times!r}], source_directory="code", allow_reuse=False)
Experiment(ws, "bench").submit(Pipeline(ws, [step])).wait_for_completion(show_output=False)
"""


def rows(scratch: Path, peers: Peers, sizes: Sizes) -> list[Row]:
    """Measure all rows of this module.

    Args:
        scratch: An empty folder to work in.
        peers: Who takes part besides us.
        sizes: How much of everything.
    """
    found = [_loading(scratch, peers, sizes), _building(scratch, sizes), _logging(scratch, sizes)]
    found += [_working_copy(scratch, files, sizes) for files in (20, 500)]
    return [*found, _handing_on(scratch, sizes), _environment(scratch, sizes)]


def _loading(scratch: Path, peers: Peers, sizes: Sizes) -> Row:
    environment = own_environment(scratch / "home")

    def above(python: str | Path, code: str) -> float:
        bare, whole = (timed([str(python), "-c", one], scratch, environment) for one in ("pass", code))
        # A time is never below nothing, whatever else the machine does.
        return max(whole - bare, 1e-6)

    contenders = [
        Contender(name, "ours", partial(above, sys.executable, code), scope="call") for name, code in _LOADED.items()
    ]
    if peers.has("azureml"):
        contenders.append(
            Contender("the real SDK", "peer", partial(above, peers.program("azureml", "python"), _SDK), scope="call")
        )
    return Row(
        "load",
        "Load the library, above a bare interpreter",
        take_turns(contenders, sizes.repeats, sizes.budget_s),
        "the time of a process, less that of one that does nothing",
    )


def _building(scratch: Path, sizes: Sizes) -> Row:
    steps = min(10_000, max(sizes.fans))
    project = _project(scratch / "building", _BUILDING.format(steps=steps), "")
    environment = own_environment(scratch / "home")

    def build() -> float:
        timed([sys.executable, "pipeline.py", str(project / "times")], project, environment)
        return float((project / "times").read_text()) / steps

    contenders = [Contender("the call", "ours", build, scope="call")]
    return Row(
        "build-graph",
        "Declare a step and build it into the graph",
        take_turns(contenders, sizes.repeats, sizes.budget_s),
        f"each of {steps:,} steps",
    )


def _logging(scratch: Path, sizes: Sizes) -> Row:
    times = scratch / "times"
    project = _project(scratch / "logging", _PIPELINE.format(times=str(times)), _LOGGING)
    environment = own_environment(scratch / "home")
    command: list[str | Path] = [Path(sys.executable).parent / "scriptstep", "run", "pipeline.py"]

    def log() -> float:
        timed(command, project, environment, expect="1 ran")
        return float(times.read_text().split()[-1])

    contenders = [Contender("the calls", "ours", log, scope="call")]
    return Row("log", "1,000 `run.log` in a step", take_turns(contenders, sizes.repeats, sizes.budget_s))


def _working_copy(scratch: Path, files: int, sizes: Sizes) -> Row:
    source, copies = scratch / f"code-{files}", scratch / f"copies-{files}"
    make_tree(source, TreePlan(files=files, size=4_000, seed=files))
    copies.mkdir()
    store = ContentStore(scratch / f"store-{files}")
    digest = store.save(source, scan(source, rules=None)).digest
    fresh = _numbers(copies)

    def restore() -> float:
        return _seconds(partial(store.restore, digest, next(fresh)))

    def copy() -> float:
        command: list[str | Path] = ["cp", "-r", source, next(fresh)]
        return timed(command, scratch, own_environment(scratch / "home"))

    contenders = [
        Contender("the call, digests checked", "ours", restore, scope="call"),
        Contender("`cp -r`", "peer", copy, scope="call"),
    ]
    return Row(
        f"working-copy-{files}",
        f"Working copy of {files} files of code for a step",
        take_turns(contenders, 3 * sizes.repeats, sizes.budget_s),
        "`cp -r` is a process of its own",
    )


def _handing_on(scratch: Path, sizes: Sizes) -> Row:
    source = scratch / "output"
    make_tree(source, TreePlan(files=sizes.small_files, size=100, seed=9))
    store = ContentStore(scratch / "store-output")
    digest = store.adopt(source).digest
    places = _numbers(scratch)

    def hand_on() -> float:
        began = time.perf_counter()
        guard = store.guard(digest)
        next(places).symlink_to(store.content_path(digest))
        store.written_since(digest, guard)
        return time.perf_counter() - began

    def copy() -> float:
        place = next(places)
        seconds = timed(["cp", "-r", store.content_path(digest), place], scratch, own_environment(scratch / "home"))
        shutil.rmtree(place)
        return seconds

    contenders = [
        Contender("a link, and a look at each file before and after", "ours", hand_on, scope="call"),
        Contender("`cp -r`", "peer", copy, scope="call"),
    ]
    return Row(
        "hand-on",
        f"Hand an output of {sizes.small_files:,} files on to the next step",
        take_turns(contenders, min(3, sizes.repeats), sizes.budget_s),
    )


def _environment(scratch: Path, sizes: Sizes) -> Row:
    cache = scratch / "known"
    count = len(installed(read=KnownDistributions(cache).read).distributions)

    def ours() -> float:
        return _seconds(lambda: installed(read=KnownDistributions(cache).read))

    def theirs() -> float:
        return _seconds(lambda: [(one.metadata["Name"], one.version) for one in importlib.metadata.distributions()])

    contenders = [
        Contender("the call", "ours", ours, scope="call"),
        Contender("`importlib.metadata`, names and versions alone", "peer", theirs, scope="call"),
    ]
    return Row(
        "environment",
        f"Know what is installed in a step's interpreter: {count} distributions",
        take_turns(contenders, 3 * sizes.repeats, sizes.budget_s),
        "nothing changed",
    )


def _project(folder: Path, pipeline: str, step: str) -> Path:
    (folder / "code").mkdir(parents=True)
    (folder / ".scriptstep").mkdir(mode=0o700)
    (folder / "pipeline.py").write_text(pipeline)
    (folder / "code" / "step.py").write_text(step)
    return folder


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _numbers(folder: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        yield folder / f"made-{number}"
