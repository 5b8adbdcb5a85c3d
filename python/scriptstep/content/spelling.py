"""One spelling for a value, so that equal values have equal bytes on every machine, and different ones never.

Each value is a tag, and what it holds, framed by its length or count; docs/reuse.md publishes the form.
"""

from __future__ import annotations

from scriptstep import _core

__all__ = ["spell"]


def spell(value: object) -> bytes:
    """Spells a value of plain data.

    Args:
        value: None, a bool, int, float, str, bytes, or a sequence or mapping (with str keys) of such.

    Returns:
        Bytes that no other value has: 1 and 1.0 and "1" and True are told apart, [["a"], "b"] and ["a", ["b"]] too.

    Raises:
        TypeError: A value of another type.
        RecursionError: It is nested too deep.
    """
    return _core.spell(value)
