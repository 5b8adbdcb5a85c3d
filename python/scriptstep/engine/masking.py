"""What looks like a secret is kept as a digest under a key of this workspace, never as itself."""

from __future__ import annotations

import os
import re
import secrets
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scriptstep.content import digest_bytes
from scriptstep.engine.key import Document

__all__ = ["Mask"]

_SECRET = re.compile(r"KEY|TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIAL", re.IGNORECASE)


class Mask:
    """Hides the values of variables whose names speak of secrets.

    Args:
        home: The state folder, which holds the masking key.
    """

    def __init__(self, home: Path) -> None:
        self._place = home / "masking-key"
        self._key: bytes | None = None

    def document(self, document: Document) -> Document:
        """Returns: the document as it is kept with a result; its key comes from the true values."""
        return {**document, **{part: self._values(document[part]) for part in ("variables", "inherited")}}

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._hidden(str(v)) if _SECRET.search(name) else v for name, v in values.items()}

    def _hidden(self, value: str) -> str:
        if self._key is None:
            self._key = self._read_or_make()
        data = self._key + value.encode("utf-8", "surrogateescape")
        return "secret " + digest_bytes("scriptstep 2026 masked value", data)[:16]

    def _read_or_make(self) -> bytes:
        if not self._place.exists():
            aside = self._place.with_suffix(f".{uuid.uuid4().hex}")
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
            try:
                os.link(aside, self._place)
            except FileExistsError:
                pass  # Another process was first: its key is the one.
            os.unlink(aside)
        return self._place.read_bytes()
