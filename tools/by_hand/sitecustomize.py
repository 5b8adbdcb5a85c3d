"""A stand-in for the SDK, for scripts that are run by hand: it takes down what they log and register, and no more.

It knows nothing of scriptstep, so that the two can be compared. `BY_HAND` names a folder that has `given.json` (the
files of tabular datasets by input, the metrics of the parent) and gets `told.json`.
"""

import atexit
import hashlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
import types

_FOLDER = os.environ["BY_HAND"]
with open(os.path.join(_FOLDER, "given.json"), encoding="utf-8") as _file:
    _GIVEN = json.load(_file)
_TOLD = {"metrics": {}, "models": {}}
_UPLOADED = {}


def _plain(value):
    return getattr(value, "item", lambda: value)() if getattr(value, "ndim", 0) == 0 else value.tolist()


def _digests(path):
    if os.path.isfile(path):
        with open(path, "rb") as file:
            return {os.path.basename(path): hashlib.sha256(file.read()).hexdigest()}
    found = {}
    for folder, _, names in os.walk(path, followlinks=True):
        for name in names:
            file = os.path.join(folder, name)
            found[os.path.relpath(file, path)] = _digests(file)[name]
    return found


class _Table:
    id = name = "by hand"
    version = 1

    def __init__(self, form, files):
        self._form, self._files = form, files

    def to_pandas_dataframe(self):
        import pandas

        read = pandas.read_parquet if self._form == "parquet" else pandas.read_csv
        return pandas.concat([read(file) for file in self._files], ignore_index=True)


class Dataset:
    @staticmethod
    def get_by_name(workspace, name, version="latest", **kwargs):
        return _Table(*_GIVEN["registered"][name])

    @staticmethod
    def get_by_id(workspace, id, **kwargs):
        return _Anything(id=id)


class _Datasets(dict):
    def __missing__(self, name):
        table = _GIVEN["tables"].get(name)
        return os.environ[name] if table is None else _Table(*table)


class _Parts(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()


class _Anything(metaclass=_Parts):
    """Takes every call, and every question for a part of it."""

    def __init__(self, *args, **kwargs):
        self.__dict__.update(kwargs)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()

    def __call__(self, *args, **kwargs):
        return _Anything()

    def __getitem__(self, name):
        return _Anything()

    def __iter__(self):
        return iter(())

    def keys(self):
        return ()

    items = values = keys


class Run(_Anything):
    def __init__(self, is_parent=False):
        self._is_parent = is_parent
        self.id = os.environ["BY_HAND_PARENT" if is_parent else "BY_HAND_RUN"]
        self.input_datasets = _Datasets()

    @property
    def parent(self):
        return Run(True)

    @classmethod
    def get_context(cls, *args, **kwargs):
        return cls()

    def log(self, name, value, *args, **kwargs):
        if not self._is_parent:
            _TOLD["metrics"].setdefault(name, []).append(_plain(value))

    def log_list(self, name, value, *args, **kwargs):
        for one in value:
            self.log(name, one)

    def log_row(self, name, description=None, **columns):
        self.log(name, {key: _plain(value) for key, value in columns.items()})

    def log_image(self, name, path=None, plot=None, description=None):
        self.log(name, os.path.basename(path) if path else f"{name}.png")

    def get_metrics(self, *args, **kwargs):
        return dict(_GIVEN["parent_metrics"]) if self._is_parent else {}

    def upload_file(self, name, path_or_stream, *args, **kwargs):
        _UPLOADED[name] = path_or_stream

    def register_model(self, model_name, model_path=None, **kwargs):
        path = model_path or model_name
        return Model.register(None, _UPLOADED.get(path, path), model_name)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()


class Model(_Anything):
    def __init__(self, *args, **kwargs):
        raise ModelNotFoundException("no model was registered before")

    @staticmethod
    def register(workspace=None, model_path=None, model_name=None, **kwargs):
        _TOLD["models"][model_name] = _digests(model_path)
        return _Anything(name=model_name, version=1, id=f"{model_name}:1")

    @staticmethod
    def list(*args, **kwargs):
        return []


class _OfflineRun:
    """No run is offline here."""


class ModelNotFoundException(Exception):
    """As the SDK's: there is no such model."""


class _Module(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name.endswith(("Exception", "Error")):
            return ModelNotFoundException
        return {"Run": Run, "Model": Model, "Dataset": Dataset, "_OfflineRun": _OfflineRun}.get(name, _Anything)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name == "azureml" or name.startswith("azureml."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Module(spec.name)

    def exec_module(self, module):
        pass


def _tell():
    with open(os.path.join(_FOLDER, "told.json"), "w", encoding="utf-8") as file:
        json.dump(_TOLD, file)


sys.meta_path.insert(0, _Finder())
atexit.register(_tell)
