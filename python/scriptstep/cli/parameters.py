"""Values of a pipeline's parameters, as they are typed on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriptstep.graph import PipelineParameter
    from scriptstep.workspace.workspace import Workspace

__all__ = ["parameter_value"]

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def parameter_value(
    workspace: Workspace, declared: Mapping[str, PipelineParameter], option: str, pair: str
) -> tuple[str, Any]:
    """Reads a parameter's value.

    Args:
        workspace: Where a dataset or a datastore is looked up.
        declared: The pipeline's parameters.
        option: The option that it was given by, for messages.
        pair: NAME=VALUE; of a dataset its name, of a data path a path on the same datastore.

    Returns:
        The name, and the value, of the type of the default; text where there is no such parameter.

    Raises:
        ArgumentError: It is no NAME=VALUE, or no value of that type.
        NotRegisteredError: There is no such dataset.
    """
    name, equals, text = pair.partition("=")
    if not equals:
        raise ArgumentError(f"{option} {pair}: a parameter is given as NAME=VALUE")
    if name not in declared:
        # What there is is told where the run is submitted.
        return name, text
    from scriptstep.graph import DataLocation, DatasetSource

    default = declared[name].spec_value()
    if isinstance(default, DatasetSource):
        from scriptstep.data.dataset_factory import Dataset

        return name, Dataset.get_by_name(workspace, text)
    if isinstance(default, DataLocation):
        from scriptstep.data.paths import DataPath
        from scriptstep.workspace.datastore import Datastore

        store = Datastore.get(workspace, default.datastore or workspace.get_default_datastore().name)
        return name, DataPath(store, text)
    if isinstance(default, bool):
        if text.lower() not in (*_TRUE, *_FALSE):
            raise ArgumentError(f"{option} {pair}: '{name}' is true or false")
        return name, text.lower() in _TRUE
    if isinstance(default, (int, float)):
        try:
            return name, type(default)(text)
        except ValueError:
            what = "a whole number" if isinstance(default, int) else "a number"
            raise ArgumentError(f"{option} {pair}: '{name}' is {what}") from None
    return name, text
