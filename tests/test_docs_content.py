"""The table of bytes in docs/content.md is what manifests are made of."""

from __future__ import annotations

import re
from pathlib import Path

from scriptstep.content import scan

_PAGE = Path(__file__).resolve().parent.parent / "docs" / "content.md"


def test_the_bytes_are_as_the_page_says(tmp_path: Path) -> None:
    from blake3 import blake3

    (tmp_path / "a").write_bytes(b"hello")
    number = lambda value: value.to_bytes(8, "little")  # noqa: E731
    written = number(1) + b"\x01" + number(1) + b"a" + number(5) + blake3(b"hello").digest()
    (context,) = re.findall(r"with the context `([^`]*)`", _PAGE.read_text(encoding="utf-8"))
    assert scan(tmp_path).to_bytes() == written
    assert scan(tmp_path).digest == blake3(written, derive_key_context=context).hexdigest()
