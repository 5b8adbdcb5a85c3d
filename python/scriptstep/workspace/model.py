"""Registered models: files or folders under a name, with versions."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.errors import (
    ArgumentError,
    ModelNotFoundException,
    ModelPathNotFoundException,
    UserErrorException,
    WebserviceException,
)
from scriptstep.records import replace
from scriptstep.workspace.model_rows import ModelDetails, check_name, details_of, matches, texts
from scriptstep.workspace.place import inside_step

if TYPE_CHECKING:
    from scriptstep.history import ModelRow
    from scriptstep.workspace.resources import ResourceConfiguration
    from scriptstep.workspace.workspace import Workspace

__all__ = ["Model", "ModelMissing"]

_FOLDER = "azureml-models"


class ModelMissing(ModelNotFoundException, WebserviceException):
    """No such model; the SDK raises one or the other, and code catches either."""


class Model(ModelDetails):
    """A registered model.

    Args:
        workspace: The workspace.
        name: Its name.
        id: Its id, "name:version".
        tags: Only a version with these: names, or [name, value].
        properties: Only a version with these.
        version: Its version; the latest where None.
        run_id: Only a version that this run registered.
        model_framework: Only a version of this framework.
        expand: Accepted.

    Raises:
        ModelMissing: There is no such model.
        ArgumentError: Neither name nor id is given.
    """

    class Framework:
        """Names of frameworks."""

        CUSTOM = "Custom"
        TENSORFLOW = "TensorFlow"
        SCIKITLEARN = "ScikitLearn"
        ONNX = "Onnx"
        PYTORCH = "PyTorch"
        MULTI = "Multi"
        XGBOOST = "Xgboost"

    def __init__(
        self,
        workspace: Workspace,
        name: str | None = None,
        id: str | None = None,
        tags: Sequence[Any] | None = None,
        properties: Sequence[Any] | None = None,
        version: int | str | None = None,
        run_id: str | None = None,
        model_framework: str | None = None,
        expand: bool = True,
        **kwargs: Any,
    ) -> None:
        if id is None and name is None:
            raise ArgumentError("a model is found by its name or its id", help="Model(workspace, name='...')")
        if id is not None:
            name, _, number = str(id).rpartition(":")
            version = number
        if version is not None:
            version = _number(str(name), version)
        # Of a step's reads each must come back the same for its result to be reused: read no more than was asked.
        if not (tags or properties or run_id or model_framework):
            found = workspace._catalog.model(str(name), version)
            rows = [found] if found else []
        else:
            rows = workspace._catalog.models(name, run_id)
        rows = [
            row
            for row in rows
            if (version is None or row.version == version)
            and matches(row.tags, tags)
            and matches(row.properties, properties)
            and (model_framework is None or row.framework == model_framework)
        ]
        if not rows:
            raise _missing(workspace, str(name), version)
        self._take(workspace, rows[0])

    @classmethod
    def _from_row(cls, workspace: Workspace, row: ModelRow) -> Model:
        model = object.__new__(cls)
        model._take(workspace, row)
        return model

    def __repr__(self) -> str:
        shown = f"name={self.name}, id={self.id}, version={self.version}, tags={self.tags}"
        return f"Model(workspace={self.workspace!r}, {shown})"

    # registering and finding

    @staticmethod
    def register(
        workspace: Workspace,
        model_path: str | os.PathLike[str],
        model_name: str,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        description: str | None = None,
        datasets: Iterable[tuple[str, Any]] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        child_paths: Iterable[str] | None = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: ResourceConfiguration | None = None,
    ) -> Model:
        """Registers a file or a folder as the next version of a model.

        Args:
            workspace: The workspace.
            model_path: The file or folder; its base name is kept.
            model_name: What to register it as.
            tags: Names and values.
            properties: Names and values that stay as they are.
            description: In the user's words.
            datasets: (what for, dataset) of each that it was made from.
            model_framework: Its framework.
            model_framework_version: The framework's version.
            child_paths: Only these files of the folder.
            sample_input_dataset: What it reads, by example.
            sample_output_dataset: What it gives, by example.
            resource_configuration: What it needs to be served.

        Returns:
            The model as registered.

        Raises:
            ModelPathNotFoundException: Nothing lies at the path, or at a child path.
            ArgumentError: The name holds other than letters, digits, `-`, `_` and `.`.
        """
        check_name(model_name)
        path = Path(os.path.abspath(model_path))
        if not path.exists():
            raise ModelPathNotFoundException(
                f"model '{model_name}': nothing lies at {os.fspath(model_path)!r}", help=f"looked for it at {path}"
            )
        given: dict[str, Any] = {
            "base_name": path.name,
            "tags": texts(tags),
            "properties": texts(properties),
            "description": description,
            "framework": model_framework,
            "framework_version": model_framework_version,
            "details": details_of(datasets, sample_input_dataset, sample_output_dataset, resource_configuration),
        }
        if child_paths is None:
            row = workspace._catalog.register_model(model_name, path, **given)
        else:
            with tempfile.TemporaryDirectory() as scratch:
                chosen = Path(scratch) / path.name
                _choose(model_name, path, list(child_paths), chosen)
                row = workspace._catalog.register_model(model_name, chosen, **given)
        return Model._from_row(workspace, row)

    @staticmethod
    def list(
        workspace: Workspace,
        name: str | None = None,
        tags: Sequence[Any] | None = None,
        properties: Sequence[Any] | None = None,
        run_id: str | None = None,
        latest: bool = False,
        dataset_id: str | None = None,
        expand: bool = True,
        page_count: int = 255,
        model_framework: str | None = None,
    ) -> list[Model]:
        """Lists registered models, the newest first.

        Args:
            workspace: The workspace.
            name: Only those of this name.
            tags: Only those with these: names, or [name, value].
            properties: Only those with these.
            run_id: Only those that this run registered.
            latest: Only the latest version of each name.
            dataset_id: Only those that were made from this dataset.
            expand: Accepted.
            page_count: Accepted.
            model_framework: Only those of this framework.

        Returns:
            The models.
        """
        rows = workspace._catalog.models(name)
        if latest:
            newest: dict[str, int] = {}
            for row in rows:
                newest[row.name] = max(row.version, newest.get(row.name, 0))
            rows = [row for row in rows if row.version == newest[row.name]]
        return [
            Model._from_row(workspace, row)
            for row in rows
            if run_id in (None, row.run)
            and matches(row.tags, tags)
            and matches(row.properties, properties)
            and (model_framework is None or row.framework == model_framework)
            and (dataset_id is None or dataset_id in [id for _, id in row.details.get("datasets", [])])
        ]

    @staticmethod
    def get_model_path(model_name: str, version: int | None = None, _workspace: Workspace | None = None) -> str:
        """Gives the path of a copy of a model's file or folder.

        Args:
            model_name: Its name.
            version: Its version; the latest where None.
            _workspace: The workspace; the step's, or that of the working directory, where None.

        Returns:
            The path; its last part is the base name that was registered.

        Raises:
            ModelMissing: There is no such model.
        """
        from scriptstep.workspace.workspace import Workspace

        workspace = _workspace if _workspace is not None else Workspace._current()
        row = workspace._catalog.model(model_name, None if version is None else _number(model_name, version))
        if row is None:
            if version is None and os.path.exists(model_name):
                return model_name
            raise _missing(workspace, model_name, version)
        # A step's working copy goes when it ends; outside the copy must not litter a source directory.
        root = Path.cwd() if inside_step() else workspace._place.home
        target = root / _FOLDER / row.name / str(row.version) / row.base_name
        if not target.exists():
            Model._from_row(workspace, row)._copy_to(target)
        return os.path.relpath(target) if inside_step() else str(target)

    def download(
        self, target_dir: str | os.PathLike[str] = ".", exist_ok: bool = False, exists_ok: bool | None = None
    ) -> str:
        """Copies the model into a folder, under the base name that was registered.

        Args:
            target_dir: The folder.
            exist_ok: Whether what is there is replaced.
            exists_ok: The same.

        Returns:
            The path of the copy.

        Raises:
            UserErrorException: Something is there, and is not to be replaced.
        """
        target = Path(target_dir) / self._row.base_name
        there = target.exists() or target.is_symlink()
        if there and not (exist_ok if exists_ok is None else exists_ok):
            raise UserErrorException(f"model '{self.id}': {target} is there already", help="exist_ok=True replaces it")
        self._copy_to(target)
        return str(target)

    def _copy_to(self, target: Path) -> None:
        """Makes a copy beside the target first, so that a whole one stands there or none."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as scratch:
            fresh = Path(scratch) / target.name
            self.workspace._catalog.restore(self._row.digest, fresh)
            if target.exists() or target.is_symlink():
                os.rename(target, Path(scratch) / "before")
            os.rename(fresh, target)

    # changing

    def update(
        self,
        tags: Mapping[str, Any] | None = None,
        description: str | None = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: ResourceConfiguration | None = None,
    ) -> None:
        """Changes the model: tags are replaced by those given, the rest where it is given."""
        columns: dict[str, Any] = {}
        if tags is not None:
            columns["tags"] = texts(tags)
        if description is not None:
            columns["description"] = description
        if more := details_of(None, sample_input_dataset, sample_output_dataset, resource_configuration):
            columns["details"] = {**self._row.details, **more}
        self._change(**columns)

    def update_tags_properties(
        self,
        add_tags: Mapping[str, Any] | None = None,
        remove_tags: Iterable[str] | None = None,
        add_properties: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds and removes tags, and adds properties.

        Raises:
            ArgumentError: A property that is there already would change.
        """
        new, columns = texts(add_properties), {}
        if add_tags or remove_tags:
            gone = set(remove_tags or ())
            columns["tags"] = {**{n: v for n, v in self.tags.items() if n not in gone}, **texts(add_tags)}
        if new:
            columns["properties"] = {**self.properties, **new}
        if changed := sorted(name for name, value in new.items() if self.properties.get(name, value) != value):
            raise ArgumentError(
                f"model '{self.id}': properties stay as they are, and {', '.join(changed)} would change"
            )
        self._change(**columns)

    def add_tags(self, tags: Mapping[str, Any]) -> None:
        """Adds tags, in place of those of the same names."""
        self.update_tags_properties(add_tags=tags)

    def remove_tags(self, tags: Iterable[str] | str) -> None:
        """Removes tags, by name."""
        self.update_tags_properties(remove_tags=[tags] if isinstance(tags, str) else tags)

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Adds properties.

        Raises:
            ArgumentError: One that is there already would change.
        """
        self.update_tags_properties(add_properties=properties)

    def add_dataset_references(self, datasets: Iterable[tuple[str, Any]]) -> None:
        """Adds datasets that the model was made from: (what for, dataset) of each."""
        more = details_of(datasets, None, None, None).get("datasets", [])
        before = self._row.details.get("datasets", [])
        self._change(details={**self._row.details, "datasets": [*before, *(row for row in more if row not in before)]})

    def delete(self) -> None:
        """Unregisters this version; its number does not come back."""
        self.workspace._catalog.delete_model(self.id)

    def _change(self, **columns: Any) -> None:
        if columns:
            self.workspace._catalog.update_model(self.id, **columns)
            self._take(self.workspace, replace(self._row, **columns))

    # serving: there is none

    @staticmethod
    def deploy(
        workspace: Workspace,
        name: str,
        models: Any,
        inference_config: Any = None,
        deployment_config: Any = None,
        deployment_target: Any = None,
        overwrite: bool = False,
        show_output: bool = False,
    ) -> Any:
        """Cannot be done.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "there are no web services here: load the model with Model.get_model_path, and serve it yourself"
        )

    @staticmethod
    def package(
        workspace: Workspace,
        models: Any,
        inference_config: Any = None,
        generate_dockerfile: bool = False,
        image_name: str | None = None,
        image_label: str | None = None,
    ) -> Any:
        """Cannot be done, as `deploy`."""
        return Model.deploy(workspace, image_name or "", models)

    @staticmethod
    def profile(
        workspace: Workspace,
        profile_name: str,
        models: Any,
        inference_config: Any,
        input_dataset: Any,
        cpu: float | None = None,
        memory_in_gb: float | None = None,
        description: str | None = None,
    ) -> Any:
        """Cannot be done, as `deploy`."""
        return Model.deploy(workspace, profile_name, models)

    @staticmethod
    def print_configuration(models: Any, inference_config: Any, deployment_config: Any, deployment_target: Any) -> None:
        """Cannot be done, as `deploy`."""
        raise NotImplementedError("there are no web services here, and so nothing to print")

    def get_sas_urls(self) -> dict[str, str]:
        """Cannot be answered.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "models have no addresses here: Model.download copies one, Model.get_model_path gives a path"
        )


