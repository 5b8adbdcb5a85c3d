"""Serves the table as modules: `import azureml...` finds them, a name is loaded when it is first asked for."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from opcode import opmap
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from scriptstep.azureml.table import TABLE

if TYPE_CHECKING:
    from importlib.abc import Loader

__all__ = ["AliasFinder", "install", "no_module_message", "no_name_message", "uninstall"]

_ROOT = "azureml"
_INSTEAD = {
    "azureml.opendatasets": "download the data, name it (`scriptstep data add NAME PATH`), and read it with pandas",
    "azureml.mlflow": "use mlflow itself",
    "azureml.dataprep": "read the data with pandas",
    "azureml.fsspec": "read the data with fsspec itself",
    "azureml.train": "train with the library itself, in a PythonScriptStep",
    "azureml.automl": "train with the library of your choice, in a PythonScriptStep",
    "azureml.interpret": "use the interpret package itself",
    "azureml.explain": "use the interpret package itself",
}


class AliasFinder:
    """Finds the modules of the table; of `azureml`, nothing else is found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds a module.

        Args:
            fullname: Its dotted name.
            path: Not used here.
            target: Not used here.

        Returns:
            What to load; None for a module that is no part of `azureml`.

        Raises:
            ModuleNotFoundError: It is, and the table lacks it.
        """
        if fullname != _ROOT and not fullname.startswith(_ROOT + "."):
            return None
        if fullname not in TABLE:
            raise _no_module(fullname)
        return self._spec(fullname)

    def _spec(self, fullname: str) -> ModuleSpec:
        # Not a subclass: importlib.abc brings tempfile, random and hashlib into every step.
        spec = ModuleSpec(fullname, cast("Loader", self), origin="scriptstep", is_package=True)
        spec.submodule_search_locations = []
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Returns: None: an ordinary module will do."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Gives a module its names; none is loaded yet."""
        names = TABLE[module.__name__]
        module.__dict__.update(
            __getattr__=_Names(module),
            __dir__=lambda: sorted({*names, *_children(module.__name__)}),
            __all__=sorted(name for name in names if not name.startswith("_")),
        )

    # For pkgutil, runpy and the like, which ask a loader for source.

    def get_code(self, fullname: str) -> CodeType | None:
        """Returns: None: there is no source."""
        return None

    def is_package(self, fullname: str) -> bool:
        """Returns: True: any of them may have modules below it."""
        return True


class _LateFinder(AliasFinder):
    """Finds what came with the SDK, where nobody else does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return self._spec(fullname) if fullname in TABLE and not _is_alias(fullname) else None


class _Names:
    """`__getattr__` of one module: loads a name from its home, and keeps it."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __call__(self, name: str) -> Any:
        path = self._module.__name__
        home = TABLE[path].get(name)
        if home is not None:
            value = self._module.__dict__[name] = _load(home)
            return value
        if f"{path}.{name}" in TABLE:
            return importlib.import_module(f"{path}.{name}")
        if name.startswith("__"):
            raise AttributeError(f"module '{path}' has no attribute '{name}'")
        message = no_name_message(path, name)
        if _is_import(sys._getframe(1).f_code, sys._getframe(1).f_lasti):
            error = ImportError(message, name=path)
            error._of_alias = True  # type: ignore[attr-defined]
            raise error
        raise AttributeError(message)


def _load(home: str) -> Any:
    module, _, name = home.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


def _is_import(code: CodeType, instruction: int) -> bool:
    """Tells whether `from ... import name` asks: only an ImportError then carries our words to the user."""
    return instruction >= 0 and code.co_code[instruction] == opmap["IMPORT_FROM"]


def _children(path: str) -> set[str]:
    return {module[len(path) + 1 :] for module in TABLE if module.rpartition(".")[0] == path}


def no_name_message(path: str, name: str) -> str:
    """Returns: what to say of a name that a module of the table has not."""
    elsewhere = sorted({module for module, names in TABLE.items() if name in names})
    if elsewhere:
        return f"'{path}' has no '{name}'; from {elsewhere[0]} import {name}"
    from scriptstep.errors import nearest

    near = nearest(name, [*TABLE[path], *_children(path)])
    told = (
        f"did you mean '{near}'?"
        if near
        else _instead(path) or f"it has {', '.join(sorted(TABLE[path])) or 'no names'}"
    )
    return f"scriptstep has no '{name}' in '{path}': {told}"


def no_module_message(fullname: str) -> str:
    """Returns: what to say of a module that the table has not."""
    from scriptstep.errors import nearest

    near = nearest(fullname, TABLE, 0.8)
    told = _instead(fullname) or (f"did you mean '{near}'?" if near else None)
    return f"scriptstep has no module '{fullname}'" + (f": {told}" if told else "")


def _no_module(fullname: str) -> ModuleNotFoundError:
    error = ModuleNotFoundError(no_module_message(fullname), name=fullname)
    error._of_alias = True  # type: ignore[attr-defined]
    return error


def _instead(path: str) -> str | None:
    return next((told for start, told in _INSTEAD.items() if path == start or path.startswith(start + ".")), None)


_finder, _late_finder = AliasFinder(), _LateFinder()


def install() -> None:
    """Makes `import azureml...` resolve to the table in this process; where the SDK is installed, it says so."""
    if _finder in sys.meta_path:
        return
    loaded = [name for name in sys.modules if _is_alias(name) and not _is_ours(sys.modules[name])]
    if loaded or _sdk_is_installed():
        from scriptstep.console import notice

        notice(
            "the Azure ML SDK is installed here too: in this process `import azureml` means scriptstep",
            help="import after scriptstep.azureml.install(): what was imported before is the SDK's" if loaded else None,
            level="warning" if loaded else "note",
        )
    for name in loaded:
        del sys.modules[name]
    sys.meta_path.insert(0, _finder)
    sys.meta_path.append(_late_finder)


def uninstall() -> None:
    """Takes `install()` back; modules that were imported meanwhile are forgotten."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
        sys.meta_path.remove(_late_finder)
    for name in [name for name, module in sys.modules.items() if name in TABLE and _is_ours(module)]:
        del sys.modules[name]


def _is_alias(name: str) -> bool:
    return name == _ROOT or name.startswith(_ROOT + ".")


def _is_ours(module: object) -> bool:
    return isinstance(getattr(getattr(module, "__spec__", None), "loader", None), AliasFinder)


def _sdk_is_installed() -> bool:
    found = PathFinder.find_spec(_ROOT)
    places = found.submodule_search_locations if found is not None else None
    return any(os.path.isdir(os.path.join(place, "core")) for place in places or ())
