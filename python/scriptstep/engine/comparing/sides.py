"""A key with all that is known beside it: of this workspace, or written to a file and taken elsewhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scriptstep.content import ContentStore, Manifest
from scriptstep.engine.comparing.differences import Side
from scriptstep.engine.comparing.package_lists import PackageLists, packages_of
from scriptstep.engine.contents import part_of
from scriptstep.engine.key import FIELDS, Document
from scriptstep.engine.masking import Mask, without_secrets
from scriptstep.errors import ContentError, UserErrorException
from scriptstep.history import ResultRow
from scriptstep.records import dataclass

__all__ = ["ExportedKey", "Sides", "read_export", "write_export"]

_KIND, _VERSION = "scriptstep key", 1


class Sides:
    """Finds what is known of the keys of one state folder.

    Args:
        store: The content store.
        packages: The lists of packages.
        mask: Hides what an earlier version did not.
    """

    def __init__(self, store: ContentStore, packages: PackageLists, mask: Mask) -> None:
        self._store, self._packages, self._mask = store, packages, mask

    def side(self, document: Document, tree: str | None, paths: Sequence[str] | None) -> Side:
        """Puts together what is known of a key.

        Args:
            document: What it is made of, secrets hidden.
            tree: Digest of the content of the source directory, where that is kept.
            paths: What of it counts; None for all.

        Returns:
            It, to be compared.
        """
        kept = tree if tree is not None and self._store.ensure(tree) else None

        def files() -> Manifest | None:
            return None if kept is None else part_of(self._store.manifest(kept), paths)

        def packages() -> Any:
            return packages_of(self._packages.read(document["packages"]))

        # As it was kept: the directory itself may be another by now, or gone.
        root = None if kept is None else self._store.content_path(kept)
        return Side(self._mask.document(document), files, packages, root, self._tree)

    def of_result(self, result: ResultRow) -> Side:
        """Returns: what is known of the key of a result: of its files those that counted for it."""
        return self.side(result.document, result.conditions.get("tree"), result.conditions.get("paths"))

    def _tree(self, digest: str) -> Manifest | None:
        try:
            return self._store.manifest(digest)
        except ContentError:
            return None


@dataclass(frozen=True)
class ExportedKey:
    """A key that was written to a file, perhaps on another machine.

    Attributes:
        step: Name of its step.
        key: The key.
        side: What is known of it.
    """

    step: str
    key: str
    side: Side


def write_export(step: str, key: str, side: Side, packages: Any) -> str:
    """Writes a key down, so that it can be compared elsewhere; nothing secret is in it.

    Args:
        step: Name of its step.
        key: The key.
        side: What is known of it.
        packages: The list of packages, as plain data; None where it is gone.

    Returns:
        JSON.
    """
    manifest = side.files()
    data = {
        "kind": _KIND,
        "version": _VERSION,
        "step": step,
        "key": key,
        "document": without_secrets(side.document),
        "files": None if manifest is None else base64.b64encode(manifest.to_bytes()).decode("ascii"),
        "packages": packages,
    }
    return json.dumps(data, indent=1, sort_keys=True)


def read_export(file: Path) -> ExportedKey:
    """Reads what `write_export` wrote.

    Args:
        file: The file.

    Returns:
        The key.

    Raises:
        UserErrorException: It cannot be read, or is no such file.
    """
    try:
        data = json.loads(file.read_bytes())
    except OSError as error:
        raise UserErrorException(f"the exported key {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserErrorException(f"the exported key {file} is no JSON: {error}") from error
    help = "`scriptstep key export FILE STEP` writes one"
    if not isinstance(data, dict) or data.get("kind") != _KIND:
        raise UserErrorException(f"{file} is no exported key", help=help)
    if data.get("version") != _VERSION:
        raise UserErrorException(f"{file} was exported by another version of scriptstep", help=help)
    try:
        manifest = None if data["files"] is None else Manifest.from_bytes(base64.b64decode(data["files"]))
        packages = packages_of(data["packages"])
        document = {name: data["document"][name] for name in FIELDS}
        side = Side(document, lambda: manifest, lambda: packages)
        return ExportedKey(str(data["step"]), str(data["key"]), side)
    except (KeyError, TypeError, ValueError, ContentError) as error:
        raise UserErrorException(f"{file} is no whole exported key: {error}", help=help) from error