def _choose(name: str, folder: Path, children: Sequence[str], target: Path) -> None:
    for child in children:
        source = Path(os.path.normpath(folder / child))
        if folder not in source.parents or not source.exists():
            raise ModelPathNotFoundException(f"model '{name}': {folder} holds no {child!r}")
        place = target / source.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            shutil.copy2(source, place)


def _number(name: str, version: int | str) -> int:
    try:
        return int(version)
    except ValueError:
        raise ArgumentError(f"a version of model '{name}' is a whole number, not {version!r}") from None


def _missing(workspace: Workspace, name: str, version: object) -> ModelMissing:
    if inside_step():
        told = f"no model '{name}'" + ("" if version is None else f" of version {version}")
        return ModelMissing(f"ModelNotFound: {told} is registered in workspace '{workspace.name}'")
    known = workspace._catalog.models(name)
    if known and version is not None:
        there = ", ".join(str(row.version) for row in reversed(known))
        return ModelMissing(f"ModelNotFound: model '{name}' has no version {version}; there are {there}")
    if known:
        return ModelMissing(f"ModelNotFound: no version of model '{name}' has what was asked for")
    names = ", ".join(sorted({row.name for row in workspace._catalog.models()})) or "none"
    return ModelMissing(
        f"ModelNotFound: no model '{name}' is registered in workspace '{workspace.name}'; there are: {names}",
        help="register it: Model.register(workspace, model_path='...', model_name='" + name + "')",
    )
