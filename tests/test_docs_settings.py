"""docs/settings.md shows every setting that there is, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from scriptstep.workspace.settings import Place, load_settings
from scriptstep.workspace.settings_file import _TABLES

_PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"


def shown() -> str:
    (block,) = re.findall(r"^```toml\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return str(block)


def test_the_file_that_the_page_shows_is_read(tmp_path: Path) -> None:
    file = tmp_path / "scriptstep.toml"
    file.write_text(shown(), encoding="utf-8")
    settings = load_settings(Place(tmp_path / ".scriptstep", file))
    assert settings.default_compute == "gpu-cluster"
    assert settings.environments["sklearn"].python == str(tmp_path / "venvs/sklearn/bin/python")


def test_every_key_stands_on_the_page() -> None:
    written: dict[str, str] = {}
    for table, body in re.findall(r"^\[(\w+)[^\]]*\][^\n]*\n(.*?)(?=^\[|\Z)", shown(), re.DOTALL | re.MULTILINE):
        written[table] = written.get(table, "") + body
    missing = [
        f"[{table}] {key}"
        for table, model in _TABLES.items()
        for key in model.model_fields
        if not re.search(rf"\b{key} = ", written.get(table, ""))
    ]
    assert missing == []
