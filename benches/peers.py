"""The peers: each in a virtual environment of its own under build/, or named as absent with the reason."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benches.measure import own_environment

# What is installed for a peer, and the command that says its version.
_PACKAGES = {
    "dvc": (["dvc"], ["bin/dvc", "--version"]),
    "snakemake": (["snakemake"], ["bin/snakemake", "--version"]),
    "azureml": (
        ["azureml-pipeline-steps", "setuptools<81"],
        ["bin/python", "-c", "import azureml.core; print(azureml.core.VERSION)"],
    ),
    "azure-ai-ml": (["azure-ai-ml"], ["bin/python", "-c", "import azure.ai.ml; print(azure.ai.ml.__version__)"]),
}


@dataclass
class Peers:
    """The peers that are there.

    Attributes:
        folder: Where the virtual environments are.
        versions: The version of each peer that runs.
        absent: Why each of the others does not.
    """

    folder: Path
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether a peer runs here."""
        return name in self.versions

    def program(self, name: str, program: str) -> Path:
        """The path of a program in a peer's environment."""
        return self.folder / name / "bin" / program


def find_peers(folder: Path, *, install: bool) -> Peers:
    """Find the peers, and install those that are missing.

    Args:
        folder: Where their virtual environments are, or are to be.
        install: Whether to install what is missing; without it that is absent.
    """
    peers = Peers(folder)
    git = shutil.which("git")
    if git is None:
        peers.absent["git"] = "no such program"
    else:
        peers.versions["git"] = _ask([git, "--version"], folder).removeprefix("git version ")
    _find_b3sum(peers, install=install)
    for name, (packages, command) in _PACKAGES.items():
        home = folder / name
        ask: list[str | Path] = [home / command[0], *command[1:]]
        version = _ask(ask, folder)
        if not version and install:
            print(f"bench: installing {name} into its own environment", file=sys.stderr, flush=True)
            reason = _install(home, packages)
            version = "" if reason else _ask(ask, folder)
            peers.absent[name] = reason or "installs, but does not start"
        elif not version:
            peers.absent[name] = "not installed"
        if version:
            peers.absent.pop(name, None)
            peers.versions[name] = version
    return peers


def _find_b3sum(peers: Peers, *, install: bool) -> None:
    """Finds b3sum, which comes from cargo."""
    home = peers.folder / "b3sum"
    program = peers.program("b3sum", "b3sum")
    if not program.exists() and install:
        print("bench: installing b3sum into its own folder", file=sys.stderr, flush=True)
        command = ["cargo", "install", "--quiet", "--locked", "--root", str(home), "b3sum"]
        subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if program.exists():
        peers.versions["b3sum"] = _ask([program, "--version"], peers.folder).removeprefix("b3sum ")
    else:
        peers.absent["b3sum"] = "not installed"


def _install(home: Path, packages: list[str]) -> str:
    """Install packages into a new environment; why it did not work, or nothing."""
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", "--clear", home],
        [home / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *packages],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            return f"does not install: {said[-1][:200]}"
    return ""


def _ask(command: list[str | Path], folder: Path) -> str:
    """The last line that a command says, or nothing where it does not run."""
    try:
        done = subprocess.run(
            command,
            env=own_environment(folder / "home"),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return ""
    said = done.stdout.strip().splitlines()
    return said[-1] if done.returncode == 0 and said else ""
