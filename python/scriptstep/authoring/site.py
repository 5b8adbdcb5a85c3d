"""Where in the user's code a step was declared, for messages."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import Any

from scriptstep.errors import ArgumentError, AzureMLException

__all__ = ["Site"]


class Site:
    """A step, and the line that declares it.

    Args:
        name: Name of the step.

    Attributes:
        name: Name of the step.
    """

    __slots__ = ("_code", "_line", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._code: Any = None
        self._line = 0
        frame = sys._getframe(1)
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if not module.startswith("scriptstep.") and module != "scriptstep":
                # The frame itself would keep the user's variables alive.
                self._code, self._line = frame.f_code, frame.f_lineno
                return
            if frame.f_back is None:
                return
            frame = frame.f_back

    @property
    def at(self) -> str | None:
        """Returns: "pipeline.py:31", as the user would type it from where they stand; None where nobody knows."""
        if self._code is None:
            return None
        return f"{_shown(self._code.co_filename, os.getcwd())}:{self._line}"

    @property
    def where(self) -> str:
        """Returns: what to put under a message."""
        at = self.at
        return f"{at}, step '{self.name}'" if at else f"step '{self.name}'"

    def error(self, text: str, help: str | None = None, kind: type[ArgumentError] = ArgumentError) -> ArgumentError:
        """Makes an error that says where.

        Args:
            text: What is wrong.
            help: What to do.
            kind: Class of the error.

        Returns:
            The error, to be raised.
        """
        return kind(f"{text}\n  --> {self.where}", help=help)

    def locate(self, error: AzureMLException) -> AzureMLException:
        """Adds where to an error of somebody else.

        Args:
            error: The error.

        Returns:
            It.
        """
        if "\n  --> " not in error.message:
            error.message = f"{error.message}\n  --> {self.where}"
        return error


@lru_cache(maxsize=512)
def _shown(file: str, folder: str) -> str:
    return file[len(folder) + 1 :] if file.startswith(folder + os.sep) else file
