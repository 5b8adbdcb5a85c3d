"""What a step may read without a word of an audit: what it was given, its environment, and the operating system."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import scriptstep.runtime
from scriptstep.data.materialize import Files

__all__ = ["Places"]

# Folders and files of the operating system, which a key knows by its name alone; docs/audit.md lists them.
_SYSTEM = (
    "/bin /sbin /lib /lib32 /lib64 /libx32 /proc /sys /dev /usr/bin /usr/sbin /usr/lib /usr/lib32 /usr/lib64 "
    "/usr/libx32 /usr/libexec /usr/share/zoneinfo /usr/share/locale /usr/share/i18n /usr/share/locale-langpack "
    "/usr/share/X11/locale /usr/share/terminfo /usr/share/ca-certificates /usr/local/share/ca-certificates "
    "/usr/share/mime /usr/share/fonts /usr/local/share/fonts /usr/share/fontconfig /usr/share/perl "
    "/usr/share/perl5 /usr/share/misc /usr/share/openmpi /etc/openmpi /etc/ld.so.cache /etc/ld.so.conf "
    "/etc/ld.so.conf.d /etc/ld.so.preload "
    "/etc/localtime /etc/timezone /etc/passwd /etc/group /etc/shells /etc/nsswitch.conf /etc/hosts /etc/host.conf "
    "/etc/hostname /etc/resolv.conf /etc/gai.conf /etc/services /etc/protocols /etc/networks /etc/ssl /etc/pki "
    "/etc/ca-certificates /etc/ca-certificates.conf /etc/crypto-policies /etc/mime.types /etc/locale.alias "
    "/etc/fonts /etc/terminfo /etc/inputrc /etc/os-release /etc/lsb-release /etc/debian_version /etc/alternatives "
    "/var/cache/fontconfig /var/cache/ldconfig /var/lib/ca-certificates /run/systemd /run/nscd /run/resolvconf "
    "/run/dbus /System /Library/Frameworks /Library/Apple /private/var/db/timezone /private/var/db/dyld"
).split()
# Prefixes that an interpreter shares with everything else.
_SHARED = frozenset({"/", "/usr", "/usr/local", "/opt", "/opt/local", "/opt/homebrew"})
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# State of the workspace that our own code reads; runs and datastores hold what others made.
_NOT_OURS = ("runs", "datastores")


class Places:
    """Tells what lies inside of a step's world.

    Args:
        folder: The step's own folder, with its copy of the content and its outputs.
        home: The state folder.
        given: The paths that the script is given for its inputs.
        locations: The user's own files and folders that inputs stand for.
        files: Files that inputs, and what the script reads through the SDK, stand for.
        interpreter: The Python of the step.
        variables: Its environment variables.
        editables: Folders and files that editable installations put on its path.
        pythons: What each Python that ran in the attempt told of itself.

    Attributes:
        strangers: For each folder of a Python that is not the step's: that Python.
    """

    def __init__(
        self,
        *,
        folder: Path,
        home: Path,
        given: Iterable[str],
        locations: Iterable[Path],
        files: Sequence[Files],
        interpreter: str,
        variables: Mapping[str, str],
        editables: Iterable[str],
        pythons: Iterable[Mapping[str, Any]],
    ) -> None:
        self._folder, self._home, self._files = os.path.realpath(folder), os.path.realpath(home), files
        self._given = _roots(given, follow=False)
        self.strangers: dict[str, str] = {}
        self._libraries: tuple[str, ...] = ()
        prefix = _prefix_of(interpreter)
        environment = {prefix, os.path.realpath(interpreter)}
        packages = {str(found) for found in Path(prefix).glob("lib/python*/site-packages")}
        for python in pythons:
            folders = {python["library"], *python["site"], *python["prefixes"]} - _SHARED
            if os.path.realpath(python["prefixes"][0]) == prefix:
                environment |= folders
                packages |= set(python["site"])
                self._libraries += tuple(os.path.join(p, "lib", "libpython") for p in python["prefixes"])
            else:
                self.strangers |= dict.fromkeys(_roots(folders), python["executable"])
        self._environment = _roots(environment - _SHARED)
        self._inside = _roots(
            [
                *packages,
                *editables,
                *locations,
                *_SYSTEM,
                *(variables.get(name, "") for name in _CERTIFICATES),
                self._folder,
                os.path.join(self._home, "trees"),
                os.path.dirname(os.path.dirname(scriptstep.runtime.__file__)),
            ]
        )
        self._temporary = _roots([*_TEMPORARY, variables.get("TMPDIR", "")])

    def holds(self, path: str, real: str) -> bool:
        """Tells whether a file or folder is inside.

        Args:
            path: As it was named, absolute.
            real: Without links on the way.

        Returns:
            Whether it is.
        """
        if _below(real, self._inside):
            return True
        # Packages of an interpreter below a virtual environment are none of that environment's.
        if not any(part in real + os.sep for part in _PACKAGES):
            if _below(real, self._environment) or real.startswith(self._libraries):
                return True
        if _below(real, (self._home + os.sep,)):
            return os.path.relpath(real, self._home).split(os.sep)[0] not in _NOT_OURS or real in self._declared
        # A link in the data leads on: what it leads to is data, too.
        if _below(path, self._given) and os.path.realpath(path) == real:
            return True
        return real in self._declared

    def is_temporary(self, real: str) -> bool:
        """Returns: whether a file lies where temporary files do."""
        return _below(real, self._temporary)

    @cached_property
    def _declared(self) -> frozenset[str]:
        return frozenset(os.path.realpath(file) for files in self._files for _, file in files)


def _prefix_of(interpreter: str) -> str:
    """Returns: where the interpreter is installed: the virtual environment, where it is of one."""
    if interpreter == sys.executable:
        return os.path.realpath(sys.prefix)
    return os.path.realpath(os.path.dirname(os.path.dirname(os.path.abspath(interpreter))))


def _roots(paths: Iterable[str | os.PathLike[str]], *, follow: bool = True) -> tuple[str, ...]:
    made = (os.path.realpath(p) if follow else os.path.abspath(p) for p in paths if os.path.isabs(p))
    return tuple(sorted({path.rstrip(os.sep) + os.sep for path in made}))


def _below(path: str, roots: tuple[str, ...]) -> bool:
    return (path.rstrip(os.sep) + os.sep).startswith(roots)
