"""Writes down how a step's script was called, before it begins: its words, its variables, its code and its inputs.

A .pth file of the interpreter runs it, with FOLDER in its globals; nothing of scriptstep takes part.
"""

import json
import os
import shutil
import sys


def _capture(folder: str) -> None:
    attempt, code = os.environ.get("SCRIPTSTEP_ATTEMPT"), os.getcwd()
    words = sys.orig_argv
    if attempt is None or os.path.basename(code) != "code" or len(words) < 2 or not words[1].endswith(".py"):
        return
    place = os.path.join(folder, attempt)
    try:
        os.makedirs(place)
    except FileExistsError:
        return  # a script that the step's own started
    step = os.path.dirname(code)
    shutil.copytree(code, os.path.join(place, "code"), symlinks=True)
    shutil.copytree(os.path.join(step, "inputs"), os.path.join(place, "inputs"), symlinks=True)
    outputs = os.path.join(step, "outputs")
    made = sorted(entry.name for entry in os.scandir(outputs) if entry.is_dir())
    call = {"words": words, "variables": dict(os.environ), "step": step, "made": made}
    with open(os.path.join(place, "call.json"), "w", encoding="utf-8") as file:
        json.dump(call, file)


_capture(globals()["FOLDER"])
