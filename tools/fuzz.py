"""Look for bytes that the core's readers do not stand: `make fuzz`.

    python tools/fuzz.py [--seconds N] [--keep] [TARGET ...]

Each target of rust/core/fuzz runs for a while under libFuzzer, which follows the paths that bytes take through the
code. It begins with the corpus that is kept in the repository; what it finds besides goes into build/fuzz. `--keep`
makes the repository's corpus anew of both: few inputs that reach all that they reach. Bytes that a target does not
stand are left in build/fuzz/TARGET/crash-...; as a line of hex digits in the corpus they are tested ever after.

The targets are laid out as cargo-fuzz has it and can be run by it; here they are built without it, for a stable Rust.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "rust" / "core" / "fuzz"
_FOUND = ROOT / "build" / "fuzz"
# As cargo-fuzz sets them, less its sanitizer, which needs a nightly Rust.
_FLAGS = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
]
# Longer input reaches nothing new, and makes each try slower.
_LONGEST = 1024


def targets() -> list[str]:
    """The names of all targets."""
    return sorted(file.stem for file in (FUZZ / "fuzz_targets").glob("*.rs"))


def build() -> Path:
    """Builds the targets; gives the folder of their programs."""
    host = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    triple: str = re.findall(r"^host: (.*)$", host, re.MULTILINE)[0]
    folder = ROOT / "target" / "fuzz"
    # By naming the target, build scripts are built without the flags.
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target", triple, "--target-dir", str(folder)]
    environment = {**os.environ, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(_FLAGS)}
    done = subprocess.run(command, cwd=FUZZ, env=environment, check=False)
    if done.returncode:
        sys.exit("fuzz: the targets could not be built; libFuzzer needs a C++ compiler")
    return folder / triple / "release"


def seeds(target: str) -> Iterator[bytes]:
    """What the tests' own data has for a target, in the form that it takes."""
    data = ROOT / "tests" / "data"
    if target == "manifest":
        for vector in json.loads((data / "manifest_vectors.json").read_text("utf-8")):
            yield bytes.fromhex(vector["encoded"])
        return
    for case in json.loads((data / "ignore_cases.json").read_text("utf-8"))["cases"]:
        paths = [entry["p"].encode() for entry in case["entries"] if "p" in entry]
        for entry in case["entries"]:
            if not entry.get("p", "").endswith(".gitignore"):
                continue
            rules = bytes.fromhex(entry["cx"]) if "cx" in entry else entry.get("c", "").encode()
            if target == "rule_file":
                yield from (rules + b"\0" + path for path in paths)
            else:
                yield from (line + b"\n" + path for line in rules.split(b"\n") for path in paths)


def read_corpus(target: str) -> list[bytes]:
    """What the repository keeps for a target."""
    try:
        return [bytes.fromhex(line) for line in _corpus_file(target).read_text("ascii").splitlines()]
    except FileNotFoundError:
        return []


def unpack(inputs: Iterable[bytes], folder: Path) -> Path:
    """Writes inputs into a folder of their own, a file each, as libFuzzer takes them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, data in enumerate(inputs):
        (folder / str(number)).write_bytes(data)
    return folder


def run(program: Path, target: str, seconds: int) -> bool:
    """Runs a target; tells whether it stood everything."""
    found = _FOUND / target
    (found / "corpus").mkdir(parents=True, exist_ok=True)
    command = [
        str(program),
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST}",
        f"-artifact_prefix={found}{os.sep}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        str(found / "corpus"),
        str(unpack(read_corpus(target), found / "kept")),
    ]
    code, said = _said(command)
    (found / "log.txt").write_text(said, encoding="utf-8")
    tries = re.findall(r"stat::number_of_executed_units:\s+(\d+)", said)
    covered = re.findall(r"cov: (\d+)", said)
    figures = f"{int(tries[-1]):,} tries, {covered[-1]} edges reached" if tries and covered else "no figures"
    if code == 0:
        print(f"fuzz: {target}: {figures} in {seconds} s", flush=True)
        return True
    crashes = ", ".join(str(path.relative_to(ROOT)) for path in sorted(found.glob("*-*")))
    print("\n".join(said.splitlines()[-40:]), file=sys.stderr)
    print(f"fuzz: {target}: FAILED: {figures}; the bytes: {crashes}", flush=True)
    print(f"fuzz: again: {program.relative_to(ROOT)} {crashes.split(', ')[0]}", flush=True)
    return False


def keep(program: Path, target: str) -> None:
    """Makes the repository's corpus of itself, what was found and the seeds: few small inputs that reach it all."""
    found = _FOUND / target
    chosen = unpack([], found / "chosen")
    given = [unpack(seeds(target), found / "seeds"), found / "corpus", found / "kept"]
    code, said = _said(
        [str(program), "-set_cover_merge=1", f"-max_len={_LONGEST}", str(chosen), *map(str, given)],
    )
    if code:
        sys.exit(said[-2000:])
    inputs = sorted((file.read_bytes() for file in chosen.iterdir()), key=lambda data: (len(data), data))
    _corpus_file(target).parent.mkdir(exist_ok=True)
    _corpus_file(target).write_text("".join(f"{data.hex()}\n" for data in inputs), encoding="ascii")
    print(f"fuzz: {target}: {len(inputs)} inputs, {sum(map(len, inputs)):,} bytes are kept")


def _corpus_file(target: str) -> Path:
    return FUZZ / "corpus" / f"{target}.hex"


def _said(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def main() -> int:
    """Runs the targets, one after the other.

    Returns:
        The exit code: 1 where one did not stand everything.
    """
    parser = argparse.ArgumentParser(prog="python tools/fuzz.py", description="Fuzz the core.")
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs (60)")
    parser.add_argument("--keep", action="store_true", help="add what reaches further to the repository's corpus")
    parser.add_argument("targets", nargs="*", help="the targets; all of them where none is named")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(targets()):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(targets())}")
    programs = build()
    failed = False
    for target in options.targets or targets():
        failed |= not run(programs / target, target, options.seconds)
        if options.keep and not failed:
            keep(programs / target, target)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
