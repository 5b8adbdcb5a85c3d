"""README.md and docs: their code runs, their commands exist, and what they show is what comes out.

A page's blocks are taken in order, in a folder of the page's own:

- `python` that opens with a comment of a path (`# train/train.py`) is written to that file, other `python` is run;
- `toml` is parsed, and written to the file that its first comment names;
- `console` is a session: each `$ command` is run, and what stands below it must come out. Times and the ids of runs are
  taken for what they are; a line of `...` stands for any lines. `make demo` stands for the demo itself, and what
  installs something is not run: the verbs of make are looked up in the Makefile.

Other blocks are only shown.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib
from test_examples import demo_output

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benches" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
INSTALLS = re.compile(r"(sudo |python3? -m )?(pip|git clone|cd|apt|apt-get)\b")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, and the line that it begins at."""

    language: str
    text: str
    line: int

    @property
    def path(self) -> str | None:
        """The file that it is, where its first line says so."""
        named = re.match(r"# ([\w./-]+\.(?:py|toml|json))\s*$", self.text.splitlines()[0] if self.text else "")
        return named[1] if named else None


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    for match in re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        yield Block(match[1], match[2], page.read_text("utf-8")[: match.start()].count("\n") + 1)


def pages(language: str) -> list[Path]:
    """The pages that have blocks in a language."""
    return [page for page in PAGES if page.is_file() and any(block.language == language for block in blocks(page))]


def masked(text: str) -> list[str]:
    """The lines of an output, with what differs from one run to the next taken out, spaces made one."""
    text = re.sub(r"\b\d+(\.\d+)? (s|ms|us|m \d+ s)\b", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "ID", text)
    text = re.sub(r"\brun [0-9a-f]{4,}\b", "run ID", text)
    text = re.sub(r"\bin TIME; TIME saved|\bin TIME", "in TIME", text)
    text = re.sub(r"\b\d+ at once\b", "N at once", text)
    text = text.replace("TIME to TIME", "TIME")
    text = re.sub(r"\baccepted by \S+", "accepted by NAME", text)
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if line.strip()]


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether a session's lines are what was printed; `...` stands for any lines."""
    pattern = "".join("(?:.*\n)*?" if line == "..." else re.escape(line) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None


def sessions(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a session, each with what is shown below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def environment(tmp_path: Path) -> dict[str, str]:
    """What a user's shell has with .venv active, and no state but the page's own."""
    (tmp_path / ".scriptstep").mkdir(mode=0o700)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(tmp_path), "LANG": "C.UTF-8", "NO_COLOR": "1", "PATH": path}


def test_there_is_a_readme_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "make demo" in text
    assert "make test" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_verb_and_every_link_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony is not None
    code = "\n".join(re.findall(r"`make [^`]*`|^(?: {4}|\$ )make [^\n]*", text, re.MULTILINE))
    verbs = [word for call in re.findall(r"make ((?:[a-z]+ ?)+)", code) for word in call.split()]
    assert set(verbs) <= set(phony[1].split()), verbs
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_file()], ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    shell = environment(tmp_path)
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.language == "toml":
            tomllib.loads(block.text)
        if block.language in {"toml", "python", "json"} and block.path:
            (tmp_path / block.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.path).write_text(block.text, "utf-8")
        elif block.language == "python":
            done = subprocess.run(
                [sys.executable, "-c", block.text], cwd=tmp_path, env=shell, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{where}\n{done.stderr}"
        elif block.language == "console":
            for command, shown in sessions(block):
                check_session(command, shown, where, tmp_path, shell)


def check_session(command: str, shown: str, where: str, folder: Path, shell: dict[str, str]) -> None:
    """Run a command of a page, and compare what it prints with what the page shows."""
    if command == "make demo":
        printed = demo_output()
    elif command.startswith("make ") or INSTALLS.match(command):
        return
    else:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=shell,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        printed = done.stdout
    assert agrees(masked(shown), masked(printed)), f"{where}: $ {command}\n--- printed:\n{printed}\n--- shown:\n{shown}"


PRINTED = """\
diabetes, run 7f3a: 2 steps, 4 at once
  a   ran      1.2 s   first run
  b   reused           saved 3 s, from run 11aa
1 ran, 1 reused in 1.3 s; 3 s saved
"""


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        (PRINTED, True),
        (re.sub(r"7f3a|11aa", "0123456", PRINTED).replace("1.2 s", "2 m 10 s").replace("4 at", "2 at"), True),
        ("diabetes, run 1234: 2 steps, 2 at once\n...\n1 ran, 1 reused in 9 s; 1 s saved\n", True),
        (PRINTED.replace("reused  ", "ran     "), False),
        (PRINTED.replace("first run", "train.py changed"), False),
        ("...\n2 ran in 9 s\n", False),
        (PRINTED + "more\n", False),
    ],
)
def test_what_is_shown_is_compared_and_not_only_looked_at(shown: str, same: bool) -> None:
    assert agrees(masked(shown), masked(PRINTED)) is same
