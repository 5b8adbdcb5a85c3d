"""docs/python_script_step.md has a row for each parameter, and each row's tests are there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from scriptstep import PythonScriptStep

HERE = Path(__file__).parent
PAGE = (HERE.parent / "docs" / "python_script_step.md").read_text(encoding="utf-8")
ROWS = {
    match[1]: re.findall(r"`(test_\w+\.py)::(test_\w+)`", match[0])
    for match in re.finditer(r"^\| `(\w+)` \|.*$", PAGE, re.MULTILINE)
}


def test_there_is_a_row_for_each_parameter() -> None:
    parameters = list(inspect.signature(PythonScriptStep.__init__).parameters)[1:]
    assert list(ROWS) and set(ROWS) == set(parameters)


@pytest.mark.parametrize("parameter", sorted(ROWS))
def test_the_tests_of_a_row_are_there_and_use_the_parameter(parameter: str) -> None:
    assert ROWS[parameter]
    for file, test in ROWS[parameter]:
        text = (HERE / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {test}\(", text, re.MULTILINE), f"{parameter}: there is no {file}::{test}"
