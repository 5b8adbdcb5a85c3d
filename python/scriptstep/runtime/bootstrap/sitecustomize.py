"""Makes `scriptstep` and `azureml` importable in a step's interpreter, and in those that it starts.

They are found by place, not by name: a script may be called scriptstep.py, a folder beside it azureml. Nothing is
loaded until such a name is imported.
"""

import os
import sys
from _frozen_importlib_external import PathFinder


class _ByPlace:
    def __init__(self, package):
        self._package = package

    def find_spec(self, name, path=None, target=None):
        if name == "scriptstep":
            return PathFinder.find_spec(name, [os.path.dirname(self._package)])
        if name == "azureml" or name.startswith("azureml."):
            from scriptstep.azureml.finder import install

            install()
            for finder in sys.meta_path:
                if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                    return spec
        return None


def _run_next(here):
    """Runs the sitecustomize that this one stands before."""
    spec = PathFinder.find_spec("sitecustomize", [p for p in sys.path if os.path.abspath(p) != here])
    if spec is not None and spec.loader is not None:
        from _frozen_importlib import module_from_spec

        spec.loader.exec_module(module_from_spec(spec))


_here = os.path.dirname(os.path.abspath(__file__))
sys.meta_path.insert(0, _ByPlace(os.path.dirname(os.path.dirname(_here))))
sys.path[:] = [p for p in sys.path if os.path.abspath(p) != _here]
_run_next(_here)
