"""Say so, and stop, where the interpreter that is to make .venv is too old or cannot make one."""

# Runs under whatever `python3` is: nothing here may need more than Python 3.5.
import sys

if sys.version_info < (3, 10):
    sys.exit(
        "error: this is Python {}.{}, and 3.10 or newer is needed\n"
        "help: name one that is: make PYTHON=python3.12 ...".format(*sys.version_info[:2])
    )
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401
except ImportError:
    sys.exit(
        "error: {} cannot make virtual environments\n"
        "help: install its venv module (on Debian and Ubuntu the package is python3-venv)".format(sys.executable)
    )
