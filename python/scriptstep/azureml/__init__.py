"""`import azureml...` answered by scriptstep: after `install()`, in scripts run by `scriptstep run`, and in steps."""

from __future__ import annotations

__all__ = ["install", "uninstall"]


def install() -> None:
    """Makes `import azureml...` resolve to scriptstep in this process; where the SDK is installed, it says so."""
    from scriptstep.azureml import finder

    finder.install()


def uninstall() -> None:
    """Takes `install()` back; modules that were imported meanwhile are forgotten."""
    from scriptstep.azureml import finder

    finder.uninstall()
