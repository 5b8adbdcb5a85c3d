"""Folders for tests that make thousands of files, or wait for the disk as often."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHARED = "/dev/shm"


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory, where there is a place for such; removed in the end."""
    place = _SHARED if os.access(_SHARED, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="scriptstep-test-", dir=place) as name:
        yield Path(name).resolve()
