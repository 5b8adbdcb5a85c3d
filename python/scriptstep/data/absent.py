"""Methods that the SDK has and that cannot be here: they say so when they are called, and what to use instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["absent"]


def absent(name: str, instead: str) -> Callable[..., NoReturn]:
    """Makes a method that is not there.

    Args:
        name: Its name.
        instead: What to use.

    Returns:
        A method that raises NotImplementedError.
    """

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"{name} is not there: {instead}")

    refuse.__name__ = name
    refuse.__doc__ = f"Not there: {instead}.\n\nRaises:\n    NotImplementedError: Always."
    return refuse
