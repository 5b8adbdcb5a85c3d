"""What git keeps, the scan keeps: on trees that lie on the disk, against what git itself said."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from scriptstep.content import explain
from scriptstep.errors import RuleFileError
from tests.as_user import as_user, give_away, users_folder
from tests.oracle.git_kept import git_kept, git_reasons, git_version, make_repository
from tests.scans import scan_code

CASES = json.loads((Path(__file__).parent / "data" / "ignore_cases.json").read_text(encoding="utf-8"))
COMPARED = [case for case in CASES["cases"] if "exclude" not in case and "icase" not in case]
GROUPS = sorted({case["group"] for case in COMPARED})


def path_of(entry: dict[str, str]) -> bytes:
    return entry["p"].encode() if "p" in entry else bytes.fromhex(entry["px"])


def build(root: bytes, entries: Iterable[dict[str, str]], rule_file: bytes) -> None:
    """Makes a case's tree, its `.gitignore` files under another name."""
    made: set[bytes] = set()
    for entry in entries:
        parts = [rule_file if part == b".gitignore" else part for part in path_of(entry).split(b"/") if part]
        path = os.path.join(root, *parts)
        folder = os.path.dirname(path)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        kind = entry.get("t", "f")
        if kind == "d":
            os.makedirs(path, exist_ok=True)
        elif os.path.lexists(path):
            pass
        elif kind == "l":
            os.symlink(entry["to"], path)
        elif kind == "p":
            os.mkfifo(path)
        else:
            data = bytes.fromhex(entry["cx"]) if "cx" in entry else entry.get("c", "").encode()
            with open(path, "wb") as file:
                file.write(data)


def is_builtin(path: bytes) -> bool:
    """Whether a built-in rule speaks of a path: git has none of these."""
    *folders, name = path.split(b"/")
    return (
        b"__pycache__" in folders
        or b".ipynb_checkpoints" in folders
        or name == b".DS_Store"
        or name.endswith((b".pyc", b".pyo"))
        or path == b"scriptstep.toml"
    )


def disagreements(group: str, folder: Path, rule_file: bytes) -> list[str]:
    wrong = []
    for case in COMPARED:
        if case["group"] != group:
            continue
        root = os.fsencode(folder / case["id"])
        os.mkdir(root)
        build(root, [*case["entries"], *CASES["trees"].get(case.get("tree"), [])], rule_file)
        # One in the root is what chooses the kind; a case may have its rules further down alone.
        if not os.path.lexists(os.path.join(root, rule_file)):
            build(root, [{"p": ".gitignore"}], rule_file)
        kept = set(scan_code(os.fsdecode(root), threads=1).paths()) - {rule_file}
        names = [bytes.fromhex(name["px"]) if isinstance(name, dict) else name.encode() for name in case["kept"]]
        expected = {
            b"/".join(rule_file if part == b".gitignore" else part for part in name.split(b"/")) for name in names
        }
        expected.discard(rule_file)
        if rule_file != b".gitignore":
            # Some rules speak of `.gitignore` by name: of the renamed files themselves nothing is known.
            kept = {path for path in kept if path.rsplit(b"/")[-1] != rule_file}
            expected = {path for path in expected if path.rsplit(b"/")[-1] != rule_file}
        lost = {path for path in expected - kept if not is_builtin(path)}
        if lost or kept - expected:
            wrong.append(f"{case['id']}: lost {sorted(lost)}, took in {sorted(kept - expected)}")
        shutil.rmtree(root)
    return wrong


@pytest.mark.parametrize("group", GROUPS)
def test_a_tree_is_kept_as_git_keeps_it(group: str, tmp_path: Path) -> None:
    assert disagreements(group, tmp_path, b".gitignore") == []


@pytest.mark.parametrize("group", GROUPS)
def test_amlignore_files_keep_the_same(group: str, tmp_path: Path) -> None:
    assert disagreements(group, tmp_path, b".amlignore") == []


def test_the_cases_are_all_there() -> None:
    assert len(COMPARED) > 1_280


# Random trees, against the git that is installed.

NAMES = [
    "a",
    "b",
    "ab",
    "abc",
    "a.b",
    "x.log",
    "foo",
    "Foo",
    "f o",
    "é",
    "d",
    "build",
    ".env",
    "a-b",
    "[a]",
    "*",
    "\\",
    "#x",
    "!y",
    "tmp ",
]
ATOMS = [
    "a",
    "b",
    "ab",
    "*",
    "**",
    "?",
    "[ab]",
    "[!a]",
    "[a-c]",
    "*.log",
    ".",
    "foo",
    "d",
    "build",
    "\\",
    "[",
    "]",
    "é",
    " ",
    "!",
    "#",
    "x",
    "[[:alpha:]]",
]


