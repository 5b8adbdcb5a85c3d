"""What `workspace.datasets` and the like are: mappings that look up when they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scriptstep.errors import ComputeTargetException, NotRegisteredError, UserErrorException

if TYPE_CHECKING:
    from scriptstep.workspace.workspace import Workspace

__all__ = ["ComputeTargets", "Members", "WorkspaceMembers"]


class Members(Mapping[str, Any]):
    """What is registered under a name.

    Args:
        names: Gives the names.
        find: Gives what has a name, or raises an error that says what to do.
    """

    def __init__(self, names: Callable[[], Sequence[str]], find: Callable[[str], Any]) -> None:
        self._names, self._find = names, find

    def __getitem__(self, name: str) -> Any:
        try:
            return self._find(name)
        except (UserErrorException, ComputeTargetException) as error:
            if isinstance(error, KeyError):
                raise
            # A mapping says that something is missing by a KeyError, and its `get` and `in` rest on that.
            raise NotRegisteredError(error.message, help=error.help) from error

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __repr__(self) -> str:
        return f"{{{', '.join(repr(name) for name in self)}}}"

    def get(self, name: str, default: Any = None) -> Any:
        """Returns: what has the name, else the default."""
        return self._find(name) if name in self else default


class ComputeTargets(Members):
    """The compute targets of a workspace.

    `in` and iteration know those that were made, and those that the settings name; without a [compute] table any name
    is answered: it is a place on this machine.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Workspace) -> None:
        from scriptstep.workspace.compute_target import ComputeTarget

        super().__init__(
            lambda: [row.name for row in workspace._catalog.computes()], lambda name: ComputeTarget(workspace, name)
        )


class WorkspaceMembers:
    """What a workspace holds, by name."""

    @property
    def _workspace(self) -> Workspace:
        return self  # type: ignore[return-value]  # the one class that this is a part of

    @property
    def datastores(self) -> Mapping[str, Any]:
        """Returns: its datastores, by name."""
        from scriptstep.workspace.datastore import Datastore

        workspace = self._workspace
        return Members(
            lambda: [row.name for row in workspace._catalog.datastores()],
            lambda name: Datastore.get(workspace, name),
        )

    @property
    def datasets(self) -> Mapping[str, Any]:
        """Returns: its registered datasets, the latest version of each, by name."""
        workspace = self._workspace

        def find(name: str) -> Any:
            from scriptstep.data.dataset_factory import Dataset

            return Dataset.get_by_name(workspace, name)

        return Members(lambda: [str(row.name) for row in workspace._catalog.datasets()], find)

    @property
    def compute_targets(self) -> Mapping[str, Any]:
        """Returns: its compute targets, by name. Without a [compute] table in the settings every name is answered."""
        return ComputeTargets(self._workspace)

    @property
    def environments(self) -> Mapping[str, Any]:
        """Returns: its environments, registered or named in the settings, the latest version of each, by name."""
        from scriptstep.workspace.environment import Environment

        workspace = self._workspace
        return Members(
            lambda: Environment._names(workspace),
            lambda name: Environment.get(workspace, name),
        )

    @property
    def models(self) -> Mapping[str, Any]:
        """Returns: its registered models, the latest version of each, by name."""
        from scriptstep.workspace.model import Model

        workspace = self._workspace
        return Members(
            lambda: sorted({row.name for row in workspace._catalog.models()}),
            lambda name: Model(workspace, name),
        )

    @property
    def experiments(self) -> Mapping[str, Any]:
        """Returns: its experiments, by name."""
        workspace = self._workspace

        def find(name: str) -> Any:
            from scriptstep.run.experiment import Experiment

            if name not in workspace._catalog.experiments():
                raise NotRegisteredError(f"workspace '{workspace.name}' has no experiment '{name}'")
            return Experiment(workspace, name)

        return Members(workspace._catalog.experiments, find)
