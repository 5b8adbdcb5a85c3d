"""Writes tests/data/key_vectors.json anew: only when the form of a key changes, together with its scheme."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scriptstep.content import digest_bytes, spell
from scriptstep.engine.key import KEY_DOMAIN

VALUES: list[Any] = [
    None, True, False, 0, -7, 10**20, 0.1, -0.0, 1e300, "", "text", "Привет", [], ["a", 1, None], {}, {"b": 1, "a": [True]}, {"é": "x", "z": {"y": 2.5}},
]  # fmt: skip
DOCUMENTS: list[Any] = [
    {},
    {"scheme": 1, "script": "train.py", "arguments": [[["text", "--depth"]], [["text", "3"]]]},
    {"scheme": 1, "script": "train.py", "arguments": [[["text", "--depth"], ["text", "3"]]]},
    {"scheme": 1, "inputs": {"raw": {"identity": {"from": "step", "content": "00" * 32}, "mode": "mount"}}},
]

if __name__ == "__main__":
    vectors = {
        "domain": KEY_DOMAIN,
        "encoding": [{"value": v, "hex": spell(v).hex()} for v in VALUES],
        "keys": [{"document": d, "key": digest_bytes(KEY_DOMAIN, spell(d))} for d in DOCUMENTS],
    }
    target = Path(__file__).parent / "data" / "key_vectors.json"
    target.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
