"""tools/with_cargo.py: which Rust builds this project, on a machine that has none, an old one, or part of one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PIP = "import pathlib, sys; pathlib.Path(sys.prefix, 'pip.txt').open('a').write(' '.join(sys.argv[1:]) + '\\n')"
PUCCINIALIN = """
import json, os, pathlib, sys
if pathlib.Path(sys.prefix, "offline").exists():
    sys.exit("cannot download")
cargo = pathlib.Path(sys.prefix, "cache", "cargo")
said = {"env": {"CARGO_HOME": str(cargo), "RUSTUP_HOME": "r", "PATH": f"{cargo}/bin:{os.environ['PATH']}"}}
pathlib.Path(sys.argv[sys.argv.index("--info-json") + 1]).write_text(json.dumps(said))
"""


class Machine:
    """A machine in a folder: a project, a virtual environment, and on the search path what it is said to have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in ("cp", "sh", "true"):  # and nothing else: the machine that this runs on may have a cargo
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)
        (folder / "home").mkdir()
        (folder / "tools").mkdir()
        shutil.copy(ROOT / "tools" / "with_cargo.py", folder / "tools")
        shutil.copy(ROOT / "Cargo.toml", folder)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        for module, code in (("pip", PIP), ("puccinialin", PUCCINIALIN)):
            site = next((folder / "venv" / "lib").glob("python*/site-packages")) / module
            site.mkdir()
            (site / "__main__.py").write_text(code)
        self.brings("99.0.0")

    def has_rust(self, version: str, where: Path | None = None, *, components: str = "fmt clippy") -> None:
        """Put a cargo and a rustc of that version on the search path, or elsewhere."""
        folder = where or self.bin
        folder.mkdir(parents=True, exist_ok=True)
        has = f'case " {components} " in *" $1 "*) exit 0;; *) exit 1;; esac'
        cargo = f'if [ "$1" = --version ]; then echo "cargo {version} (x)"; else {has}; fi'
        self._program(folder / "cargo", cargo)
        self._program(folder / "rustc", f'echo "rustc {version} (x)"')

    def brings(self, version: str, *, components: str = "") -> None:
        """What puccinialin installs: a cargo without components, and a rustup that can add them."""
        folder = self.folder / "venv" / "cache" / "cargo" / "bin"
        self.has_rust(version, folder, components=components)
        self._program(folder / "rustup", f'echo "$@" >> {self.folder}/rustup.txt; cp {folder}/full {folder}/cargo')
        self._program(folder / "full", "exit 0")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run with_cargo.py there."""
        environment = {"PATH": str(self.bin), "HOME": str(self.folder / "home")}
        command = [self.folder / "venv" / "bin" / "python", self.folder / "tools" / "with_cargo.py", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @staticmethod
    def _program(path: Path, script: str) -> None:
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


SHOW = ("sh", "-c", 'echo "$CARGO_HOME"; cargo --version')


def test_the_machines_own_rust_is_used_where_it_is_new_enough(machine: Machine) -> None:
    machine.has_rust("98.0.0")
    done = machine.run(*SHOW)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\ncargo 98.0.0 (x)\n", "")


def test_a_rust_that_the_shell_does_not_know_of_yet_is_found(machine: Machine) -> None:
    machine.has_rust("98.0.0", machine.folder / "home" / ".cargo" / "bin")
    assert machine.run(*SHOW).stdout == "\ncargo 98.0.0 (x)\n"


def test_without_cargo_a_toolchain_is_brought_once(machine: Machine) -> None:
    first, second = machine.run(*SHOW), machine.run(*SHOW)
    assert first.returncode == 0, first.stderr
    assert "there is no cargo here: the package puccinialin brings" in first.stderr
    assert first.stdout == f"{machine.folder}/venv/cache/cargo\ncargo 99.0.0 (x)\n"
    assert (second.stdout, second.stderr) == (first.stdout, "")
    assert "install puccinialin" in (machine.folder / "venv" / "pip.txt").read_text()
    assert json.loads((machine.folder / "venv" / "stamps" / "toolchain.json").read_text())["env"]["RUSTUP_HOME"] == "r"


def test_an_old_rust_is_named_and_another_brought(machine: Machine) -> None:
    machine.has_rust("1.63.0")
    done = machine.run(*SHOW)
    assert "the Rust here is 1.63.0, and 1." in done.stderr
    assert done.stdout.endswith("cargo 99.0.0 (x)\n")


def test_a_toolchain_that_is_gone_is_brought_again(machine: Machine) -> None:
    machine.run(*SHOW)
    shutil.rmtree(machine.folder / "venv" / "cache")
    machine.brings("99.1.0")
    assert machine.run(*SHOW).stdout.endswith("cargo 99.1.0 (x)\n")


def test_where_none_can_be_brought_the_error_says_what_to_do(machine: Machine) -> None:
    (machine.folder / "venv" / "offline").touch()
    done = machine.run(*SHOW)
    assert done.returncode == 1
    assert "error: no Rust toolchain could be brought\nhelp: install Rust 1." in done.stderr


def test_a_missing_component_is_named(machine: Machine) -> None:
    machine.has_rust("98.0.0", components="fmt")
    assert machine.run("--component", "rustfmt", "true").returncode == 0
    done = machine.run("--component", "clippy", "true")
    assert done.returncode == 1
    assert "error: this Rust toolchain has no clippy" in done.stderr
    assert "help: rustup component add clippy" in done.stderr


def test_a_brought_toolchain_is_completed(machine: Machine) -> None:
    done = machine.run("--component", "clippy", "true")
    assert done.returncode == 0, done.stderr
    assert (machine.folder / "rustup.txt").read_text() == "component add clippy\n"


def test_the_commands_own_exit_code_comes_back(machine: Machine) -> None:
    machine.has_rust("98.0.0")
    assert machine.run("sh", "-c", "exit 7").returncode == 7
