"""Stop unless the scriptstep that would be tested is the wheel installed beside this interpreter."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import scriptstep

where = Path(scriptstep.__file__).resolve()
site_packages = Path(sysconfig.get_path("platlib")).resolve()
if site_packages not in where.parents:
    sys.exit(f"error: scriptstep is imported from {where.parent}, not from the installed wheel\nhelp: make clean test")
