"""The run of a script that runs by itself, outside any pipeline: the whole interface, so that the script works.

It keeps nothing. What only a workspace can give is an error that says what to use instead.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from scriptstep.errors import ArgumentAttributeError, ArgumentError, NotRegisteredError, RunEnvironmentException

__all__ = ["_OfflineRun"]


class _NoData(dict[str, Any]):
    """The datasets of a run that was given none."""

    def __missing__(self, name: str) -> NoReturn:
        raise NotRegisteredError(
            f"this script runs by itself, outside any pipeline: it was given no dataset '{name}'",
            help="run it as a step, or use Dataset.get_by_name(workspace, name) here",
        )


class _OfflineRun:
    """A run that nobody records.

    What is logged, tagged and uploaded can be read back from the same object, and is gone with it. It has a parent, as
    a step has, so that what a script gives the pipeline's run has somewhere to go.

    Args:
        parent: The run that it is a child of.
        run_id: Its id; made up where None.
    """

    def __init__(self, parent: _OfflineRun | None = None, run_id: str | None = None) -> None:
        self._id = run_id or f"OfflineRun_{uuid.uuid4()}"
        self._parent = parent
        self._is_parent = False
        self._children: list[_OfflineRun] = []
        self._metrics: dict[str, Any] = {}
        self._tags: dict[str, str] = {}
        self._properties: dict[str, str] = {}
        self._files: dict[str, Path | bytes] = {}
        self._status = "Running"
        self.description: str | None = None
        self.display_name = self._id

    def __repr__(self) -> str:
        return f"<offline run {self._id}: nothing is recorded>"

    def __enter__(self) -> _OfflineRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: object) -> None:
        if kind is None:
            self.complete()
        else:
            self.fail(value)

    # what it is

    @property
    def id(self) -> str:
        """Returns: `OfflineRun_` and a UUID."""
        return self._id

    @property
    def name(self) -> str:
        """Returns: its id."""
        return self._id

    @property
    def number(self) -> int:
        """Returns: 0."""
        return 0

    @property
    def type(self) -> str:
        """Returns: "offline"."""
        return "offline"

    @property
    def status(self) -> str:
        """Returns: "Running" until it is completed or failed."""
        return self._status

    @property
    def parent(self) -> _OfflineRun | None:
        """Returns: the run that it is a child of; one made for it, which has none itself, where it is no child."""
        if self._parent is None and not self._is_parent:
            self._parent = _OfflineRun()
            self._parent._is_parent = True
            self._parent._children.append(self)
        return self._parent

    @property
    def tags(self) -> dict[str, str]:
        """Returns: its tags."""
        return dict(self._tags)

    @property
    def properties(self) -> dict[str, str]:
        """Returns: its properties."""
        return dict(self._properties)

    @property
    def input_datasets(self) -> dict[str, Any]:
        """Returns: nothing: only a step is given datasets."""
        return _NoData()

    @property
    def output_datasets(self) -> dict[str, Any]:
        """Returns: nothing: only a step is given outputs."""
        return _NoData()

    @property
    def experiment(self) -> Any:
        """The experiment: there is none.

        Raises:
            ArgumentAttributeError: Always; it is an AttributeError, as in the SDK.
        """
        raise ArgumentAttributeError(
            "this script runs by itself, outside any pipeline: it has no experiment and no workspace",
            help="run it as a step, or use Workspace.from_config() here",
        )

    @property
    def identity(self) -> str:
        """Returns: what names it in messages."""
        return f"Run#{self._id}"

    @property
    def portal_url(self) -> str:
        """Returns: the empty text: there is nothing to look at."""
        return ""

    def get_portal_url(self) -> str:
        """Returns: the empty text: there is nothing to look at."""
        return ""

    def get_status(self) -> str:
        """Returns: its status."""
        return self._status

    def get_detailed_status(self) -> dict[str, Any]:
        """Returns: its status."""
        return {"status": self._status, "details": {"detailedMessage": ""}}

    def get_details(self) -> dict[str, Any]:
        """Returns: what there is to say of it."""
        return {
            "runId": self._id,
            "status": self._status,
            "properties": self.properties,
            "inputDatasets": [],
            "outputDatasets": [],
        }

    def get_details_with_logs(self) -> dict[str, Any]:
        """Returns: what there is to say of it; its log is what the script prints."""
        return {**self.get_details(), "logFiles": {}}

    def get_tags(self) -> dict[str, str]:
        """Returns: its tags."""
        return self.tags

    def get_properties(self) -> dict[str, str]:
        """Returns: its properties."""
        return self.properties

    def get_metrics(
        self, name: str | None = None, recursive: bool = False, run_type: Any = None, populate: bool = False
    ) -> dict[str, Any]:
        """Returns: what was logged, by name; a list where a name was logged more than once."""
        return {k: v for k, v in self._metrics.items() if name in (None, k)}

    def get_file_names(self) -> list[str]:
        """Returns: names of what was uploaded."""
        return sorted(self._files)

    def get_children(self, recursive: bool = False, **wanted: Any) -> Iterator[_OfflineRun]:
        """Returns: its children, the newest first."""
        yield from reversed(self._children)

    # what is logged

    def log(self, name: str, value: Any, description: str = "", step: int | None = None) -> None:
        """Keeps a value for `get_metrics` of this object."""
        if name not in self._metrics:
            self._metrics[name] = value
        elif isinstance(self._metrics[name], list):
            self._metrics[name].append(value)
        else:
            self._metrics[name] = [self._metrics[name], value]

    def log_list(self, name: str, value: list[Any], description: str = "") -> None:
        """Keeps a list."""
        self._metrics[name] = list(value)

    def log_row(self, name: str, description: str | None = None, **columns: Any) -> None:
        """Adds a row to a table."""
        table = self._metrics.setdefault(name, {})
        for column, value in columns.items():
            table.setdefault(column, []).append(value)

    def log_table(self, name: str, value: Mapping[str, Any], description: str = "") -> None:
        """Keeps a table."""
        self._metrics[name] = dict(value)

    def log_image(self, name: str, path: str | None = None, plot: Any = None, description: str = "") -> None:
        """Accepts an image.

        Raises:
            ArgumentError: Both `path` and `plot` are given, or neither.
        """
        if (path is None) == (plot is None):
            raise ArgumentError("log_image takes either path or plot")

    def log_residuals(self, name: str, value: Any, description: str = "") -> None:
        """Keeps residuals."""
        self._metrics[name] = value

    def log_predictions(self, name: str, value: Any, description: str = "") -> None:
        """Keeps predictions."""
        self._metrics[name] = value

    def log_accuracy_table(self, name: str, value: Any, description: str = "") -> None:
        """Keeps an accuracy table."""
        self._metrics[name] = value

    def log_confusion_matrix(self, name: str, value: Any, description: str = "") -> None:
        """Keeps a confusion matrix."""
        self._metrics[name] = value

    def tag(self, key: str, value: Any = None) -> None:
        """Sets a tag."""
        self._tags[str(key)] = "" if value is None else str(value)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Sets tags."""
        for key, value in tags.items():
            self.tag(key, value)

    def remove_tags(self, tags: str | list[str]) -> None:
        """Removes tags."""
        for key in [tags] if isinstance(tags, str) else tags:
            self._tags.pop(key, None)

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Sets properties."""
        self._properties.update({str(k): str(v) for k, v in properties.items()})

    # files

    def upload_file(self, name: str, path_or_stream: Any, datastore_name: str | None = None) -> None:
        """Remembers a file, or what an open one gives.

        Raises:
            ArgumentError: There is no such file.
        """
        if hasattr(path_or_stream, "read"):
            given = path_or_stream.read()
            self._files[name] = given.encode() if isinstance(given, str) else bytes(given)
            return
        if not Path(path_or_stream).is_file():
            raise ArgumentError(f"there is no file {path_or_stream}")
        self._files[name] = Path(path_or_stream).absolute()

    def upload_files(self, names: list[str], paths: list[str], **options: Any) -> None:
        """Remembers files.

        Raises:
            ArgumentError: There are more of the one than of the other, or a file is not there.
        """
        if len(names) != len(paths):
            raise ArgumentError("upload_files takes as many names as paths")
        for name, path in zip(names, paths, strict=True):
            self.upload_file(name, path)

    def upload_folder(self, name: str, path: str, datastore_name: str | None = None) -> None:
        """Remembers the files of a folder.

        Raises:
            ArgumentError: There is no such folder.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise ArgumentError(f"there is no folder {path}")
        for file in sorted(f for f in folder.rglob("*") if f.is_file()):
            self._files[f"{name}/{file.relative_to(folder).as_posix()}"] = file.absolute()

    def download_file(self, name: str, output_file_path: str | None = None, _validate_checksum: bool = False) -> None:
        """Copies an uploaded file.

        Raises:
            ArgumentError: Nothing of that name was uploaded.
        """
        if name not in self._files:
            raise ArgumentError(f"nothing was uploaded as '{name}'")
        target = Path(output_file_path or Path(name).name)
        target = target / Path(name).name if target.is_dir() else target
        target.parent.mkdir(parents=True, exist_ok=True)
        file = self._files[name]
        if isinstance(file, bytes):
            target.write_bytes(file)
        else:
            shutil.copyfile(file, target)

    def download_files(
        self, prefix: str | None = None, output_directory: str | None = None, output_paths: Any = None, **options: Any
    ) -> None:
        """Copies uploaded files into a folder, the working directory where None is given.

        Raises:
            ArgumentError: There are not as many paths as files.
        """
        names = [name for name in self.get_file_names() if name.startswith(prefix or "")]
        paths = names if output_paths is None else list(output_paths)
        if len(paths) != len(names):
            raise ArgumentError(f"download_files: {len(paths)} output_paths for {len(names)} files")
        for name, path in zip(names, paths, strict=True):
            self.download_file(name, str(Path(output_directory or ".") / path))

    def get_all_logs(self, destination: str | None = None) -> list[str]:
        """Returns: nothing: its log is what the script prints."""
        return []

    def register_model(self, model_name: str, model_path: str | None = None, **details: Any) -> Any:
        """Models are registered in a workspace.

        Raises:
            RunEnvironmentException: Always.
        """
        _alone(f"model '{model_name}' cannot be registered", "use Model.register(workspace, ...) here")

    # what a workspace alone can give

    def get_secret(self, name: str) -> NoReturn:
        """Secrets belong to a workspace.

        Raises:
            RunEnvironmentException: Always.
        """
        _alone(f"there is no secret '{name}'", "use workspace.get_default_keyvault().get_secret(name) here")

    def get_secrets(self, secrets: list[str]) -> NoReturn:
        """Secrets belong to a workspace.

        Raises:
            RunEnvironmentException: Always.
        """
        _alone("there are no secrets", "use workspace.get_default_keyvault().get_secrets(names) here")

    def get_environment(self) -> NoReturn:
        """The environment is what a step's run configuration declares.

        Raises:
            RunEnvironmentException: Always.
        """
        _alone("there is no declared environment", "run it as a step")

    def get_snapshot_id(self) -> NoReturn:
        """A step keeps the content that it ran with.

        Raises:
            RunEnvironmentException: Always.
        """
        _alone("its code was not kept", "run it as a step")

    def restore_snapshot(self, snapshot_id: str | None = None, path: str | None = None) -> NoReturn:
        """A step keeps the content that it ran with.

        Raises:
            RunEnvironmentException: Always.
        """
        _alone("its code was not kept", "run it as a step")

    def take_snapshot(self, file_or_folder_path: Any) -> NoReturn:
        """Nothing is kept.

        Raises:
            RunEnvironmentException: Always.
        """
        _alone("nothing is kept of it", "run it as a step")

    def submit_child(self, config: Any, tags: Any = None, **options: Any) -> NoReturn:
        """Runs are submitted to an experiment.

        Raises:
            RunEnvironmentException: Always.
        """
        _alone("it can submit nothing", "use Experiment(workspace, name).submit(...) here")

    # its course

    def start(self) -> None:
        """Changes nothing: it runs."""

    def complete(self, _set_status: bool = True) -> None:
        """Ends it well."""
        self._status = "Completed"

    def fail(self, error_details: Any = None, error_code: Any = None, _set_status: bool = True) -> None:
        """Ends it badly."""
        self._status = "Failed"

    def cancel(self) -> None:
        """Ends it."""
        self._status = "Canceled"

    def clean(self) -> None:
        """Changes nothing: nothing is left anywhere."""

    def flush(self, timeout_seconds: float = 300) -> None:
        """Changes nothing: nothing waits."""

    def wait_for_completion(self, show_output: bool = False, **options: Any) -> dict[str, Any]:
        """Returns: its details, at once."""
        return self.get_details()

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: Any = None) -> _OfflineRun:
        """Returns: a child, as little recorded."""
        child = _OfflineRun(self, run_id or f"{self._id}.{name or uuid.uuid4()}")
        self._children.append(child)
        return child

    def create_children(
        self, count: int | None = None, tag_key: str | None = None, tag_values: list[str] | None = None
    ) -> list[_OfflineRun]:
        """Returns: several children."""
        values = tag_values or [None] * (count or 1)  # type: ignore[list-item]
        children = [self.child_run() for _ in values]
        for child, value in zip(children, values, strict=True):
            if tag_key is not None:
                child.tag(tag_key, value)
        return children


def _alone(what: str, help: str) -> NoReturn:
    raise RunEnvironmentException(f"{what}: this script runs by itself, outside any pipeline", help=help)
