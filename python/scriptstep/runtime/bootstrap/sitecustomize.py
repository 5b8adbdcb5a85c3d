"""Makes `scriptstep` and `azureml` importable in a step's interpreter, and in those that it starts.

They are found by place, not by name: a script may be called scriptstep.py, a folder beside it azureml. Nothing is
loaded until such a name is imported. Every Python that a script starts comes by here, of whatever version: one that is
too old for scriptstep is left as it is.
"""

import os
import sys


class _ByPlace(object):  # noqa: UP004
    def __init__(self, package):
        self._folder = os.path.dirname(package)

    def find_spec(self, name, path=None, target=None):
        if name == "scriptstep":
            from _frozen_importlib_external import PathFinder

            return PathFinder.find_spec(name, [self._folder])
        if name == "azureml" or name.startswith("azureml."):
            from scriptstep.azureml.finder import install

            install()
            for finder in sys.meta_path:
                spec = None if finder is self else finder.find_spec(name, path, target)
                if spec is not None:
                    return spec
        return None


def _watch(file):
    """Notes what this process reads: `scriptstep run --audit` asked for it."""
    try:
        from _frozen_importlib import module_from_spec
        from _frozen_importlib_external import PathFinder

        runtime = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        spec = PathFinder.find_spec("audit", [runtime])
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        module.install(file)
    except Exception:
        pass  # the engine says of a process that it has not heard of that it was not seen


def _set_up():
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.version_info >= (3, 10):  # noqa: UP036
        sys.meta_path.insert(0, _ByPlace(os.path.dirname(os.path.dirname(here))))
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != here]
    if "SCRIPTSTEP_AUDIT" in os.environ and hasattr(sys, "addaudithook"):
        _watch(os.environ["SCRIPTSTEP_AUDIT"])
    # This module stood before another one, perhaps: that has its turn now, under the name that both have.
    this = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        if this is not None:
            sys.modules.setdefault("sitecustomize", this)


_set_up()
