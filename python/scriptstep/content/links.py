"""Many links at once."""

from __future__ import annotations

from scriptstep import _core
from scriptstep.content.scanning import OnProgress

__all__ = ["make_links"]


def make_links(links: list[tuple[str, str]], *, on_progress: OnProgress | None = None) -> None:
    """Makes symbolic links, all of them or none.

    Args:
        links: (path, what it says) of each; the folders that they are in are there.
        on_progress: As of `scan`.

    Raises:
        FileExistsError: Something has the name of one; the message says which.
        ContentError: One cannot be made.
    """
    _core.make_links(links, on_progress)
