"""The same two pipelines, written down for each tool: a chain, and a fan of steps that know nothing of each other."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benches.measure import own_environment, timed
from benches.peers import Peers

# What a step of the chain does: read what the one before wrote, write a little more.
_CHAIN_STEP = """\
import sys
from pathlib import Path

*sources, target = map(Path, sys.argv[1:])
target.write_text("".join(source.read_text() for source in sources) + ".")
"""
_OUR_CHAIN = """\
from azureml.core import Experiment, Workspace
from azureml.core.runconfig import RunConfiguration
from azureml.pipeline.core import Pipeline, PipelineData
from azureml.pipeline.steps import PythonScriptStep

ws = Workspace.from_config()
runconfig = RunConfiguration()
runconfig.environment.python.user_managed_dependencies = True
last = []
for number in range({steps}):
    written = PipelineData(f"o{{number}}")
    step = PythonScriptStep(
        name=f"s{{number}}",
        script_name="step.py",
        source_directory="code",
        arguments=[*last, written],
        inputs=last,
        outputs=[written],
        runconfig=runconfig,
    )
    last = [written]
Experiment(ws, "bench").submit(Pipeline(ws, [step])).wait_for_completion(show_output=False)
"""
_OUR_FAN = """\
from azureml.core import Experiment, Workspace
from azureml.pipeline.core import Pipeline
from azureml.pipeline.steps import PythonScriptStep

