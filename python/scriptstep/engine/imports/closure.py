"""Which Python files of a directory a script imports, found without running it.

`hash_paths="imports"` keeps a step's working copy to these, so what is answered holds at least all that Python would
load; where that cannot be known the answer says why, by file and line.
"""

from __future__ import annotations

import bisect
import posixpath
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from scriptstep.content import Manifest
from scriptstep.engine.imports.statements import Import, Statements, read_statements
from scriptstep.records import dataclass

__all__ = ["Closure", "SourceFiles", "Unclear", "import_closure", "is_python"]

_SUFFIXES = (b".py", b".pyi")
_COMPILED = (b".so", b".pyd", b".pyc")
_MOST_LINKS = 40
# Any module may import these, and finds those of the project first. Nothing imports `test` by itself.
_STANDARD = sorted(name.encode() for name in sys.stdlib_module_names - {"test"})
# Python imports these when it starts.
_AT_START = ("sitecustomize", "usercustomize")

# By digest, so that each file is parsed once in a process.
_read: dict[str, Statements] = {}
_MOST_READ = 50_000


@dataclass(frozen=True)
class Unclear:
    """Where nobody can tell what is imported.

    Attributes:
        path: The file.
        line: The line in it; None for all of it.
        why: The reason.
    """

    path: bytes
    line: int | None
    why: str

    def __str__(self) -> str:
        place = self.path.decode("utf-8", "surrogateescape")
        return f"{place}: {self.why}" if self.line is None else f"{place}:{self.line}: {self.why}"


@dataclass(frozen=True)
class Closure:
    """What a script imports.

    Attributes:
        files: The script and the Python files that it imports, links on the way to them too; all Python files where it
            is unclear.
        unclear: Why nobody can tell; None where it is known.
    """

    files: frozenset[bytes]
    unclear: Unclear | None = None


def is_python(path: bytes) -> bool:
    """Returns: whether a file is one that an import may decide about: a Python file, or a stub of one."""
    return path.endswith(_SUFFIXES)


def import_closure(sources: SourceFiles, script: str, search: Sequence[str] = ()) -> Closure:
    """Finds which Python files a script imports.

    Args:
        sources: The directory.
        script: The script's path in it.
        search: Folders in it that are searched for modules after the script's own and the root, `""` for the root.

    Returns:
        Its closure.
    """
    walk = _Walk(sources, [folder.encode("utf-8", "surrogateescape") for folder in search])
    try:
        walk.start(script.encode("utf-8", "surrogateescape"))
        walk.follow()
    except _NotClear as found:
        return Closure(frozenset(sources.python_files), found.unclear)
    return Closure(frozenset(walk.taken))


