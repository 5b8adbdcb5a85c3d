"""What a store holds, how large it is, and how trees are removed from it."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from scriptstep import _core
from scriptstep.content.scanning import OnProgress
from scriptstep.content.store import ContentStore

__all__ = ["Census", "Collection", "Leftover", "leftovers"]

Leftover = _core.Leftover


class Census:
    """What a store holds at one moment; what is taken out of it stays in the store.

    Args:
        store: The store.

    Attributes:
        ages: Digest to age in seconds, of each tree.
        leased: Digests of the trees that living processes rely on.
    """

    def __init__(self, store: ContentStore) -> None:
        self._core = store._core.census()
        self.ages = dict(self._core.trees())
        self.leased = store._core.leased_now()

    @property
    def total(self) -> int:
        """Returns: bytes of the disk that the trees take together; a file that they share is counted once."""
        return self._core.total

    def take_out(self, digest: str) -> int:
        """Takes a tree out of the count.

        Args:
            digest: The tree's digest.

        Returns:
            Bytes that no other tree takes any more; 0 where it was taken out before.
        """
        return self._core.take_out(digest)


def leftovers(store: ContentStore) -> list[Leftover]:
    """Returns: what lies in a store and is no tree: what dead processes began, trash, and damage that was set aside."""
    return store._core.leftovers()


class Collection:
    """The right to remove trees: nobody else has it while this context lasts.

    What is to be kept must be read within it: only then do the leases of processes that end meanwhile count.

    Args:
        store: The store.

    Raises:
        ContentError: Somebody else is collecting.
    """

    def __init__(self, store: ContentStore) -> None:
        self._store = store._core
        self._right = store._core.begin_collecting()

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._right.release()

    def remove(self, digests: Iterable[str], *, on_progress: OnProgress | None = None) -> set[str]:
        """Removes trees; one that a living process relies on stays.

        Args:
            digests: The trees' digests.
            on_progress: Called with how many are gone.

        Returns:
            Those that are gone.
        """
        return set(self._store.collect(self._right, sorted(digests), on_progress))

    def remove_leftover(self, left: Leftover) -> None:
        """Removes what `leftovers` told of."""
        self._store.remove_leftover(self._right, left)
