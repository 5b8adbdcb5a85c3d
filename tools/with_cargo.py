"""Run a command with a Rust toolchain that can build this project.

    python tools/with_cargo.py [--component NAME] COMMAND [ARGUMENT ...]

The Rust of the machine is used where it is new enough (Cargo.toml's rust-version). Otherwise the package puccinialin
brings one into the user's cache folder, as maturin's build backend does by itself in a bare `pip install .`.
`--component` names what COMMAND needs besides cargo and rustc, for a toolchain may come without rustfmt and clippy:
one that was brought is completed, for another the message says what to do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUBCOMMANDS = {"rustfmt": "fmt", "clippy": "clippy"}


def needed_version() -> tuple[int, ...]:
    """The oldest Rust that builds this project, as Cargo.toml says."""
    found = re.search(r'^rust-version\s*=\s*"([\d.]+)"', (ROOT / "Cargo.toml").read_text("utf-8"), re.MULTILINE)
    if found is None:
        sys.exit("error: Cargo.toml names no rust-version")
    return tuple(int(part) for part in found[1].split("."))


def version_of(path: str) -> tuple[int, ...] | None:
    """The version of the Rust that is found on this search path, or None where none runs."""
    versions = []
    for tool in ("cargo", "rustc"):
        program = shutil.which(tool, path=path)
        if program is None:
            return None
        answer = subprocess.run(
            [program, "--version"],
            env={**os.environ, "PATH": path},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.match(rf"{tool} (\d+)\.(\d+)\.(\d+)", answer.stdout)
        if found is None:
            return None
        versions.append(tuple(int(part) for part in found.groups()))
    return min(versions)


def own_toolchain() -> tuple[dict[str, str] | None, str]:
    """The environment in which this machine's Rust is found, or None; and why not, in words."""
    searched = os.environ.get("PATH", os.defpath)
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "bin"
    too_old = None
    # The second: rustup was installed, and the shell has not read its profile since.
    for path in (searched, f"{home}{os.pathsep}{searched}"):
        version = version_of(path)
        if version is not None and version >= needed_version():
            return {"PATH": path}, ""
        too_old = too_old or version
    if too_old is None:
        return None, "there is no cargo here"
    return None, f"the Rust here is {_dotted(too_old)}, and {_dotted(needed_version())} is needed"


def brought_toolchain(why: str) -> dict[str, str]:
    """Let puccinialin install a toolchain, or find the one that it installed before; its environment."""
    said = Path(sys.prefix) / "stamps" / "toolchain.json"
    if said.is_file():
        environment = _environment(said.read_text("utf-8"))
        if version_of(environment["PATH"]) is not None:
            return environment
    print(f"{why}: the package puccinialin brings a Rust toolchain into your cache folder", file=sys.stderr, flush=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "puccinialin>=0.1.14"]
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "toolchain.json"
        bring = [sys.executable, "-m", "puccinialin", "--info-json", str(answer)]
        if any(subprocess.run(command, check=False).returncode for command in (pip, bring)):
            least = _dotted(needed_version())
            sys.exit(f"error: no Rust toolchain could be brought\nhelp: install Rust {least} or newer, then run again")
        text = answer.read_text("utf-8")
    said.parent.mkdir(parents=True, exist_ok=True)
    said.write_text(text, "utf-8")
    return _environment(text)


def _environment(text: str) -> dict[str, str]:
    """The variables in puccinialin's answer; of its PATH only what it put before the one it saw."""
    variables: dict[str, str] = json.loads(text)["env"]
    first = variables["PATH"].split(os.pathsep)[0]
    return {**variables, "PATH": f"{first}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def need_component(component: str, environment: dict[str, str], *, brought: bool) -> None:
    """Stop unless the toolchain has the component; one that we brought is completed first."""

    def runs(*command: str) -> bool:
        return not subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=False).returncode

    def there() -> bool:
        return runs(shutil.which("cargo", path=environment["PATH"]) or "cargo", SUBCOMMANDS[component], "--version")

    if there():
        return
    rustup = shutil.which("rustup", path=environment["PATH"])
    if brought and rustup:
        print(f"the toolchain has no {component} yet: adding it", file=sys.stderr, flush=True)
        if runs(rustup, "component", "add", component) and there():
            return
    sys.exit(
        f"error: this Rust toolchain has no {component}, so the Rust code cannot be checked or formatted\n"
        f"help: rustup component add {component} (or the package of your system that brings it)"
    )


def main(arguments: list[str]) -> None:
    """Read the arguments, find or bring the toolchain, and become COMMAND."""
    component = None
    if arguments[:1] == ["--component"]:
        component, arguments = arguments[1], arguments[2:]
    if not arguments:
        sys.exit(__doc__)
    own, why = own_toolchain()
    environment = {**os.environ, **(own or brought_toolchain(why))}
    if component is not None:
        need_component(component, environment, brought=own is None)
    os.execvpe(arguments[0], arguments, environment)


if __name__ == "__main__":
    main(sys.argv[1:])
