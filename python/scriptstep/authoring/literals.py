"""Arguments as a script gets them: text, and placeholders anywhere in it."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Mapping
from typing import Any

from scriptstep.authoring.ports import DATA_TOKEN
from scriptstep.authoring.site import Site
from scriptstep.data.consumption import CONSUMPTION_TOKEN
from scriptstep.data.outputs import OUTPUT_TOKEN
from scriptstep.errors import ArgumentTypeError
from scriptstep.graph import SPOILED_PARAMETER, Argument, ParameterRef, Part

__all__ = ["flag_name", "has_placeholder", "literal_text", "split_literal"]

_PREFIXES = (DATA_TOKEN, CONSUMPTION_TOKEN, OUTPUT_TOKEN)
_TOKEN = re.compile("|".join(re.escape(prefix) for prefix in (*_PREFIXES, SPOILED_PARAMETER)) + "|^parameter:")
_WORD = re.compile(r"\w*")
_SPOILED = re.compile(re.escape(SPOILED_PARAMETER) + "(.*?)_Default:", re.DOTALL)
_FLAG = re.compile(r"-{1,2}([^\W\d_][\w-]*)=?")

# The spelling of what has none of its own: it holds an address, another one in each process.
_BARE: Any = (object.__str__, object.__repr__)

# Whether some text may hold a placeholder; a plain literal costs no more than this.
has_placeholder = _TOKEN.search


def literal_text(value: Any, site: Site, where: str) -> str:
    """Spells a value as a script gets it.

    Args:
        value: Text, a number, a bool, None, a path, bytes, a numpy scalar, a member of an enumeration, or whatever has
            a spelling of its own.
        site: The step.
        where: What holds the value: "arguments[2]".

    Returns:
        The text.

    Raises:
        ArgumentTypeError: It has no spelling, or is several values.
    """
    if isinstance(value, enum.Enum) and isinstance(value, (str, int, float)):
        value = value.value
    if isinstance(value, str):
        text = str.__str__(value)
    elif isinstance(value, (os.PathLike, bytes)):
        text = os.fsdecode(value)
    elif isinstance(value, (list, tuple, dict, set, frozenset, range)) or (getattr(value, "shape", None) or ()) != ():
        kind = type(value).__name__
        raise site.error(
            f"{where} holds a {kind}, and each argument is one value: {_short(value)}",
            "put its elements into the list one by one: [..., *values]"
            if kind != "dict"
            else "put in names and values",
            ArgumentTypeError,
        )
    elif (type(value).__str__, type(value).__repr__) == _BARE:
        raise site.error(
            f"{where} holds a {type(value).__name__}, which has no text of its own", None, ArgumentTypeError
        )
    else:
        try:
            text = str(value)
        except Exception as error:
            raise site.error(f"{where} cannot be made text: {error!r}", None, ArgumentTypeError) from error
    if "\0" in text:
        raise site.error(f"{where} holds a NUL character, which no argument can", None)
    return text


def split_literal(
    text: str, tokens: Mapping[str, Part | None], params: Mapping[str, Any], site: Site, where: str
) -> Argument:
    """Finds the placeholders in a text.

    Args:
        text: The text.
        tokens: What stands for what: token to reference; None where it could be two things.
        params: The step's params, and the parameters that its arguments use: `parameter:NAME` stands for one.
        site: The step.
        where: What holds the text: "arguments[2]".

    Returns:
        Its parts; where a name could end in two places, the longest one that is declared.

    Raises:
        ArgumentError: A placeholder stands for nothing that is declared, or a parameter was put into text.
    """
    if text.startswith("parameter:") and text[10:] in params:
        value = params[text[10:]]
        return (ParameterRef(value.name) if hasattr(value, "spec_value") else literal_text(value, site, where),)
    parts: list[Part] = []
    start = at = 0
    while (found := _TOKEN.search(text, at)) is not None:
        prefix, at = found.group(), found.end()
        if prefix == "parameter:":
            continue
        if prefix == SPOILED_PARAMETER:
            named = _SPOILED.match(text, found.start())
            name = named.group(1) if named else text[at:]
            raise site.error(
                f"{where} holds parameter '{name}' inside a text, where its value is not filled in: {_short(text)}",
                "make it an argument of its own: [..., parameter]",
            )
        word = _WORD.match(text, at).group()  # type: ignore[union-attr]
        length = next((n for n in range(len(word), 0, -1) if prefix + word[:n] in tokens), 0)
        if not length:
            raise site.error(
                f"{where} holds '{prefix}{word}', and the step has no input or output '{word}'",
                "put what it stands for into inputs or outputs",
            )
        reference = tokens[prefix + word[:length]]
        if reference is None:
            raise site.error(
                f"{where} holds '{prefix}{word[:length]}', which could be the input or the output '{word[:length]}'",
                "give one of them another name",
            )
        if found.start() > start:
            parts.append(text[start : found.start()])
        parts.append(reference)
        start = at = at + length
    if start < len(text) or not parts:
        parts.append(text[start:])
    return tuple(parts)


def flag_name(before: Any) -> str | None:
    """Returns: the name that an option gives to the argument after it: `input_data` for "--input-data"; else None."""
    found = _FLAG.fullmatch(before) if isinstance(before, str) else None
    return found.group(1).replace("-", "_") if found else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
