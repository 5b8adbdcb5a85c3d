"""What is secret is hidden wherever it stands, and what is not is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scriptstep import CommandStep, Pipeline, PipelineParameter
from scriptstep.engine.masking import Mask, secret_names, without_secrets

CANARY = "correct-horse-battery"
EMPTY: dict[str, Any] = {
    "script": "main.py",
    "arguments": [],
    "params": {},
    "parameters": {},
    "variables": {},
    "inherited": {},
    "environment": {},
}


def text(*words: str) -> list[list[list[str]]]:
    return [[["text", word]] for word in words]


@pytest.fixture
def mask(tmp_path: Path) -> Mask:
    return Mask(tmp_path, ("CONNECTION",))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("arguments", text("--api-key", CANARY)),
        ("arguments", text(f"--password={CANARY}")),
        ("arguments", [[["text", "--token="], ["text", CANARY]]]),
        ("params", {"client_secret": ["text", CANARY]}),
        ("parameters", {"access_token": ["str", CANARY]}),
        ("variables", {"DB_PASSWORD": CANARY, "CONNECTION": CANARY}),
        ("inherited", {"AWS_SECRET_ACCESS_KEY": CANARY}),
        ("environment", {"docker": {"registry": {"password": CANARY}}}),
    ],
)
def test_a_value_whose_name_speaks_of_a_secret(part: str, value: Any, mask: Mask) -> None:
    document = {**EMPTY, part: value}
    hidden = mask.document(document)
    assert CANARY not in str(hidden) and secret_names(hidden)
    assert mask.document(hidden) == hidden
    # Equal secrets are equal, others are not; elsewhere none is compared.
    assert mask.document(document) == hidden
    assert CANARY not in str(without_secrets(hidden))


@pytest.mark.parametrize("flag", [["--password"], ["--password="]])
def test_a_parameter_that_stands_where_a_secret_is_wanted(flag: list[str], mask: Mask) -> None:
    parameter = ["parameter", "pw"]
    arguments = [[["text", flag[0]], parameter]] if flag[0].endswith("=") else [*text(*flag), [parameter]]
    hidden = mask.document({**EMPTY, "arguments": arguments, "parameters": {"pw": ["str", CANARY]}})
    assert CANARY not in str(hidden)
    handed = {**EMPTY, "params": {"api_key": parameter}, "parameters": {"pw": ["str", CANARY]}}
    assert CANARY not in str(mask.document(handed))


@pytest.mark.parametrize(
    "line",
    [
        f"train --token {CANARY} --depth 3",
        f"train --token={CANARY}",
        f"API_KEY={CANARY} train --depth 3",
        f"train --quiet --password '{CANARY} and more'",
        f'echo a && curl --api-key "{CANARY}" b',
    ],
)
def test_a_secret_in_a_line_of_shell(line: str, mask: Mask) -> None:
    hidden = mask.document({**EMPTY, "script": ["command", "line"], "arguments": text(line)})
    assert CANARY not in str(hidden) and len(secret_names(hidden)) == 1


def test_a_parameter_after_a_flag_in_a_line(mask: Mask) -> None:
    line = [[["text", "train --token "], ["parameter", "t"], ["text", " --depth 3"]]]
    document = {**EMPTY, "script": ["command", "line"], "arguments": line, "parameters": {"t": ["str", CANARY]}}
    assert CANARY not in str(mask.document(document))


@pytest.mark.parametrize(
    "document",
    [
        {**EMPTY, "arguments": text("--depth", "3", "--name=x", "token", "")},
        {**EMPTY, "arguments": text("--api-key", "--depth", "3")},
        {**EMPTY, "script": ["command", "line"], "arguments": text("python train.py --depth 3 && echo done")},
        {**EMPTY, "variables": {"MODE": "fast"}, "params": {"kind": ["text", "a"]}, "parameters": {"n": ["int", "3"]}},
    ],
)
def test_what_is_not_secret_is_left_alone(document: dict[str, Any], mask: Mask) -> None:
    assert mask.document(document) == document


def test_a_command_is_explained_without_its_secret(ws: Any, run: Any, project: Path, home: Path) -> None:
    (project / "src").mkdir()

    def step(secret: str) -> CommandStep:
        word = PipelineParameter("word", secret)
        return CommandStep(command=["true", "--password", word], name="one", source_directory="src")

    run(step(CANARY))
    found = Pipeline(ws, [step(CANARY + "-2")]).plan().explain("one")
    assert found.differences and CANARY not in str(found) + str(found.to_json())
    assert not [p for p in home.rglob("*") if p.is_file() and not p.is_symlink() and CANARY.encode() in p.read_bytes()]
