"""What looks like a secret is kept as a digest under a key of this workspace, never as itself."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from scriptstep.content import digest_bytes
from scriptstep.engine.key import Document

__all__ = ["HIDDEN", "Mask", "secret_names", "without_secrets"]

# What stands for a secret wherever one would be shown.
HIDDEN = "(secret)"

_SECRET = re.compile(r"KEY|TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIAL", re.IGNORECASE)
_NAMED = r"(?<![\w-])(?:--?(?P<flag>[A-Za-z][\w.-]*)(?:=|\s+)|(?P<variable>[A-Za-z_]\w*)=)"
# Compiled when a line of shell has to be read.
_IN_LINE = _NAMED + r"(?P<value>(?!-)(?:\"[^\"]*\"|'[^']*'|[^\s\"'])+)"
_AT_END = _NAMED + r"[\"']?\Z"
_FLAG = re.compile(r"--?([A-Za-z][\w.-]*)(=|\Z)")


class Mask:
    """Hides values whose names speak of secrets: of variables, parameters, arguments and parts of an environment.

    Args:
        home: The state folder, which holds the masking key.
        marked: Names that are secret whatever they say.
    """

    def __init__(self, home: Path, marked: Collection[str] = ()) -> None:
        self._place = home / "masking-key"
        self._marked = frozenset(marked)
        self._key: bytes | None = None

    def document(self, document: Document) -> Document:
        """Returns: the document as it is kept with a result; its key comes from the true values.

        One that was hidden before stays as it is.
        """
        hidden = {part: self._named(document[part]) for part in ("variables", "inherited", "environment")}
        is_line = document["script"] == ["command", "line"]
        arguments, handed = self._arguments(document["arguments"], is_line)
        params = {name: self._pair(name, value) for name, value in document["params"].items()}
        # A parameter that stands where a secret is wanted is one, whatever its name.
        handed |= {v[1] for n, v in document["params"].items() if v[0] == "parameter" and self._is_secret(n)}
        parameters = {name: self._pair(name, v, name in handed) for name, v in document["parameters"].items()}
        return {**document, **hidden, "params": params, "parameters": parameters, "arguments": arguments}

    def _pair(self, name: str, value: list[Any], is_secret: bool = False) -> list[Any]:
        is_text = value[0] != "parameter" and not isinstance(value[1], Mapping)
        return [value[0], self._hidden(value[1])] if is_text and (is_secret or self._is_secret(name)) else value

    def _is_secret(self, name: str) -> bool:
        return name in self._marked or _SECRET.search(name) is not None

    def _named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(name, value) for name, value in values.items()}

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return value if isinstance(value.get("secret"), str) else self._named(value)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and self._is_secret(name):
            return self._hidden(value)
        return value

    def _arguments(self, arguments: list[list[list[str]]], is_line: bool) -> tuple[list[list[list[str]]], set[str]]:
        """Hides what follows a flag that speaks of a secret, in the same argument, as the next one, or in a line.

        Returns:
            The arguments, and the names of parameters that stand where a secret is wanted.
        """
        kept: list[list[list[str]]] = []
        handed: set[str] = set()
        is_next = False
        for argument in arguments:
            if is_line:
                parts, names = self._line(argument)
                kept.append(parts)
                handed |= names
                continue
            flag = _FLAG.match(argument[0][1]) if argument and argument[0][0] == "text" else None
            secret: list[list[str]] = argument if is_next and flag is None else []
            lead: list[list[str]] = []
            is_next = False
            if flag is not None and self._is_secret(flag[1]):
                is_next = not flag[2]
                if flag[2]:
                    rest = argument[0][1][flag.end() :]
                    lead, secret = [["text", flag[0]]], [*([["text", rest]] if rest else []), *argument[1:]]
            handed |= {part[1] for part in secret if part[0] == "parameter"}
            kept.append([*lead, *map(self._part, secret)] if secret else argument)
        return kept, handed

    def _line(self, line: list[list[str]]) -> tuple[list[list[str]], set[str]]:
        """Hides secrets in a line of shell: `--token VALUE`, `--token=VALUE` and `TOKEN=VALUE`."""
        parts: list[list[str]] = []
        handed: set[str] = set()
        is_next = False
        for kind, value in line:
            if kind != "text":
                handed |= {value} if is_next and kind == "parameter" else set()
                parts.append([kind, value])
                is_next = False
                continue
            at = 0
            for found in re.finditer(_IN_LINE, value):
                if self._is_secret(found["flag"] or found["variable"]):
                    parts += [["text", value[at : found.start("value")]], ["secret", self._digest(found["value"])]]
                    at = found.end("value")
            last = re.search(_AT_END, value)
            is_next = last is not None and self._is_secret(last["flag"] or last["variable"])
            parts += [["text", value[at:]]] if at < len(value) else []
        return parts, handed

    def _part(self, part: list[str]) -> list[str]:
        return ["secret", self._digest(part[1])] if part[0] == "text" else part

    def _hidden(self, value: Any) -> dict[str, str]:
        return {"secret": self._digest(str(value))}

    def _digest(self, value: str) -> str:
        if self._key is None:
            self._key = self._read_or_make()
        data = self._key + value.encode("utf-8", "surrogateescape")
        return digest_bytes("scriptstep 2026 masked value", data)[:16]

    def _read_or_make(self) -> bytes:
        if not self._place.exists():
            aside = self._place.with_suffix(f".{os.urandom(16).hex()}")
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.urandom(32))
            try:
                os.link(aside, self._place)
            except FileExistsError:
                pass  # Another process was first: its key is the one.
            os.unlink(aside)
        return self._place.read_bytes()


def without_secrets(value: Any) -> Any:
    """Returns: a masked document with nothing of its secrets, so that another workspace's can be compared with it."""
    if isinstance(value, Mapping):
        if "secret" in value and isinstance(value["secret"], str):
            return {"secret": "not compared"}
        return {name: without_secrets(item) for name, item in value.items()}
    if isinstance(value, list):
        return ["secret", "not compared"] if value[:1] == ["secret"] else [without_secrets(item) for item in value]
    return value


def secret_names(document: Document) -> list[str]:
    """Returns: names of what is secret in a masked document: variables, parameters, flags, parts of the environment."""
    found: list[str] = []

    def look(values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            inner = value[1] if isinstance(value, list) and len(value) == 2 else value
            if isinstance(inner, Mapping):
                if "secret" in inner and isinstance(inner["secret"], str):
                    found.append(name)
                else:
                    look(inner)

    for part in ("variables", "inherited", "params", "parameters", "environment"):
        look(document[part])
    flag = ""
    for argument in document["arguments"]:
        first = argument[0][1] if argument and argument[0][0] == "text" else ""
        if any(part[0] == "secret" for part in argument):
            found.append(first.partition("=")[0] or flag)
        flag = first
    return list(dict.fromkeys(found))