ws = Workspace.from_config()
steps = [
    PythonScriptStep(name=f"s{{n}}", script_name="step.py", source_directory="code", arguments=[n])
    for n in range({steps})
]
Experiment(ws, "bench").submit(Pipeline(ws, steps)).wait_for_completion(show_output=False)
"""


@dataclass(frozen=True)
class Project:
    """A pipeline of one tool, ready to run.

    Attributes:
        folder: Where it is.
        command: What runs it.
        environment: All of its environment.
        says_nothing_to_do: What the command says where nothing had to run.
    """

    folder: Path
    command: tuple[str | Path, ...]
    environment: Mapping[str, str]
    says_nothing_to_do: str

    def run(self) -> float:
        """Run the pipeline; the seconds that it took."""
        return timed(self.command, self.folder, self.environment, unexpected=self.says_nothing_to_do)

    def run_with_nothing_to_do(self) -> float:
        """Run it once more; the seconds that it took to find that nothing has to run."""
        return timed(self.command, self.folder, self.environment, expect=self.says_nothing_to_do)


class Ours:
    """scriptstep, from the shell.

    Attributes:
        most_steps: As many steps as it can be asked for.
    """

    label = "scriptstep"
    most_steps = 1_000_000

    def chain(self, folder: Path, steps: int) -> Project:
        """Steps that each read what the one before wrote."""
        return self._project(folder, steps, _OUR_CHAIN, _CHAIN_STEP)

    def fan(self, folder: Path, steps: int) -> Project:
        """Steps that know nothing of each other."""
        return self._project(folder, steps, _OUR_FAN, "")

    def chain_that_ran(self, folder: Path, steps: int) -> Project:
        """The chain with what its run would leave."""
        return self._recorded(self.chain(folder, steps))

    def fan_that_ran(self, folder: Path, steps: int) -> Project:
        """The fan with what its run would leave."""
        return self._recorded(self.fan(folder, steps))

    def _recorded(self, project: Project) -> Project:
        environment = {**project.environment, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
        command = (sys.executable, "-m", "benches.recorded", "pipeline.py")
        timed(command, project.folder, environment, unexpected=project.says_nothing_to_do)
        return project

    def _project(self, folder: Path, steps: int, pipeline: str, step: str) -> Project:
        _write(folder, {"pipeline.py": pipeline.format(steps=steps), "code/step.py": step})
        (folder / ".scriptstep").mkdir(mode=0o700)
        command = (Path(sys.executable).parent / "scriptstep", "run", "pipeline.py")
        return Project(folder, command, own_environment(folder.parent / "home"), f"{steps:,} reused")


class Dvc:
    """DVC's stages, which it runs one after the other.

    Attributes:
        most_steps: From there on it takes minutes to find that nothing has to run.
    """

    label = "DVC, `dvc repro`"
    most_steps = 1_000

    def __init__(self, peers: Peers) -> None:
        self._program = peers.program("dvc", "dvc")

    def chain(self, folder: Path, steps: int) -> Project:
        """Stages that each read what the one before wrote."""
        lines = ["stages:"]
        for number in range(steps):
            sources = [f"o{number - 1}.txt"] if number else []
            lines += [f"  s{number}:", f"    cmd: {sys.executable} step.py {' '.join(sources)} o{number}.txt"]
            lines += [f"    deps: [{', '.join(['step.py', *sources])}]", f"    outs: [o{number}.txt]"]
        return self._project(folder, lines, _CHAIN_STEP)

    def fan(self, folder: Path, steps: int) -> Project:
        """Stages that know nothing of each other."""
        lines = ["stages:"]
        for number in range(steps):
            lines += [f"  s{number}:", f"    cmd: {sys.executable} step.py {number}", "    deps: [step.py]"]
        return self._project(folder, lines, "")

    def chain_that_ran(self, folder: Path, steps: int) -> Project:
        """The chain, after its run."""
        project = self.chain(folder, steps)
        project.run()
        return project

    def fan_that_ran(self, folder: Path, steps: int) -> Project:
        """The fan with the lock file that its run would leave: a thousand stages would run for a quarter of an hour."""
        project = self.fan(folder, steps)
        digest = hashlib.md5(b"", usedforsecurity=False).hexdigest()
        lines = ["schema: '2.0'", "stages:"]
        for number in range(steps):
            lines += [
                f"  s{number}:",
                f"    cmd: {sys.executable} step.py {number}",
                "    deps:",
                "    - path: step.py",
            ]
            lines += ["      hash: md5", f"      md5: {digest}", "      size: 0"]
        _write(folder, {"dvc.lock": "\n".join(lines) + "\n"})
        return project

    def _project(self, folder: Path, lines: list[str], step: str) -> Project:
        _write(folder, {"dvc.yaml": "\n".join(lines) + "\n", "step.py": step})
        environment = own_environment(
            folder.parent / "home", DVC_NO_ANALYTICS="1", DVC_SITE_CACHE_DIR=str(folder / ".dvc-site")
        )
        timed([self._program, "init", "--no-scm", "--quiet"], folder, environment)
        timed([self._program, "config", "core.check_update", "false"], folder, environment)
        return Project(folder, (self._program, "repro"), environment, "Data and pipelines are up to date.")


class Snakemake:
    """Snakemake's jobs, which it knows by the files that they write.

    Attributes:
        most_steps: From there on it takes minutes to find that nothing has to run.
    """

    label = "Snakemake"
    most_steps = 10_000

    def __init__(self, peers: Peers) -> None:
        self._program = peers.program("snakemake", "snakemake")

    def chain(self, folder: Path, steps: int) -> Project:
        """Rules that each read what the one before wrote."""
        rules = [f"rule all:\n    input: 'o{steps - 1}.txt'\n"]
        for number in range(steps):
            source = f"o{number - 1}.txt" if number else ""
            needs = f"'step.py', source='{source}'" if source else "'step.py'"
            rules.append(
                f"rule s{number}:\n    input: {needs}\n    output: 'o{number}.txt'\n"
                f"    shell: '{sys.executable} step.py {source} {{output}}'\n"
            )
        return self._project(folder, "\n".join(rules), _CHAIN_STEP)

    def fan(self, folder: Path, steps: int) -> Project:
        """Jobs that know nothing of each other."""
        rules = (
            f"rule all:\n    input: expand('out/{{n}}', n=range({steps}))\n\n"
            "rule s:\n    input: 'step.py'\n    output: touch('out/{n}')\n"
            f"    shell: '{sys.executable} step.py {{wildcards.n}}'\n"
        )
        return self._project(folder, rules, "")

    def chain_that_ran(self, folder: Path, steps: int) -> Project:
        """The chain, after its run."""
        project = self.chain(folder, steps)
        project.run()
        return project

    def fan_that_ran(self, folder: Path, steps: int) -> Project:
        """The fan with the files that its run would leave, which Snakemake is told to take for its own."""
        project = self.fan(folder, steps)
        (folder / "out").mkdir()
        for number in range(steps):
            (folder / "out" / str(number)).touch()
        timed([*project.command, "--touch"], folder, project.environment)
        return project

    def _project(self, folder: Path, rules: str, step: str) -> Project:
        _write(folder, {"Snakefile": rules, "step.py": step})
        command = (self._program, "--cores", "all")
        return Project(folder, command, own_environment(folder.parent / "home"), "Nothing to be done")


Tool = Ours | Dvc | Snakemake


def tools(peers: Peers) -> list[Tool]:
    """Ours, and the peers that are there."""
    found: list[Tool] = [Ours()]
    if peers.has("snakemake"):
        found.append(Snakemake(peers))
    if peers.has("dvc"):
        found.append(Dvc(peers))
    return found


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
