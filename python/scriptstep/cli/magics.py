"""What magics and shell lines of a notebook do here. What would install is skipped, and said."""

from __future__ import annotations

import os
import re
import shutil
import string
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from scriptstep.cli.cells import CellMagic
from scriptstep.console import emit, notice
from scriptstep.console.plain import write
from scriptstep.engine.executors.shell import run_shell
from scriptstep.errors import UserErrorException

__all__ = ["Shell", "expanded", "installs"]

_PYTHON = r"(?:python[\d.]*|\{?sys\.executable\}?|\S*/python[\d.]*)\s+-m\s+"
_INSTALLER = re.compile(
    rf"""\s*(?:sudo\s+|[A-Z_]+=\S*\s+|"|')*(?:{_PYTHON})?(?:
        (?:pip[\d.]*|easy_install|conda|mamba|micromamba|npm|yum|dnf|brew|apk|R)\s+(?:\S+\s+)*?
            (?:install|uninstall|remove|update|upgrade|create|env|config|add|download|wheel)\b
        | (?:az|apt|apt-get|aptitude|dpkg|snap)\b
    )""",
    re.VERBOSE,
)
_NO_USE = (
    "matplotlib load_ext reload_ext unload_ext autoreload config colors precision pprint xmode alias alias_magic "
    "history hist logstart logstop logon logoff who whos who_ls lsmagic magic quickref doctest_mode pinfo pinfo2 pdoc "
    "pfile psource page pdb debug automagic autosave notebook gui reset_selective store unalias tb killbgscripts"
)
_IGNORED = frozenset(_NO_USE.split())
_PROGRAMS = "ls ll la cp mv rm mkdir rmdir cat touch head tail more less man echo find grep wget curl tar"
_SHELL_WORDS = frozenset(_PROGRAMS.split())
_SHELL_CELLS = {"bash": "bash", "sh": "/bin/sh", "!": "/bin/sh", "sx": "/bin/sh", "system": "/bin/sh"}


def installs(command: str) -> bool:
    """Tells whether a line of shell would install something, or talk to the cloud.

    Args:
        command: The line.

    Returns:
        True where any of its parts would.
    """
    return any(_INSTALLER.match(part) for part in re.split(r"&&|\|\||[;|\n]", command))


