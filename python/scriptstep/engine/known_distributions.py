"""What `.dist-info` folders said when they were read: those that did not change since are not read again."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scriptstep.content import digest_bytes, stamps
from scriptstep.data.transfer import aside
from scriptstep.engine.environment_identity import Distribution, is_editable, read_dist_infos

__all__ = ["KnownDistributions"]

# Raised whenever other facts are read from the same files.
_VERSION = 1
# All that is read of a distribution, but for an editable one, which the last tells of.
_FILES = ("RECORD", "METADATA", "direct_url.json")


class KnownDistributions:
    """What is known of the distributions that one workspace's steps run with.

    Args:
        file: Where it is kept. It is a cache: what cannot be read there, or written, costs time only.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, Any] = _read(file)

    def read(self, folder: Path, names: Sequence[str]) -> list[tuple[Distribution, set[str]]]:
        """Gives what `environment_identity.read_dist_infos` does.

        Args:
            folder: The folder that holds the `.dist-info` folders.
            names: Their names.

        Returns:
            For each the distribution, and the top-level names in `folder` that are its own.
        """
        before: dict[str, Any] = self._known.get(str(folder), {})
        # Before anything is read: what changes meanwhile has another stamp by then.
        flat = stamps(folder, [f"{name}/{file}" for name in names for file in _FILES])
        stamped = {name: flat[at * len(_FILES) : (at + 1) * len(_FILES)] for at, name in enumerate(names)}
        kept = {name: row for name in names if (row := before.get(name)) is not None and row[0] == stamped[name]}
        unread = [name for name in names if name not in kept]
        found = dict(zip(unread, read_dist_infos(folder, unread), strict=True))
        for name, (one, tops) in found.items():
            if None not in stamped[name] and (stamped[name][-1] == "" or not is_editable(folder / name)):
                kept[name] = [stamped[name], [one.name, one.version, one.digest, one.requires], sorted(tops)]
        if kept != before:
            self._known[str(folder)] = kept
            self._keep()
        return [found[name] if name in found else _told(kept[name]) for name in names]

    def _keep(self) -> None:
        with contextlib.suppress(OSError):
            made = aside(self._file)
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                body = json.dumps(self._known)
                file.write(f"{_checksum(body)}\n{body}")
            os.replace(made, self._file)


def _read(file: Path) -> dict[str, Any]:
    try:
        checksum, _, body = file.read_text(encoding="utf-8").partition("\n")
    except (OSError, ValueError):
        return {}
    # With that, it is what was written, by this version.
    return dict(json.loads(body)) if checksum == _checksum(body) else {}


def _checksum(body: str) -> str:
    return digest_bytes(f"scriptstep 2026 known distributions {_VERSION}", body.encode())


def _told(row: Any) -> tuple[Distribution, set[str]]:
    _, (name, version, digest, requires), tops = row
    return Distribution(name, version, digest, tuple(requires)), set(tops)