class SourceFiles:
    """The files of a directory, as Python looks for them: links are followed as the manifest has them.

    Args:
        manifest: What the directory holds.
        read: Gives the bytes of a file of it.
    """

    def __init__(self, manifest: Manifest, read: Callable[[bytes], bytes]) -> None:
        self._manifest = manifest
        self._bytes_of = read
        self.paths = manifest.paths()
        self._known = set(self.paths)
        self._by_name: dict[bytes, list[bytes]] | None = None

    @property
    def python_files(self) -> list[bytes]:
        """Returns: every Python file."""
        return [path for path in self.paths if is_python(path)]

    def below(self, folder: bytes) -> Iterator[bytes]:
        """Yields: every path below a folder."""
        start = folder + b"/" if folder else b""
        for at in range(bisect.bisect_left(self.paths, start), len(self.paths)):
            if not self.paths[at].startswith(start):
                return
            yield self.paths[at]

    def beside(self, start: bytes) -> Iterator[bytes]:
        """Yields: every path that begins so and lies in the same folder."""
        for at in range(bisect.bisect_left(self.paths, start), len(self.paths)):
            if not self.paths[at].startswith(start):
                return
            if b"/" not in self.paths[at][len(start) :]:
                yield self.paths[at]

    def named(self, name: bytes) -> list[bytes]:
        """Returns: every Python file whose path ends with such parts."""
        if self._by_name is None:
            self._by_name = {}
            for path in self.python_files:
                self._by_name.setdefault(path.rpartition(b"/")[2], []).append(path)
        found = self._by_name.get(name.rpartition(b"/")[2], [])
        return [path for path in found if path == name or path.endswith(b"/" + name)]

    def modules_among(self, names: Sequence[bytes], folder: bytes) -> list[bytes]:
        """Returns: those of some names that a folder has a module of, or a link that may be one."""
        start, known = posixpath.join(folder, b""), self._known
        bases = [(name, start + name) for name in names]
        return [n for n, at in bases if at in known or at + b".py" in known or at + b"/__init__.py" in known]

    def real(self, path: bytes) -> tuple[bytes, tuple[bytes, ...]] | None:
        """Returns: where a path leads, and the links on the way; None where that is nowhere."""
        rest = deque(part for part in path.split(b"/") if part)
        here, links = b"", list[bytes]()
        while rest:
            part = rest.popleft()
            if part == b"..":
                here = posixpath.dirname(here)
                continue
            if part == b".":
                continue
            there = posixpath.join(here, part)
            entry = self._manifest.get(there) if there in self._known else None
            if entry is None or entry.kind != "link":
                here = there
                continue
            links.append(there)
            if len(links) > _MOST_LINKS or entry.target.startswith(b"/"):
                return None
            rest.extendleft(reversed(entry.target.split(b"/")))
            rest = deque(part for part in rest if part)
        return here, tuple(links)

    def file(self, path: bytes) -> tuple[bytes, tuple[bytes, ...]] | None:
        """Returns: the file that a path leads to, and the links on the way; None where it leads to none."""
        found = self.real(path)
        return found if found is not None and found[0] in self._known else None

    def folder(self, path: bytes) -> bytes | None:
        """Returns: the folder that a path leads to, or None."""
        found = self.real(path)
        if found is None or found[0] in self._known:
            return None
        return found[0] if not found[0] or next(self.below(found[0]), None) is not None else None

    def statements(self, path: bytes) -> Statements:
        """Returns: what a file asks for."""
        entry = self._manifest.get(path)
        assert entry is not None
        known = _read.get(entry.digest)
        if known is None:
            if len(_read) >= _MOST_READ:
                _read.clear()
            known = _read[entry.digest] = read_statements(self._bytes_of(path), path.decode("utf-8", "surrogateescape"))
        return known


class _NotClear(Exception):
    def __init__(self, unclear: Unclear) -> None:
        super().__init__(str(unclear))
        self.unclear = unclear


@dataclass(frozen=True)
class _Module:
    """A module that was found.

    Attributes:
        file: Its file; None of a namespace package.
        links: Links on the way to that.
        folders: Where its submodules are searched for, if it is a package.
    """

    file: bytes | None
    links: tuple[bytes, ...] = ()
    folders: tuple[bytes, ...] = ()


# Where top-level modules are searched for, in order.
_Roots = tuple[bytes, ...]


