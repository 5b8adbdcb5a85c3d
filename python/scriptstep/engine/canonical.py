"""One spelling for a value, so that equal values have equal bytes on every machine, and different ones never.

Each value is a tag, and what it holds, framed by its length or count; docs/reuse.md publishes the form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

__all__ = ["encode"]


def encode(value: object) -> bytes:
    """Spells a value of plain data.

    Args:
        value: None, a bool, int, float, str, bytes, or a sequence or mapping (with str keys) of such.

    Returns:
        Bytes that no other value has: 1 and 1.0 and "1" and True are told apart, [["a"], "b"] and ["a", ["b"]] too.

    Raises:
        TypeError: A value of another type.
    """
    parts: list[bytes] = []
    _encode(value, parts.append)
    return b"".join(parts)


def _encode(value: object, put: Callable[[bytes], None]) -> None:
    if value is None:
        put(b"n")
    elif isinstance(value, bool):
        put(b"t" if value else b"f")
    elif isinstance(value, int):
        _framed(b"i", str(int(value)).encode("ascii"), put)
    elif isinstance(value, float):
        _framed(b"d", float(value).hex().encode("ascii"), put)
    elif isinstance(value, str):
        # surrogateescape: an argument may hold bytes that are no UTF-8.
        _framed(b"s", value.encode("utf-8", "surrogateescape"), put)
    elif isinstance(value, bytes):
        _framed(b"b", value, put)
    elif isinstance(value, Mapping):
        rows = sorted(
            ((str(k).encode("utf-8", "surrogateescape"), v) for k, v in value.items()), key=lambda row: row[0]
        )
        put(b"m%d:" % len(rows))
        for key, item in rows:
            _framed(b"s", key, put)
            _encode(item, put)
    elif isinstance(value, Sequence):
        put(b"l%d:" % len(value))
        for item in value:
            _encode(item, put)
    else:
        raise TypeError(f"no canonical form for {type(value).__name__}")


def _framed(tag: bytes, data: bytes, put: Callable[[bytes], None]) -> None:
    put(b"%s%d:" % (tag, len(data)))
    put(data)
