"""When garbage is looked for: not while the program loads, whose modules stay; that takes a tenth of a short run."""

from __future__ import annotations

import gc

__all__ = ["hold", "release"]

_THRESHOLDS = (20_000, 20, 20)
_held = False


def hold() -> None:
    """Looks for none until `release`."""
    global _held
    if gc.isenabled():
        gc.disable()
        _held = True


def release() -> None:
    """Looks for it from now on, and never in what was loaded before; nothing where it is not held."""
    global _held
    if _held:
        # A graph of thousands of steps is no garbage, and would be looked through again and again as it grows.
        gc.set_threshold(*(max(least, given) for least, given in zip(_THRESHOLDS, gc.get_threshold(), strict=True)))
        # Once: what another command in the same process left may well be garbage.
        if not gc.get_freeze_count():
            gc.freeze()
        gc.enable()
        _held = False