def random_rule(chance: random.Random) -> str:
    parts = [
        "".join(chance.choices(ATOMS, k=chance.choice((1, 1, 1, 2, 3))))
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3)))
    ]
    line = (
        chance.choice(("", "", "", "/", "**/", "!", "!/"))
        + "/".join(parts)
        + chance.choice(("", "", "", "/", "/*", "/**", " ", "\r"))
    )
    return chance.choice(NAMES) if chance.random() < 0.2 else line


def is_new_git_only(rule: str) -> bool:
    """Whether a rule has `**` glued to a name, of which git before 2.55 thought otherwise.

    Only the first `!` negates: that of `!!**/x` is a name.
    """
    parts = rule.removeprefix("!").replace("\r", "").rstrip(" ").split("/")
    return git_version() < (2, 55) and any("**" in part and part != "**" for part in parts)


def plant(chance: random.Random, folder: Path, depth: int) -> None:
    if chance.random() < (0.9 if depth == 0 else 0.35):
        rules = [random_rule(chance) for _ in range(chance.randint(1, 6))]
        text = "".join(f"{rule}\n" for rule in rules if not is_new_git_only(rule))
        (folder / ".gitignore").write_text(text, encoding="utf-8", newline="")
    for name in chance.sample(NAMES, k=chance.randint(2, 6)):
        if depth < 3 and chance.random() < 0.45:
            (folder / name).mkdir()
            plant(chance, folder / name, depth + 1)
        elif chance.random() < 0.08:
            (folder / name).symlink_to(".")
        else:
            (folder / name).write_bytes(b"")


# So many trees in all; `make soak` asks for more.
TREES = int(os.environ.get("SCRIPTSTEP_TREES", "500"))


@pytest.mark.skipif(git_version() < (2, 30), reason="no git here to ask")
@pytest.mark.parametrize("block", range(10))
def test_random_trees_are_kept_as_git_keeps_them_and_for_its_reasons(block: int, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "git")
    wrong = []
    ignored = 0
    for seed in range(block * TREES // 10, (block + 1) * TREES // 10):
        tree = tmp_path / f"tree-{seed}"
        tree.mkdir()
        plant(random.Random(seed), tree, 0)
        ours, theirs = set(scan_code(tree, threads=1).paths()), git_kept(repository, tree)
        ignored += sum(len(files) for _, _, files in os.walk(tree)) > len(theirs)
        if ours != theirs:
            wrong.append(f"seed {seed}: lost {sorted(theirs - ours)}, took in {sorted(ours - theirs)}")
        for path, said in git_reasons(repository, tree).items():
            told = explain(tree, path)
            ours_said = None if told.kind != "rule" or told.file == b"(built-in)" else (told.file, told.line, told.rule)
            if ours_said != said:
                wrong.append(f"seed {seed}: {path!r}: {ours_said} and not {said}")
        shutil.rmtree(tree)
    assert wrong == []
    assert ignored > 20, "trees of which git keeps everything prove nothing"


# What git does not say, or what scriptstep does otherwise.


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def kept(root: Path) -> list[str]:
    return [os.fsdecode(path) for path in scan_code(root).paths()]


def test_nothing_above_the_source_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    write(
        tmp_path,
        {
            ".gitignore": "*.py\n",
            ".amlignore": "*\n",
            ".ignore": "*\n",
            ".git/info/exclude": "*\n",
            ".git/config": f"[core]\n\texcludesFile = {tmp_path}/.gitignore\n",
            ".gitconfig": f"[core]\n\texcludesFile = {tmp_path}/.gitignore\n",
            ".config/git/ignore": "*\n",
            "code/main.py": "",
            "code/.ignore": "*\n",
            "code/.rgignore": "*\n",
        },
    )
    assert kept(tmp_path / "code") == [".ignore", ".rgignore", "main.py"]


def test_the_repository_that_a_source_directory_is_has_no_say_but_its_gitignore(tmp_path: Path) -> None:
    write(tmp_path, {".git/info/exclude": "*\n", "main.py": ""})
    assert kept(tmp_path) == ["main.py"]


def test_a_file_that_git_tracks_although_ignored_is_left_out_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, {".git/index": "", ".gitignore": "main.py\n", "main.py": ""})
    assert kept(tmp_path) == [".gitignore"]


