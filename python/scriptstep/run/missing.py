"""What the SDK has and nothing here takes the place of."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["not_here"]


def not_here(what: str, instead: str) -> NoReturn:
    """Says that something of the SDK is not here.

    Args:
        what: Its name.
        instead: What to do.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError(f"{what} is not here: {instead}")
