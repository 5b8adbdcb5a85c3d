"""Asks the real SDK which files of seeded trees it takes, and writes its answers to tests/data/sdk_kept.json.

Run it with a Python that has azureml-core 1.61 installed: `python -m tests.make_sdk_vectors`.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tests.sdk_trees import plant

_COUNT = 500
_ANSWERS = Path(__file__).parent / "data" / "sdk_kept.json"


def _kept(root: Path) -> list[str]:
    from azureml._base_sdk_common.merkle_tree import create_merkletree
    from azureml._project.ignore_file import get_project_ignore_file

    tree = create_merkletree(str(root), get_project_ignore_file(str(root)).is_file_excluded)
    found: list[str] = []
    waiting: list[tuple[Any, str]] = [(tree, "")]
    while waiting:
        node, place = waiting.pop()
        for child in node.children:
            below = f"{place}{child.name}"
            if child.children or os.path.isdir(root / below):
                waiting.append((child, f"{below}/"))
            else:
                found.append(below)
    return sorted(found)


def main() -> None:
    """Writes the answers."""
    from azureml.core import VERSION

    answers = []
    for seed in range(_COUNT):
        with tempfile.TemporaryDirectory() as folder:
            plant(seed, Path(folder))
            answers.append(_kept(Path(folder)))
    _ANSWERS.write_text(
        json.dumps({"azureml-core": VERSION, "kept": answers}, ensure_ascii=False, separators=(",", ":")) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