def test_an_amlignore_in_the_root_switches_every_gitignore_off(tmp_path: Path) -> None:
    write(
        tmp_path,
        {".gitignore": "a\n", "a": "", "b": "", "sub/.gitignore": "*\n", "sub/a": "", "sub/b": "", ".amlignore": "b\n"},
    )
    assert kept(tmp_path) == [".amlignore", ".gitignore", "a", "sub/.gitignore", "sub/a"]


def test_an_empty_amlignore_does_so_too(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*\n", "a": "", ".amlignore": ""})
    assert kept(tmp_path) == [".amlignore", ".gitignore", "a"]


def test_an_amlignore_further_down_is_a_file_like_any_other(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "a\n", "a": "", "sub/.amlignore": "*\n", "sub/a": "", "sub/b": ""})
    assert kept(tmp_path) == [".gitignore", "sub/.amlignore", "sub/b"]


def test_with_one_in_the_root_an_amlignore_further_down_counts(tmp_path: Path) -> None:
    write(tmp_path, {".amlignore": "a\n", "a": "", "sub/.amlignore": "!a\nb\n", "sub/a": "", "sub/b": ""})
    assert kept(tmp_path) == [".amlignore", "sub/.amlignore", "sub/a"]


@pytest.mark.parametrize("rules", ["", "!*/\n", "!.git\n!.git/\n!.git/**\n!.scriptstep\n!.scriptstep/**\n!**\n"])
def test_git_and_scriptstep_are_never_content(rules: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".gitignore": rules,
            ".git/config": "",
            ".scriptstep/history.db": "",
            "m.py": "",
            "lib/.git/HEAD": "",
            "lib/.scriptstep/x": "",
        },
    )
    write(
        tmp_path, {"lib/m.py": "", "worktree/.git": "gitdir: /elsewhere\n", "worktree/m.py": "", "lib/.gitmodules": ""}
    )
    assert kept(tmp_path) == [".gitignore", "lib/.gitmodules", "lib/m.py", "m.py", "worktree/m.py"]


BUILTIN = [
    "__pycache__/m.cpython-311.pyc",
    "m.pyc",
    "m.pyo",
    ".ipynb_checkpoints/n.ipynb",
    ".DS_Store",
    "scriptstep.toml",
]


def test_built_in_rules_leave_out_what_is_nobodys_content(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys([*BUILTIN, *(f"sub/{name}" for name in BUILTIN)], ""))
    write(tmp_path, {"__pycache__.py": "", "m.pyd": "", "m.pyx": ""})
    assert kept(tmp_path) == ["__pycache__.py", "m.pyd", "m.pyx", "sub/scriptstep.toml"]


def test_a_rule_undoes_a_built_in_one(tmp_path: Path) -> None:
    rules = "!__pycache__/\n!*.py[co]\n!.ipynb_checkpoints\n!.DS_Store\n!/scriptstep.toml\n"
    write(tmp_path, {**dict.fromkeys(BUILTIN, ""), ".gitignore": rules})
    assert kept(tmp_path) == sorted([*BUILTIN, ".gitignore"])


def test_a_rule_further_down_undoes_a_built_in_one_there_alone(tmp_path: Path) -> None:
    write(tmp_path, {"a.pyc": "", "sub/a.pyc": "", "sub/.gitignore": "!*.pyc\n"})
    assert kept(tmp_path) == ["sub/.gitignore", "sub/a.pyc"]


def test_a_virtual_environment_is_left_out_wherever_it_lies(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"env/pyvenv.cfg": "", "env/bin/python": "", "a/b/my env/pyvenv.cfg": "", "a/b/my env/x": "", "a/x": ""},
    )
    assert kept(tmp_path) == ["a/x"]


def test_a_rule_brings_a_virtual_environment_back(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "!/env/\n", "env/pyvenv.cfg": "", "env/x": "", "other/pyvenv.cfg": ""})
    assert kept(tmp_path) == [".gitignore", "env/pyvenv.cfg", "env/x"]


def test_a_source_directory_that_is_a_virtual_environment_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"pyvenv.cfg": "", "main.py": ""})
    assert kept(tmp_path) == ["main.py", "pyvenv.cfg"]


