"""Many links at once."""

from __future__ import annotations

from scriptstep import _core
from scriptstep.content.scanning import OnProgress

__all__ = ["make_links"]


def make_links(folders: list[str], links: list[tuple[str, str]], *, on_progress: OnProgress | None = None) -> None:
    """Makes folders, where they are not there, and symbolic links: all of the links or none.

    Args:
        folders: The folders that the links are in, and what is above them where that is not there.
        links: (path, what it says) of each.
        on_progress: As of `scan`.

    Raises:
        FileExistsError: Something has the name of one; the message says which.
        ContentError: One cannot be made.
    """
    _core.make_links(folders, links, on_progress)
