"""What a directory holds, exactly, and the store that keeps whole trees: the Python face of the Rust core.

Paths below a root are bytes, `/` between their parts; digests are 64 hex digits of BLAKE3.
"""

from scriptstep.content.collecting import Census, Collection, Leftover, leftovers
from scriptstep.content.links import make_links
from scriptstep.content.manifest import Change, Cost, Entry, Manifest, digest_bytes, digest_file
from scriptstep.content.scanning import Explanation, OnProgress, Survey, explain, left_out, scan, stamps
from scriptstep.content.spelling import spell
from scriptstep.content.store import ContentStore, Guard

__all__ = [
    "Census",
    "Change",
    "Collection",
    "ContentStore",
    "Cost",
    "Entry",
    "Explanation",
    "Guard",
    "Leftover",
    "Manifest",
    "OnProgress",
    "Survey",
    "digest_bytes",
    "digest_file",
    "explain",
    "left_out",
    "leftovers",
    "make_links",
    "scan",
    "spell",
    "stamps",
]