def _scan_with_a_locked_folder(root: str, rules: str) -> list[str]:
    os.makedirs(root + "/locked/inner")
    with open(root + "/main.py", "w"), open(root + "/.gitignore", "w") as file:
        file.write(rules)
    os.chmod(root + "/locked", 0)
    try:
        return [os.fsdecode(path) for path in scan_code(root).paths()]
    except UnreadableContent as error:  # type: ignore[name-defined]  # noqa: F821
        return ["error", str(error)]


def test_an_ignored_folder_is_not_entered() -> None:
    with users_folder() as folder:
        give_away(folder)
        assert as_user(_scan_with_a_locked_folder, folder / "a", "locked/\n") == [".gitignore", "main.py"]
        told, message = as_user(_scan_with_a_locked_folder, folder / "b", "")
        assert told == "error" and f"{folder}/b/locked" in message


def test_no_rule_file_is_read_in_an_ignored_folder(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "d/\n", "d/.gitignore": "x" * (2 << 20), "a": ""})
    assert kept(tmp_path) == [".gitignore", "a"]


# Rule files that are no rule files.


@pytest.mark.parametrize("name", [".gitignore", ".amlignore", "sub/.gitignore"])
def test_a_rule_file_over_1_mb_is_an_error(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"a": "", name: "#" * (1 << 20)})
    scan_code(tmp_path)
    write(tmp_path, {name: "#" * ((1 << 20) + 1)})
    with pytest.raises(RuleFileError, match="over 1 MB") as raised:
        scan_code(tmp_path)
    assert str(tmp_path / name) in str(raised.value)


def _scan_with_a_locked_rule_file(root: str, name: str) -> str:
    os.makedirs(root)
    path = root + "/" + name
    with open(path, "w") as file:
        file.write("*\n")
    os.chmod(path, 0)
    try:
        return repr(scan_code(root).paths())
    except RuleFileError as error:
        return str(error)


@pytest.mark.parametrize("name", [".gitignore", ".amlignore"])
def test_a_rule_file_that_cannot_be_read_is_an_error_and_not_an_empty_one(name: str) -> None:
    with users_folder() as folder:
        give_away(folder)
        told = as_user(_scan_with_a_locked_rule_file, folder / "code", name)
        assert f"{folder}/code/{name}" in told and "cannot be read" in told


@pytest.mark.timeout(20)
def test_a_fifo_in_a_rule_files_place_hangs_nobody(tmp_path: Path) -> None:
    write(tmp_path, {"a.log": "", "sub/b.log": ""})
    os.mkfifo(tmp_path / ".gitignore")
    os.mkfifo(tmp_path / "sub" / ".gitignore")
    found = scan_code(tmp_path)
    assert found.paths() == [b"a.log", b"sub/b.log"]
    assert len(found.warnings) == 2


def test_a_folder_in_a_rule_files_place_has_no_rules(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore/a": "", "b": ""})
    assert kept(tmp_path) == [".gitignore/a", "b"]


def test_a_link_in_a_rule_files_place_is_not_followed_as_git_does_not(tmp_path: Path) -> None:
    write(tmp_path, {"rules": "a\n", "a": ""})
    (tmp_path / ".gitignore").symlink_to("rules")
    assert kept(tmp_path) == [".gitignore", "a", "rules"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_rule_file_in_utf_16_gets_a_warning(encoding: str, tmp_path: Path) -> None:
    write(tmp_path, {"a": ""})
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / ".gitignore").write_bytes((mark + "a\n").encode(encoding))
    found = scan_code(tmp_path)
    assert b"a" in found.paths()
    assert [line for line in found.warnings if "UTF-16" in line and str(tmp_path / ".gitignore") in line]


def test_a_rule_file_of_any_bytes_is_one(tmp_path: Path) -> None:
    write(tmp_path, {"a": "", "b": ""})
    (tmp_path / ".gitignore").write_bytes(b"\xff\xc0\x00\x80\na\n\xfe[\n\\\n")
    assert kept(tmp_path) == [".gitignore", "b"]


def test_rules_in_bytes_speak_of_names_in_bytes(tmp_path: Path) -> None:
    for name in (b"\xff.log", b"\xff.txt", b"\xfe.txt"):
        (tmp_path / os.fsdecode(name)).touch()
    (tmp_path / ".gitignore").write_bytes(b"*.log\n\xff.*\n")
    assert scan_code(tmp_path).paths() == [b".gitignore", b"\xfe.txt"]
