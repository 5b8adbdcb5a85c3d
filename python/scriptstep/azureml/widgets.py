"""`azureml.widgets`: a run as text, where a notebook showed it as a picture that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scriptstep.run.run import Run

__all__ = ["RunDetails"]


class RunDetails:
    """Shows a run.

    Args:
        run_instance: The run.
    """

    def __init__(self, run_instance: Run) -> None:
        self._run = run_instance

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """Prints the run and its steps, as they stand now.

        Args:
            render_lib: Not used here.
            widget_settings: Not used here.
        """
        from scriptstep.console import emit
        from scriptstep.run.shown import as_text

        emit(as_text(self._run))

    def get_widget_data(self, widget_settings: Any = None) -> dict[str, Any]:
        """Returns: what the widget would show: the run's details and its metrics.

        Args:
            widget_settings: Not used here.
        """
        details: dict[str, Any] = self._run.get_details()
        return {"status": details["status"], "run_properties": details, "run_metrics": self._run.get_metrics()}

    def _ipython_display_(self) -> None:
        self.show()

    def __repr__(self) -> str:
        from scriptstep.run.shown import as_text

        return as_text(self._run)