class _Formatter(string.Formatter):
    """Fills `{expression}` in, evaluated where the line stands."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        return eval(field_name, dict(kwargs)), field_name


_DOLLAR = re.compile(r"\$(\$|[A-Za-z_]\w*(?:\.\w+)*)")


def expanded(text: str, names: dict[str, Any]) -> str:
    """Fills `{expression}` and `$name` in, as IPython does; where one cannot be, the text stays for the shell.

    Args:
        text: A line.
        names: What the user's names stand for.

    Returns:
        The line.
    """
    with suppress(Exception):  # the braces may be the shell's, or JSON
        text = _Formatter().vformat(text, (), names) if "{" in text else text

    def fill(found: re.Match[str]) -> str:
        if found[1] == "$":
            return "$"
        try:
            return str(eval(found[1], dict(names)))
        except Exception:
            return found[0]

    return _DOLLAR.sub(fill, text)


class Shell:
    """Answers `get_ipython()` in the cells of a notebook.

    Args:
        names: The notebook's names.
        run_file: Runs a script or another notebook among these names: `%run`.
    """

    def __init__(self, names: dict[str, Any], run_file: Callable[[Path, list[str]], None]) -> None:
        self.user_ns = names
        self._run_file = run_file

    # --- shell lines

    def system(self, command: str) -> None:
        """Runs a shell line; its exit code is told where it is not 0."""
        self._shell(expanded(command, _names(sys._getframe(1))))

    def getoutput(self, command: str) -> list[str]:
        """Returns: the lines that a shell line prints."""
        command = expanded(command, _names(sys._getframe(1)))
        if self._skipped(command):
            return []
        return run_shell(command)[1].splitlines()

    def _shell(self, command: str, program: str = "/bin/sh") -> int:
        if not command.strip() or self._skipped(command):
            return 0
        code, _ = run_shell(command, program=program, on_output=lambda text: write(sys.stdout, text))
        self.user_ns["_exit_code"] = code
        if code:
            notice(f"exit code {code}: ! {command.strip()}", level="warning", once=False)
        return code

    def _skipped(self, command: str) -> bool:
        if not installs(command):
            return False
        first = command.strip().split("\n")[0]
        notice(f"skipped, for it would install or change this machine: ! {first}", once=False)
        return True

    # --- magics

    def run_line_magic(self, name: str, line: str, _stack_depth: int = 1) -> Any:
        """Does what a line magic does, or says that it is skipped."""
        names = _names(sys._getframe(_stack_depth))
        if name in _IGNORED:
            return None
        if name in ("pip", "conda", "mamba") or name in _SHELL_WORDS or name in ("system", "sx", "sc"):
            command = line if name in ("system", "sx", "sc") else f"{name} {line}"
            self._shell(expanded(command, names))
            return None
        line = expanded(line, names).strip()
        if name == "cd":
            return self._change_folder(line)
        if name == "pwd":
            return os.getcwd()
        if name in ("env", "set_env"):
            return self._environment(line)
        if name == "run":
            return self._run(line)
        notice(f"skipped: %{name} means nothing outside of a notebook server")
        return None

    def magic(self, line: str) -> Any:
        """Does what a line magic does; the old spelling."""
        name, _, rest = line.lstrip("%").partition(" ")
        return self.run_line_magic(name, rest, 2)

    def run_cell_magic(self, name: str, line: str, cell: str) -> Any:
        """Does what a cell magic does that is not Python, or says that it is skipped."""
        self.cell(CellMagic(name, line, cell), _names(sys._getframe(1)))

    def cell(self, magic: CellMagic, names: dict[str, Any] | None = None) -> None:
        """Does what a whole cell asks for that is not Python, or says that it is skipped.

        Args:
            magic: The cell.
            names: What names in its first line stand for.

        Raises:
            UserErrorException: A file to be written has no name.
        """
        line = expanded(magic.line, self.user_ns if names is None else names)
        if magic.name in ("writefile", "file"):
            self._write_file(line, magic.body)
        elif magic.name in _SHELL_CELLS or magic.name == "script":
            program = _SHELL_CELLS.get(magic.name) or (line.split() or ["/bin/sh"])[0]
            found = shutil.which(program)
            if found is None:
                notice(f"skipped: %%{magic.name}, for there is no {program} here", level="warning")
            else:
                kept = "\n".join(part for part in magic.body.split("\n") if not self._skipped(part))
                self._shell(kept, found)
        else:
            notice(f"skipped: a cell of %%{magic.name}, which means nothing outside of a notebook server")

    def _write_file(self, line: str, body: str) -> None:
        append = bool(re.match(r"(-a|--append)\s", line))
        name = re.sub(r"^(-a|--append)\s+", "", line).strip().strip("\"'")
        if not name:
            raise UserErrorException("%%writefile needs the name of a file")
        path = Path(os.path.expanduser(name))
        told = "Appending to" if append else "Overwriting" if path.exists() else "Writing"
        with path.open("a" if append else "w", encoding="utf-8", newline="") as file:
            file.write(body if body.endswith("\n") or not body else body + "\n")
        emit(f"{told} {name}")

    def _change_folder(self, line: str) -> str:
        target = os.path.expanduser(line.strip("\"'") or "~")
        if target == "-":
            target = str(self.user_ns.get("_previous_folder", "."))
        self.user_ns["_previous_folder"] = os.getcwd()
        os.chdir(target)
        emit(os.getcwd())
        return os.getcwd()

    def _environment(self, line: str) -> Any:
        if not line:
            return dict(os.environ)
        name, equals, value = line.partition("=")
        if not equals:
            name, _, value = line.partition(" ")
            if not value:
                return os.environ.get(name)
        os.environ[name.strip()] = value.strip().strip("\"'")
        emit(f"env: {name.strip()}={value.strip()}")
        return None

    def _run(self, line: str) -> None:
        import shlex

        words = shlex.split(line)
        while words and words[0].startswith("-"):
            words.pop(0)
        if not words:
            raise UserErrorException("%run needs a file")
        self._run_file(Path(os.path.expanduser(words[0])), words[1:])


def _names(frame: FrameType) -> dict[str, Any]:
    return {**frame.f_globals, **frame.f_locals}
