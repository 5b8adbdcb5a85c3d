"""Where a source of a dataset lies; by a URL, in a folder that the settings give for it, or where the URL leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from scriptstep.data.paths import relative_path
from scriptstep.data.places import LocalPlace, Place, RemotePlace
from scriptstep.data.walk import fixed_part, is_pattern

if TYPE_CHECKING:
    from scriptstep.workspace.workspace import Workspace

__all__ = ["place_of_source", "place_of_url", "remote_cache"]

_WEB = ("http://", "https://")


def place_of_source(
    source: Mapping[str, Any],
    datastore: Callable[[str], Any],
    tree: Callable[[str], Path],
    workspace: Callable[[], Workspace],
) -> Place:
    """Finds one source of a dataset's definition; no more is looked up than it needs.

    Args:
        source: `{"tree": ...}`, `{"datastore": ..., "path": ...}`, `{"path": ...}` or `{"url": ...}`.
        datastore: Finds a datastore by its name.
        tree: Finds the content of a stored tree by its digest.
        workspace: Finds the workspace whose settings count for a URL.

    Returns:
        Its file, folder, or pattern.
    """
    if "tree" in source:
        return LocalPlace(tree(str(source["tree"])))
    if "datastore" in source:
        place: Place = datastore(source["datastore"])._place(str(source["path"]).lstrip("/"))
        return place
    if "path" in source:
        return LocalPlace(Path(str(source["path"])))
    return place_of_url(workspace(), str(source["url"]))


def place_of_url(workspace: Workspace, url: str) -> Place:
    """Finds the data that a URL names.

    Args:
        workspace: Whose settings count.
        url: The URL.

    Returns:
        A local place where a setting, or the URL itself, names one; else one far away.

    Raises:
        UserErrorException: It leads out of the place that a setting gives for it.
    """
    if url.startswith("file://"):
        return LocalPlace(Path(unquote(urlsplit(url).path)))
    plain = url.partition("?")[0] if url.startswith(_WEB) else url
    found = [
        (len(table.url), name, plain[len(table.url) :].strip("/"))
        for name, table in workspace._settings.datastores.items()
        if table.url and (plain == table.url or plain.startswith(table.url.rstrip("/") + "/"))
    ]
    if found:
        from scriptstep.workspace.datastore import Datastore

        _, name, rest = max(found)
        place: Place = Datastore.get(workspace, name)._place(relative_path(rest, "a URL"))
        return place
    begins, last, query = _split(url)
    help = (
        f"or put '{last}' into a folder, say data/web, and name that in scriptstep.toml:\n"
        f'  [datastores.web]\n  path = "data/web"\n  url = "{begins}"'
    )
    cache = remote_cache(workspace._place.home, "web", begins)
    from scriptstep.data.remote import RemoteStore

    return RemotePlace(RemoteStore(begins, cache, begins, help, query=query), last)


def remote_cache(home: Path, name: str, url: str) -> Path:
    """Returns: the folder that what is fetched from a URL is kept in.

    Args:
        home: The state folder.
        name: Of the datastore.
        url: Its URL.
    """
    import hashlib

    return home / "remote" / f"{name}-{hashlib.blake2b(url.encode(), digest_size=6).hexdigest()}"


def _split(url: str) -> tuple[str, str, str]:
    """Returns: the part of a URL that names a folder, what is left (a file or a pattern), and its query."""
    scheme, _, rest = url.partition("://")
    # What follows a question mark is a query on the web, and anywhere else a pattern.
    rest, mark, query = rest.partition("?") if url.startswith(_WEB) else (rest, "", "")
    base = fixed_part(rest) if is_pattern(rest) else rest.rstrip("/").rpartition("/")[0]
    return f"{scheme}://{base or rest}", rest[len(base) :].strip("/") if base else "", mark + query
