"""What a run does with its files: what it uploads, left in outputs/ and logs/, and registers as models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentError
from scriptstep.run import files
from scriptstep.run.status import short

if TYPE_CHECKING:
    from scriptstep.workspace.catalog import Catalog
    from scriptstep.workspace.model import Model
    from scriptstep.workspace.workspace import Workspace

__all__ = ["HasFiles"]


class HasFiles:
    """The part of `Run` that has to do with files."""

    _catalog: Catalog
    _workspace: Workspace
    _id: str

    def upload_file(self, name: str, path_or_stream: Any, datastore_name: str | None = None) -> None:
        """Adds a file to the run's files.

        Args:
            name: What to list it under.
            path_or_stream: The file, or an open one.
            datastore_name: Not used here.

        Raises:
            ArgumentError: There is no such file.
        """
        listed = files.plain_name(name, "upload_file")
        with files.as_local(path_or_stream, f"upload_file('{name}', ...)") as path:
            self._catalog.upload(self._id, listed or path.name, path)

    def upload_files(
        self,
        names: Sequence[str],
        paths: Sequence[Any],
        return_artifacts: bool = False,
        timeout_seconds: int | None = None,
        datastore_name: str | None = None,
    ) -> None:
        """Adds files to the run's files.

        Args:
            names: What to list them under.
            paths: The files.
            return_artifacts: Not used here.
            timeout_seconds: Not used here.
            datastore_name: Not used here.

        Raises:
            ArgumentError: There are not as many names as files, or one is not there.
        """
        if len(names) != len(paths):
            raise ArgumentError(f"upload_files: {len(names)} names for {len(paths)} files")
        for name, path in zip(names, paths, strict=True):
            self.upload_file(name, path)

    def upload_folder(self, name: str, path: Any, datastore_name: str | None = None) -> None:
        """Adds all files of a folder to the run's files.

        Args:
            name: What stands before their names.
            path: The folder.
            datastore_name: Not used here.

        Raises:
            ArgumentError: There is no such folder.
        """
        folder = files.local_folder(path, f"upload_folder('{name}', ...)")
        self._catalog.upload(self._id, files.plain_name(name, "upload_folder"), folder)

    def get_file_names(self) -> Sequence[str]:
        """Returns: names of the run's files."""
        return [*self._files()]

    def _files(self) -> dict[str, Path]:
        return self._catalog.files(self._id)

    def download_file(self, name: str, output_file_path: Any = None, _validate_checksum: bool = False) -> None:
        """Copies one of the run's files.

        Args:
            name: Of the file.
            output_file_path: Where to: a file, or a folder that is there; None for the working directory.

        Raises:
            ArgumentError: The run has no such file.
        """
        files.download(self._files(), name, output_file_path, short(self._id))

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: Any = None,
        output_paths: Sequence[str] | None = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: int | None = None,
    ) -> None:
        """Copies the run's files.

        Args:
            prefix: Only those whose name begins so.
            output_directory: Where to; None for the working directory.
            output_paths: A path for each of them, in place of their names.
            batch_size: Not used here.
            append_prefix: Whether the prefix stays in the names of the copies.
            timeout_seconds: Not used here.

        Raises:
            ArgumentError: There are not as many paths as files.
        """
        files.download_all(self._files(), prefix, output_directory, output_paths, append_prefix)

    def get_all_logs(self, destination: Any = None) -> Sequence[str]:
        """Copies the run's logs.

        Args:
            destination: A folder; the working directory where None.

        Returns:
            The copies.
        """
        found = self._files()
        root = Path(destination) if destination is not None else Path()
        names = [n for n in found if n.startswith(("user_logs/", "logs/", "azureml-logs/"))]
        return [str(files.download(found, name, str(root / name), short(self._id))) for name in names]

    def register_model(
        self,
        model_name: str,
        model_path: str | None = None,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        description: str | None = None,
        datasets: Iterable[Any] | None = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
        **kwargs: Any,
    ) -> Model:
        """Registers some of the run's files as a model.

        Args:
            model_name: What to register it as; the next version of what is registered so.
            model_path: Name of a file of the run, or of a folder of files; `model_name` where None.
            tags: Names and values.
            properties: Names and values.
            model_framework: Of the model, e.g. `Model.Framework.SCIKITLEARN`.
            model_framework_version: Of that.
            description: In the user's words.
            datasets: Pairs of a purpose and a dataset.
            sample_input_dataset: Not used here.
            sample_output_dataset: Not used here.
            resource_configuration: Not used here.
            **kwargs: Not used here.

        Returns:
            The model as registered.

        Raises:
            ModelPathNotFoundException: The run has no such file or folder.
        """
        from scriptstep.workspace.model import Model

        with files.model_source(self._files(), model_path or model_name, short(self._id)) as (path, base):
            row = self._catalog.register_model(
                model_name,
                path,
                base_name=base,
                tags={str(k): str(v) for k, v in (tags or {}).items()},
                properties={str(k): str(v) for k, v in (properties or {}).items()},
                description=description,
                run=self._id,
                framework=model_framework,
                framework_version=model_framework_version,
                details={"datasets": [[str(k), str(getattr(d, "id", d))] for k, d in datasets or ()]},
            )
        return Model(self._workspace, name=row.name, version=row.version)

    # --- what it was made from

    def get_snapshot_id(self) -> str:
        """Returns: what names the content that the run was made from.

        Raises:
            ArgumentError: It was made from none.
        """
        found = self._catalog.properties(self._id).get("ContentSnapshotId")
        if not found:
            raise ArgumentError(f"run {short(self._id)} keeps no content of its own")
        return found

    def restore_snapshot(self, snapshot_id: str | None = None, path: Any = None) -> str:
        """Copies the content that the run was made from.

        Args:
            snapshot_id: What names the content; the run's own where None.
            path: A folder that is not there yet; one named after the content, in the working directory, where None.

        Returns:
            The folder.

        Raises:
            ArgumentError: The run was made from none, or the folder is there.
        """
        wanted = snapshot_id or self.get_snapshot_id()
        target = Path(path) if path is not None else Path(f"snapshot_{wanted[:12]}")
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
        if target.exists():
            raise ArgumentError(f"restore_snapshot: '{target}' is there already")
        self._catalog.restore(wanted, target.absolute())
        return str(target)
