"""The example of docs/content.md runs as it stands, and its table of bytes is what manifests are made of."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from scriptstep.content import scan

_PAGE = Path(__file__).resolve().parent.parent / "docs" / "content.md"


def test_the_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("print(1)\n")
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "b'main.py' file 9" in done.stdout and "[]" in done.stdout
    assert (tmp_path / "copy" / "main.py").read_text() == "print(1)\n"


def test_the_bytes_are_as_the_page_says(tmp_path: Path) -> None:
    from blake3 import blake3

    (tmp_path / "a").write_bytes(b"hello")
    number = lambda value: value.to_bytes(8, "little")  # noqa: E731
    written = number(1) + b"\x01" + number(1) + b"a" + number(5) + blake3(b"hello").digest()
    (context,) = re.findall(r"with the context `([^`]*)`", _PAGE.read_text(encoding="utf-8"))
    assert scan(tmp_path).to_bytes() == written
    assert scan(tmp_path).digest == blake3(written, derive_key_context=context).hexdigest()
