"""Lists of what was installed, kept beside the history under their digests: a key holds the digest alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.content import digest_bytes, spell
from scriptstep.data.transfer import aside
from scriptstep.engine.environment_identity import Distribution, Installed

if TYPE_CHECKING:
    from scriptstep.engine.comparing.differences import Packages

__all__ = ["PackageLists", "packages_of"]


class PackageLists:
    """The lists of one state folder.

    Args:
        home: The state folder.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "packages"

    def keep(
        self, distributions: tuple[Distribution, ...], loose: tuple[tuple[str, str], ...], installed: Installed
    ) -> str:
        """Keeps what counts of what is installed.

        Args:
            distributions: The distributions that count.
            loose: The loose modules and `.pth` files that count.
            installed: What is installed; its conda packages count.

        Returns:
            The list's digest.
        """
        listed = {
            "distributions": [[d.name, d.version, d.digest] for d in distributions],
            "loose": [list(row) for row in loose],
            "conda": [list(row) for row in installed.conda],
        }
        digest = digest_bytes("scriptstep 2026 packages", spell(listed))
        place = self._place(digest)
        if not place.exists():
            made = aside(place)
            made.write_text(json.dumps(listed), encoding="utf-8")
            os.replace(made, place)
        return digest

    def read(self, digest: str) -> dict[str, Any] | None:
        """Returns: a list as plain data, or None where it is gone."""
        try:
            listed = json.loads(self._place(digest).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return listed if isinstance(listed, dict) else None

    def _place(self, digest: str) -> Path:
        return self._folder / f"{digest}.json"


def packages_of(listed: Any) -> Packages | None:
    """Returns: the packages of a list, by name; None where it is no such list."""
    try:
        return (
            {name: (version, digest) for name, version, digest in listed["distributions"]}
            | {name: ("", digest) for name, digest in listed["loose"]}
            | {f"conda {name}": (version, build) for name, version, build in listed["conda"]}
        )
    except (TypeError, ValueError, KeyError):
        return None
