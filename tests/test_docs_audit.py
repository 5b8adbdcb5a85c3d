"""docs/audit.md shows what an audit tells, and lists every place of the system that is no finding."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import RunConfiguration
from scriptstep.engine.auditing.places import _SYSTEM
from scriptstep.run.submission import AuditMode

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "audit.md").read_text(encoding="utf-8")


def test_every_place_of_the_system_stands_on_the_page_and_no_other() -> None:
    (block,) = re.findall(r"alone:\n\n```\n(.*?)```", PAGE, re.DOTALL)
    listed: list[str] = []
    for line in block.splitlines():
        folder, colon, names = line.partition(": ")
        listed += [f"{folder}/{name}" for name in names.split()] if colon else line.split()
    assert sorted(listed) == sorted(_SYSTEM)


def test_what_the_page_shows_is_what_is_told(
    make_step: Callable[..., Any],
    run: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (script,) = re.findall(r"count\.py`:\n\n```\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"pipeline\.py\n(warning: .*?)  count  ", PAGE, re.DOTALL)
    (tmp_path / "home" / "tools").mkdir(parents=True)
    (tmp_path / "home" / "tools" / "wording.py").write_text("UNIT = 'words'")
    words = tmp_path / "words.txt"
    words.write_text("one two")
    runconfig = RunConfiguration()
    runconfig.environment_variables = {"HOME": str(tmp_path / "home")}
    monkeypatch.chdir(tmp_path)
    code = script.replace("/data/words.txt", str(words))
    mode: AuditMode = "report"
    run(make_step("count", code, script_name="count.py", runconfig=runconfig), audit=mode)
    told = capfd.readouterr().err.replace("home/tools", "~/tools").replace("opened    words", "opened    /data/words")
    assert shown in told
