"""A pipeline endpoint: one name for the versions of a pipeline that were published one after the other."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Mapping
from typing import Any

from scriptstep.errors import ArgumentError, ArgumentTypeError, EndpointNotFound, UserErrorException
from scriptstep.history import PipelineRow
from scriptstep.published.frozen import catalog_of
from scriptstep.published.pipeline import ACTIVE, DISABLED, PublishedPipeline, check_texts, published_of
from scriptstep.records import dataclass
from scriptstep.run.pipeline_run import PipelineRun
from scriptstep.workspace.workspace import Workspace

__all__ = ["PipelineEndpoint", "PipelineVersion"]

_KIND, _ARCHIVED = "endpoint", "Archived"


@dataclass(frozen=True)
class PipelineVersion:
    """A version of an endpoint.

    Attributes:
        version: Its number, as text, from 0.
        pipeline: The published pipeline.
    """

    version: str
    pipeline: PublishedPipeline


class PipelineEndpoint:
    """One name for several versions of a pipeline; `publish` makes it, `get` and `list` find it.

    Args:
        workspace: Its workspace.
        id: Its id.
        name: Its name, unique among the endpoints of the workspace.
        description: In the user's words.
        status: "Active", "Disabled" or "Archived".
        default_version: The version that is submitted where none is named.
        endpoint: What names it.
        pipeline_version_list: Ids of the published pipelines, in the order of their versions, which count from 0.
        _pipeline_endpoint_provider: As in the SDK, not used.
        _published_pipeline_provider: As in the SDK, not used.
        _swaggerurl: As in the SDK, not used.
    """

    # What a submit of it may be given besides.
    _more_options = frozenset({"pipeline_version"})

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str,
        description: str | None,
        status: str,
        default_version: str,
        endpoint: str,
        pipeline_version_list: list[str],
        _pipeline_endpoint_provider: Any = None,
        _published_pipeline_provider: Any = None,
        _swaggerurl: str | None = None,
    ) -> None:
        self._workspace, self._id, self._name, self._description = workspace, id, name, description
        self._status, self._default, self._endpoint = status, str(default_version), endpoint
        self._versions = builtins.list(pipeline_version_list)

    # --- what it is

    @property
    def id(self) -> str:
        """Returns: its id."""
        return self._id

    @property
    def name(self) -> str:
        """Returns: its name."""
        return self._name

    @property
    def description(self) -> str | None:
        """Returns: its description."""
        return self._description

    @property
    def status(self) -> str:
        """Returns: "Active", "Disabled" or "Archived"."""
        return self._status

    @property
    def default_version(self) -> str:
        """Returns: the version that is submitted where none is named."""
        return self._default

    @property
    def endpoint(self) -> str:
        """Returns: what names it, in the form of a URL; there is no server behind it: `submit` it instead."""
        return self._endpoint

    @property
    def swaggerurl(self) -> None:
        """Returns: None; there is no server to describe."""
        return

    @property
    def pipeline_version_list(self) -> builtins.list[str]:
        """Returns: the ids of its published pipelines; the place of each is its version."""
        return builtins.list(self._versions)

    def get_default_version(self) -> str:
        """Returns: the version that is submitted where none is named."""
        return self._default

    def get_pipeline(self, version: str | int | None = None) -> PublishedPipeline:
        """Gives the published pipeline of a version.

        Args:
            version: The version; the default one where None.

        Returns:
            The published pipeline.

        Raises:
            ArgumentError: There is no such version; the message names those that there are.
        """
        return PublishedPipeline.get(self._workspace, self._versions[self._place(version)])

    def list_versions(
        self, _workflow_provider: Any = None, _service_endpoint: Any = None
    ) -> builtins.list[PipelineVersion]:
        """Returns: its versions, each with its published pipeline."""
        found = (PublishedPipeline.get(self._workspace, id) for id in self._versions)
        return [PipelineVersion(str(version), pipeline) for version, pipeline in enumerate(found)]

    def list_pipelines(
        self, active_only: bool = True, _workflow_provider: Any = None, _service_endpoint: Any = None
    ) -> builtins.list[PublishedPipeline]:
        """Lists its published pipelines.

        Args:
            active_only: Leave out those that are disabled.
            _workflow_provider: As in the SDK, not used.
            _service_endpoint: As in the SDK, not used.

        Returns:
            They, in the order of their versions.
        """
        found = [PublishedPipeline.get(self._workspace, id) for id in self._versions]
        return [one for one in found if one.status == ACTIVE or not active_only]

    def get_all_versions(
        self, _workflow_provider: Any = None, _service_endpoint: Any = None
    ) -> builtins.list[PipelineVersion]:
        """Returns: its versions; the older name of `list_versions`."""
        return self.list_versions()

    def get_all_pipelines(
        self, active_only: bool = True, _workflow_provider: Any = None, _service_endpoint: Any = None
    ) -> builtins.list[PublishedPipeline]:
        """Lists its published pipelines; the older name of `list_pipelines`."""
        return self.list_pipelines(active_only)

    # --- making and finding it

    @staticmethod
    def publish(
        workspace: Workspace,
        name: str,
        description: str | None,
        pipeline: Any,
        _workflow_provider: Any = None,
        _service_endpoint: Any = None,
    ) -> PipelineEndpoint:
        """Makes an endpoint.

        Args:
            workspace: Where.
            name: Its name.
            description: In the user's words.
            pipeline: Its first version: a published pipeline; a `Pipeline` is published under the endpoint's name.
            _workflow_provider: As in the SDK, not used.
            _service_endpoint: As in the SDK, not used.

        Returns:
            The endpoint.

        Raises:
            ArgumentError: There is an endpoint of that name; it is a ValueError.
            ArgumentTypeError: It is no pipeline, or the name no text.
        """
        check_texts("PipelineEndpoint.publish", name=name, description=description)
        if not name:
            raise ArgumentError("PipelineEndpoint.publish: an endpoint needs a name")
        if _found(workspace, name=name) is not None:
            raise ArgumentError(
                f"there is a pipeline endpoint '{name}' in workspace '{workspace.name}' already",
                help="PipelineEndpoint.get(workspace, name=...), then add_default(pipeline)",
            )
        first = _published(pipeline, name, description)
        document = {"description": description, "versions": [first.id], "default": "0"}
        row = PipelineRow(str(uuid.uuid4()), _KIND, name, ACTIVE, document)
        return _from_row(workspace, catalog_of(workspace).history.add_pipeline(workspace.name, row))

    @staticmethod
    def get(
        workspace: Workspace,
        id: str | None = None,
        name: str | None = None,
        _workflow_provider: Any = None,
        _service_endpoint: Any = None,
    ) -> PipelineEndpoint:
        """Finds an endpoint.

        Args:
            workspace: Where to look.
            id: Its id; or
            name: Its name.
            _workflow_provider: As in the SDK, not used.
            _service_endpoint: As in the SDK, not used.

        Returns:
            The endpoint.

        Raises:
            EndpointNotFound: There is none; the message names those that there are. It is also the SDK's
                `ErrorResponseException`, and a KeyError.
            ArgumentError: Neither id nor name is given.
        """
        if id is None and name is None:
            raise ArgumentError("PipelineEndpoint.get: give id or name")
        row = _found(workspace, id=id, name=name)
        if row is None:
            known = ", ".join(f"'{one.name}'" for one in PipelineEndpoint.list(workspace)) or "none"
            told = f"'{name}'" if name is not None else f"with the id '{id}'"
            raise EndpointNotFound(
                f"there is no pipeline endpoint {told} in workspace '{workspace.name}'; there are: {known}",
                help="PipelineEndpoint.publish makes one",
            )
        return _from_row(workspace, row)

    @staticmethod
    def list(
        workspace: Workspace,
        active_only: bool = True,
        max_results: int = 100,
        _workflow_provider: Any = None,
        _service_endpoint: Any = None,
    ) -> builtins.list[PipelineEndpoint]:
        """Lists endpoints.

        Args:
            workspace: Where to look.
            active_only: Leave out those that are disabled or archived.
            max_results: How many at most.
            _workflow_provider: As in the SDK, not used.
            _service_endpoint: As in the SDK, not used.

        Returns:
            They, the newest first.
        """
        rows = catalog_of(workspace).history.pipelines(workspace.name, _KIND)
        found = [_from_row(workspace, row) for row in rows if row.status == ACTIVE or not active_only]
        return found[:max_results]

    @staticmethod
    def get_all(
        workspace: Workspace, active_only: bool = True, _workflow_provider: Any = None, _service_endpoint: Any = None
    ) -> builtins.list[PipelineEndpoint]:
        """Lists all endpoints; the older name of `list`."""
        rows = catalog_of(workspace).history.pipelines(workspace.name, _KIND)
        return PipelineEndpoint.list(workspace, active_only, max_results=len(rows))

    # --- changing it

    def add(self, pipeline: Any) -> None:
        """Adds a version.

        Args:
            pipeline: A published pipeline; a `Pipeline` is published under the endpoint's name.

        Raises:
            ArgumentError: It is a version already.
            ArgumentTypeError: It is no pipeline.
        """
        self._append(_published(pipeline, self._name, self._description))

    def add_default(self, pipeline: Any) -> None:
        """Adds a version, and makes it the default one.

        Args:
            pipeline: As of `add`.

        Raises:
            ArgumentError: It is a version already.
            ArgumentTypeError: It is no pipeline.
        """
        self._append(_published(pipeline, self._name, self._description), as_default=True)

    def set_default(self, pipeline: PublishedPipeline) -> None:
        """Makes one of its pipelines the default one.

        Args:
            pipeline: The published pipeline.

        Raises:
            ArgumentError: It is none of its versions.
        """
        self._refresh()
        if getattr(pipeline, "id", None) not in self._versions:
            raise ArgumentError(
                f"{pipeline!r} is no version of endpoint '{self._name}'", help="add it: add_default(...)"
            )
        self.set_default_version(self._versions.index(pipeline.id))

    def set_default_version(self, version: str | int) -> None:
        """Makes a version the default one.

        Args:
            version: The version.

        Raises:
            ArgumentError: There is no such version; the message names those that there are.
        """
        with catalog_of(self._workspace).history.transaction():
            self._refresh()
            self._default = str(self._place(version))
            self._keep()

    def set_name(self, name: str) -> None:
        """Gives it another name.

        Args:
            name: The name.

        Raises:
            ArgumentError: Another endpoint has it.
        """
        other = _found(self._workspace, name=name)
        if other is not None and other.id != self._id:
            raise ArgumentError(f"there is a pipeline endpoint '{name}' in workspace '{self._workspace.name}' already")
        catalog_of(self._workspace).history.update_pipeline(self._id, name=name)
        self._name = name

    def enable(self) -> None:
        """Lets it be submitted."""
        self._set_status(ACTIVE)

    def disable(self) -> None:
        """Lets it not be submitted any more."""
        self._set_status(DISABLED)

    def archive(self) -> None:
        """Puts it away: its name is free for another one."""
        self._set_status(_ARCHIVED)

    def reactivate(self, name: str) -> None:
        """Takes it back from the archive.

        Args:
            name: The name that it is to have.

        Raises:
            ArgumentError: Another endpoint has that name.
        """
        self.set_name(name)
        self._set_status(ACTIVE)

    # --- using it

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        parent_run_id: str | None = None,
        pipeline_version: str | int | None = None,
    ) -> PipelineRun:
        """Starts one of its versions; returns at once.

        Args:
            experiment_name: What to file the run under.
            pipeline_parameters: Values in place of the defaults, by name of the parameter.
            parent_run_id: Not used here.
            pipeline_version: The version; the default one where None.

        Returns:
            The run.

        Raises:
            UserErrorException: It, or that version, is disabled.
            ArgumentError: There is no such version; a parameter is unknown, or of another type.
        """
        return self._submitted(
            experiment_name,
            pipeline_version=pipeline_version,
            pipeline_parameters=pipeline_parameters,
            parent_run_id=parent_run_id,
        )

    def _submitted(
        self, experiment_name: str, *, pipeline_version: str | int | None = None, **given: Any
    ) -> PipelineRun:
        """Starts one of its versions; `Experiment.submit` calls this."""
        self._refresh()
        if self._status != ACTIVE:
            raise UserErrorException(
                f"pipeline endpoint '{self._name}' is {self._status.lower()}",
                help="enable() lets it be submitted again",
            )
        return self.get_pipeline(pipeline_version)._submitted(experiment_name, **given)

    # --- parts

    def _place(self, version: str | int | None) -> int:
        told = self._default if version is None else str(version)
        if not told.isdecimal() or int(told) >= len(self._versions):
            known = ", ".join(map(str, range(len(self._versions))))
            raise ArgumentError(f"endpoint '{self._name}' has no version {version!r}; it has {known}")
        return int(told)

    def _append(self, added: PublishedPipeline, *, as_default: bool = False) -> None:
        with catalog_of(self._workspace).history.transaction():
            self._refresh()
            if added.id in self._versions:
                version = self._versions.index(added.id)
                raise ArgumentError(f"pipeline {added.id} is version {version} of endpoint '{self._name}' already")
            self._versions.append(added.id)
            if as_default:
                self._default = str(len(self._versions) - 1)
            self._keep()

    def _keep(self) -> None:
        document = {"description": self._description, "versions": self._versions, "default": self._default}
        catalog_of(self._workspace).history.update_pipeline(self._id, document=document)

    def _set_status(self, status: str) -> None:
        catalog_of(self._workspace).history.update_pipeline(self._id, status=status)
        self._status = status

    def _refresh(self) -> None:
        now = PipelineEndpoint.get(self._workspace, id=self._id)
        self._name, self._status, self._versions, self._default = now._name, now._status, now._versions, now._default

    def __str__(self) -> str:
        return (
            f"PipelineEndpoint(Name: {self._name}, Id: {self._id}, Status: {self._status}, Endpoint: {self._endpoint})"
        )

    def __repr__(self) -> str:
        return str(self)


def _found(workspace: Workspace, *, id: str | None = None, name: str | None = None) -> PipelineRow | None:
    history = catalog_of(workspace).history
    if id is not None:
        return history.pipeline(workspace.name, _KIND, str(id))
    rows = history.pipelines(workspace.name, _KIND)
    return next((row for row in rows if row.name == name and row.status != _ARCHIVED), None)


def _published(pipeline: Any, name: str, description: str | None) -> PublishedPipeline:
    if isinstance(pipeline, PublishedPipeline):
        return pipeline
    if not callable(getattr(pipeline, "publish", None)):
        raise ArgumentTypeError(f"an endpoint takes a published pipeline, or a Pipeline, not {pipeline!r}")
    return published_of(pipeline, name, description, None, None)


def _from_row(workspace: Workspace, row: PipelineRow) -> PipelineEndpoint:
    return PipelineEndpoint(
        workspace,
        row.id,
        row.name,
        row.document["description"],
        row.status,
        row.document["default"],
        f"scriptstep://{workspace.name}/endpoints/{row.id}",
        row.document["versions"],
    )