class _Walk:
    """Follows imports from file to file.

    A file that is imported under two names is looked at as both: relative imports mean different things in them.
    """

    def __init__(self, sources: SourceFiles, search: list[bytes]) -> None:
        self._sources = sources
        self._search = search
        self.taken: set[bytes] = set()
        self._found: dict[tuple[_Roots, str], _Module | None] = {}
        self._started: set[bytes] = set()
        # Namespace packages that were imported.
        self._bare: set[bytes] = set()
        self._waiting: deque[tuple[bytes, str, str, _Roots]] = deque()

    def start(self, script: bytes) -> None:
        """Begins with a file that Python is given to run."""
        found = self._sources.file(script)
        if found is None or found[0] in self._started:
            return
        real, links = found
        self._started.add(real)
        self._take(real, links)
        # As Python does: the folder of what a link leads to.
        roots = (posixpath.dirname(real), b"", *self._search)
        self._waiting.append((real, "__main__", "", roots))
        for name in _AT_START:
            self._load(name, roots[1:])
        for folder in roots:
            for standard in self._sources.modules_among(_STANDARD, folder):
                self._load(standard.decode(), roots)

    def follow(self) -> None:
        """Follows what there is to follow, to its end."""
        for folder in self._search:
            if self._sources.file(folder) is not None:
                raise _NotClear(Unclear(folder, None, "it is on PYTHONPATH, and no folder"))
        while self._waiting:
            file, name, package, roots = self._waiting.popleft()
            found = self._sources.statements(file)
            if found.unclear is not None:
                raise _NotClear(Unclear(file, *found.unclear))
            for wanted in found.imports:
                self._import(wanted, name, package, roots)
            for program in found.programs:
                self._run_module(program)
            for text in found.files:
                parts = [part for part in text.split("/") if part not in ("", ".", "..")]
                for path in self._sources.named("/".join(parts).encode("utf-8", "replace")):
                    self.start(path)
        self._keep_bare_folders()

    def _import(self, wanted: Import, name: str, package: str, roots: _Roots) -> None:
        target = wanted.module
        if wanted.level:
            base = package if wanted.anchor == "__package__" else wanted.anchor[0]
            base = name if wanted.anchor == "__name__" else base
            parts = base.split(".") if base and base != "__main__" else []
            if wanted.level > len(parts):
                return  # Python refuses it.
            parts = parts[: len(parts) - wanted.level + 1]
            target = ".".join([*parts, target] if target else parts)
        module = self._load(target, roots)
        if module is None or not module.folders:
            return
        for member in wanted.names:
            if member == "*":
                self._import_all(module, target, roots)
            else:
                self._load(f"{target}.{member}", roots)

    def _import_all(self, module: _Module, name: str, roots: _Roots) -> None:
        exported = self._sources.statements(module.file).exported if module.file is not None else ()
        if exported is not None:
            for member in exported:
                self._load(f"{name}.{member}", roots)
            return
        for folder in filter(None, map(self._sources.folder, module.folders)):
            for path in self._sources.below(folder):
                if path.endswith(b".py"):
                    inside = path[len(folder) + 1 : -3]
                    parts = inside.decode("utf-8", "surrogateescape").removesuffix("/__init__").split("/")
                    if all(part.isidentifier() for part in parts):
                        self._load(".".join([name, *parts]), roots)

    def _run_module(self, name: str) -> None:
        roots = (b"", b"", *self._search)
        module = self._load(name, roots)
        if module is not None and module.folders:
            self._load(f"{name}.__main__", roots)

    def _load(self, name: str, roots: _Roots) -> _Module | None:
        """Takes in a module and the packages that it is in; each is looked at once."""
        key = (roots, name)
        if key in self._found:
            return self._found[key]
        above, _, last = name.rpartition(".")
        folders: Sequence[bytes] = roots
        if above:
            package = self._load(above, roots)
            folders = package.folders if package is not None else ()
        module = self._found[key] = self._in(folders, last)
        if module is None:
            return None
        if module.file is None:
            self._bare.update(module.folders)
        else:
            self._take(module.file, module.links)
            self._waiting.append((module.file, name, name if module.folders else above, roots))
        return module

    def _in(self, folders: Sequence[bytes], name: str) -> _Module | None:
        """Looks for a module in some folders as Python does: package, compiled, source; a namespace last of all."""
        portions: list[bytes] = []
        for folder in folders:
            base = posixpath.join(folder, name.encode("utf-8", "replace"))
            inside = self._sources.folder(base)
            if inside is not None and (found := self._source(posixpath.join(base, b"__init__"))) is not None:
                return _Module(*found, (base,))
            if (found := self._source(base)) is not None:
                return _Module(*found)
            if inside is not None:
                portions.append(base)
        return _Module(None, (), tuple(portions)) if portions else None

    def _source(self, base: bytes) -> tuple[bytes, tuple[bytes, ...]] | None:
        """Returns: the file of a module, and the links on the way to it.

        Raises:
            _NotClear: It is compiled: what it imports cannot be read.
        """
        parent = self._sources.real(posixpath.dirname(base))
        if parent is not None:
            start = posixpath.join(parent[0], posixpath.basename(base)) + b"."
            for path in self._sources.beside(start):
                if path.endswith(_COMPILED):
                    raise _NotClear(Unclear(path, None, "it is compiled: what it imports cannot be read"))
        return self._sources.file(base + b".py")

    def _take(self, file: bytes, links: Sequence[bytes]) -> None:
        self.taken.update((file, *(link for link in links if is_python(link))))

    def _keep_bare_folders(self) -> None:
        """A namespace package is there for as long as something lies in its folder."""
        for place in self._bare:
            folder = self._sources.folder(place)
            inside = list(self._sources.below(folder)) if folder else []
            if inside and not any(path in self.taken or not is_python(path) for path in inside):
                self.taken.update(inside)
