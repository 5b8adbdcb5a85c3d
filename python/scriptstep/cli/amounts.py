"""Ages and sizes as people type them: `30d`, `12h`; `50G`, `500M`."""

from __future__ import annotations

import argparse
import re

__all__ = ["age", "amount"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40, "pi": 2**50}
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)\s*"


def age(text: str) -> float:
    """Reads an age.

    Args:
        text: A number with a unit: s, m, h, d or w.

    Returns:
        Seconds.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    found = re.fullmatch(_NUMBER + r"([smhdw])", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"a time with its unit, such as 30d, 12h, 90m or 45s, not {text!r}")
    return float(found[1]) * _SECONDS[found[2]]


def amount(text: str) -> int:
    """Reads a size.

    Args:
        text: A number, or one with a unit: k, M, G, T or P for thousands, Ki, Mi ... for 1024s; a B may follow.

    Returns:
        Bytes.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    found = re.fullmatch(_NUMBER + r"([kmgtp]?i?)b?", text.strip().lower())
    units = _BYTES | _BINARY
    if found is None or found[2] not in units:
        raise argparse.ArgumentTypeError(f"a size, such as 50G, 500M, 20GiB or 1000000, not {text!r}")
    return int(float(found[1]) * units[found[2]])
