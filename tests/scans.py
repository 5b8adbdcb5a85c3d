"""The two ways in which directories are read: code by its rules, outputs and data whole."""

from __future__ import annotations

from functools import partial

from scriptstep.content import scan

__all__ = ["scan_code", "scan_tree"]

scan_code = scan
scan_tree = partial(scan, rules=None)
