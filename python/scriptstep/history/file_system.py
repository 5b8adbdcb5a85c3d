"""Does a file system share memory between processes? SQLite's write-ahead log needs that; over a network it breaks."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["is_remote"]

_REMOTE = frozenset(
    [
        "9p",
        "acfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "cvmfs",
        "davfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
        "virtiofs",
        "webdav",
    ]
)


def is_remote(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Tells whether a path lies on a network file system, or one like it.

    Args:
        path: A file or folder; it need not be there yet.
        mounts: The table of mounts, as Linux writes it. Elsewhere, and where it cannot be read, the answer is False.

    Returns:
        True where files are mapped from another machine, or by a program (FUSE).
    """
    if sys.platform != "linux":
        return False
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        place = str(path.resolve())
    except OSError:
        return False
    longest, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = _unescaped(fields[4])
        inside = point == "/" or place == point or place.startswith(point + "/")
        # Later lines hide earlier ones at the same place.
        if inside and len(point) >= len(longest):
            longest, kind = point, after.split(" ")[0]
    return kind in _REMOTE or (kind.startswith("fuse") and kind != "fuseblk")


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
