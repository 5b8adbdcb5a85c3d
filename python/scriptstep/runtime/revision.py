"""The revision of what a step sees of scriptstep; it stands in every key."""

from __future__ import annotations

__all__ = ["RUNTIME_REVISION"]

# Raise it whenever what a step sees, or what the SDK returns inside one, changes.
RUNTIME_REVISION = 3
