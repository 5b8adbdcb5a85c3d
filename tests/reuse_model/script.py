"""The script of every step of the model: it looks at all that it is given, and writes a digest of that.

Laid out as a step's own file it runs by itself; in process, `main` is called with what a process would have. Its last
line says how it behaves: `# behaviour: WORD [reads] SALT`.

- tells: each output is a digest of all that was seen
- coarse: one of two outputs, so that most changes end here
- constant: always the same output
- tree: a folder that holds an executable, links, an empty folder and odd names
- moody: fails for a third of all that can be seen, its outputs half written
- nothing: writes no output
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys

_PREFIXES = ("AML_PARAMETER_", "AZUREML_DATAREFERENCE_", "AZUREML_DATASET_", "MODEL_", "OMPI_COMM_WORLD_SIZE")
_NAMES = ("TZ", "LANG", "WORLD_SIZE", "RANK", "NODE_RANK", "LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE")


def look(place):
    """Returns: what lies at a place, {path: [kind, data]}; links inside it as links, others as what they lead to."""
    if not os.path.exists(place):
        return None
    if os.path.isfile(place):
        return {"": _file(place)}
    found = {}
    waiting = [""]
    while waiting:
        below = waiting.pop()
        names = os.listdir(os.path.join(place, below))
        if not names and below:
            found[below] = ["directory", ""]
        for name in names:
            path = os.path.join(below, name)
            full = os.path.join(place, path)
            text = os.readlink(full) if os.path.islink(full) else None
            if text is not None and not text.startswith(("/", "..")):
                found[path] = ["link", os.fsencode(text).hex()]
            elif os.path.isdir(full):
                waiting.append(path)
            else:
                found[path] = _file(full)
    return found


def _file(path):
    with open(path, "rb") as file:
        data = file.read()
        kind = "executable" if os.fstat(file.fileno()).st_mode & stat.S_IXUSR else "file"
    return [kind, data.hex()]


def digest_of(seen):
    """Returns: a digest of what was seen."""
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def is_bad_day(behaviour, digest):
    """Returns: whether a script that behaves so fails for what it saw."""
    return behaviour == "moody" and int(digest[0], 16) < 5


def written(behaviour, digest, output, is_folder):
    """Returns: what a script writes to an output, {path: [kind, data]}; None for nothing."""
    if behaviour == "nothing":
        return {} if is_folder else None
    told = {"constant": "constant", "coarse": str(int(digest[0], 16) % 2)}.get(behaviour, digest)
    text = f"{output} {told}".encode().hex()
    if behaviour != "tree":
        return {"told.txt" if is_folder else "": ["file", text]}
    return {
        "deep/told.sh": ["executable", text],
        "caf\udce9 \u2713": ["file", digest[:2].encode().hex()],
        "to": ["link", b"deep/told.sh".hex()],
        "nowhere": ["link", f"gone {digest[0]}".encode().hex()],
        "empty": ["directory", ""],
    }


def lay(tree, place):
    """Puts a tree of `written` at a place."""
    for path, (kind, data) in tree.items():
        full = os.path.join(place, path) if path else place
        if kind == "directory":
            os.makedirs(full, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if kind == "link":
            os.symlink(os.fsdecode(bytes.fromhex(data)), full)
            continue
        with open(full, "wb") as file:
            file.write(bytes.fromhex(data))
        os.chmod(full, 0o755 if kind == "executable" else 0o644)


def main(argv, env, cwd, read, keep=lambda digest: None):
    """Runs the script.

    Args:
        argv: Its path below `cwd`, and its arguments.
        env: Its environment.
        cwd: The working copy.
        read: Reads through the SDK.
        keep: Told the digest of all that was seen: an effect that no port shows.

    Returns:
        The exit code.
    """
    with open(os.path.join(cwd, argv[0]), encoding="utf-8") as file:
        behaviour, *words = file.read().rstrip().rpartition("# behaviour: ")[2].split()
    run = env["SCRIPTSTEP_RUN_DIR"]

    def masked(text):
        return text.replace(run, "RUN")

    as_datasets = [item.partition(":")[0] for item in env["AZUREML_DATASET_ENVIRONMENT_VARS"].split(",") if item]
    written_ones = [name for name in env["AZUREML_DATASET_FILE_OUTPUTS"].split(";") if name]
    places = {name: env[name] for name in as_datasets + written_ones}
    prefix = "AZUREML_DATAREFERENCE_"
    places.update((name.removeprefix(prefix), path) for name, path in env.items() if name.startswith(prefix))
    outputs = {name: path for name, path in places.items() if path.startswith(f"{run}/outputs/")}
    inputs = {name: path for name, path in places.items() if name not in outputs}

    own = look(cwd)
    within = [os.path.relpath(path, cwd) + "/" for path in inputs.values() if path.startswith(cwd + "/")]
    skipped = ("outputs/", "logs/", *within)
    files = {p: e for p, e in own.items() if e[0] != "directory" and not (p + "/").startswith(skipped)}
    if "MODEL_LOOKS_AT" in env:
        only = [argv[0], *env["MODEL_LOOKS_AT"].split(":")]
        files = {p: e for p, e in files.items() if any(p == o or p.startswith(o + "/") for o in only)}
    names = [n for n in env if n.startswith(_PREFIXES) or n in _NAMES or n in places]
    seen = {
        "script": argv[0],
        "arguments": [masked(argument) for argument in argv[1:]],
        "files": files,
        "variables": {name: masked(env[name]) for name in names},
        "cluster": _cluster(env),
        "inputs": {name: [os.path.islink(path), look(path)] for name, path in inputs.items()},
        "reads": read() if "reads" in words else None,
    }
    digest = digest_of(seen)
    keep(digest)
    if "MODEL_SHOW" in env:
        with open(os.path.join(env["MODEL_SHOW"], digest), "w", encoding="utf-8") as file:
            json.dump(seen, file, indent=1, sort_keys=True)
    is_bad = is_bad_day(behaviour, digest)
    for name, path in sorted(outputs.items()):
        tree = written(behaviour, digest, name, os.path.isdir(path))
        if tree is not None:
            lay(tree, path)
        if is_bad:
            break
    return 3 if is_bad else 0


def _cluster(env):
    if "TF_CONFIG" not in env:
        return None
    return {kind: len(places) for kind, places in json.loads(env["TF_CONFIG"])["cluster"].items()}


def _read_notes():
    from azureml.core import Dataset, Run

    notes = Dataset.get_by_name(Run.get_context().experiment.workspace, "notes")
    return [notes.version, notes.description]


if __name__ == "__main__":
    sys.exit(main(sys.argv, dict(os.environ), os.getcwd(), _read_notes))
