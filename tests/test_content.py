"""What a scan finds: links, names of any bytes, what is left out, what cannot be read, and how it is ended."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from blake3 import blake3

from scriptstep.content import Entry, Survey
from scriptstep.errors import ContentError, SourceChanged, UnreadableContent
from tests.as_user import as_user, give_away, users_folder
from tests.scans import scan_code, scan_tree


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, encoding="utf-8")
    return root


def listed(root: Path) -> dict[str, str]:
    """What a scan of code found: kinds by path, of links their text."""
    found = scan_code(root)
    return {
        os.fsdecode(entry.path): f"-> {os.fsdecode(entry.target)}" if entry.kind == "link" else entry.kind
        for entry in found
    }


def entry_of(root: Path, name: str) -> Entry:
    found = scan_code(root).get(os.fsencode(name))
    assert found is not None
    return found


# Files.


def test_a_file_is_known_by_its_bytes_and_its_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1_000_001)
    assert entry_of(tmp_path, "a") == (b"a", "file", 1_000_001, blake3(b"x" * 1_000_001).hexdigest(), b"")


def test_code_has_no_folders_and_a_tree_has_them_all(tmp_path: Path) -> None:
    write(tmp_path, "a/b/c")
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    assert scan_code(tmp_path).paths() == [b"a/b/c"]
    assert scan_tree(tmp_path).paths() == [b"a", b"a/b", b"a/b/c", b"empty", b"empty/inner"]


def test_no_rule_applies_to_a_tree(tmp_path: Path) -> None:
    write(
        tmp_path,
        ".gitignore",
        ".amlignore",
        "x.pyc",
        ".DS_Store",
        "__pycache__/m",
        ".git/config",
        ".scriptstep/x",
        "env/pyvenv.cfg",
    )
    (tmp_path / ".gitignore").write_text("*\n")
    names = {path for path in scan_tree(tmp_path).paths() if (tmp_path / os.fsdecode(path)).is_file()}
    assert len(names) == 8


def test_a_tree_may_be_one_file(tmp_path: Path) -> None:
    write(tmp_path, "model.bin")
    found = scan_tree(tmp_path / "model.bin")
    assert list(found) == [(b"", "file", 9, blake3(b"model.bin").hexdigest(), b"")]


def test_an_empty_directory_holds_nothing(tmp_path: Path) -> None:
    assert scan_code(tmp_path) == scan_tree(tmp_path)
    assert len(scan_code(tmp_path)) == 0


@pytest.mark.parametrize(
    ("mode", "kind"),
    [(0o644, "file"), (0o755, "executable"), (0o744, "executable"), (0o611, "file"), (0o100, "executable")],
)
def test_the_owners_x_alone_makes_an_executable(mode: int, kind: str, tmp_path: Path) -> None:
    write(tmp_path, "run.sh")
    (tmp_path / "run.sh").chmod(mode | 0o400)
    assert entry_of(tmp_path, "run.sh").kind == kind


def test_names_are_bytes_and_none_is_lost(tmp_path: Path) -> None:
    names = [
        b"\xff",
        b"\xfe\xfd/\x80",
        b"new\nline",
        b" ",
        b"-rf",
        "é".encode(),
        "e\u0301".encode(),
        b"a\\b",
        b"*",
        b"\x01",
        b"x" * 255,
    ]
    for name in names:
        path = os.path.join(os.fsencode(tmp_path), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)
    found = scan_code(tmp_path)
    assert found.paths() == sorted(names)
    assert [entry.digest for entry in found] == [blake3(name).hexdigest() for name in sorted(names)]


def test_a_root_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    root = os.path.join(os.fsencode(tmp_path), b"\xff\xfe")
    os.mkdir(root)
    with open(os.path.join(root, b"a"), "wb"):
        pass
    assert scan_code(os.fsdecode(root)).paths() == [b"a"]


def test_a_root_may_be_given_by_a_link_and_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "code/a", "code/sub/b")
    (tmp_path / "code" / "inside").symlink_to(tmp_path / "code" / "sub" / "b")
    (tmp_path / "link").symlink_to("code")
    wanted = scan_code(tmp_path / "code")
    assert wanted.paths() == [b"a", b"inside", b"sub/b"]
    assert scan_code(tmp_path / "link") == wanted
    monkeypatch.chdir(tmp_path / "code")
    assert scan_code(".") == wanted
    assert scan_code("../link/../code/") == wanted


def test_a_folder_may_lie_deep(tmp_path: Path) -> None:
    path = tmp_path
    for _ in range(300):
        path = path / "deeper"
    path.mkdir(parents=True)
    (path / "a").touch()
    assert scan_code(tmp_path).paths() == [b"/".join([b"deeper"] * 300 + [b"a"])]


# Links.


def test_a_link_that_stays_inside_stays_a_link_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, "a", "sub/b")
    for name, text in {
        "one": "a",
        "sub/up": "../a",
        "folder": "sub",
        "sub/dotted": "./../sub//b",
        "chain": "one",
    }.items():
        (tmp_path / name).symlink_to(text)
        assert entry_of(tmp_path, name).target == os.fsencode(os.readlink(tmp_path / name))
    assert scan_code(tmp_path).warnings == ()
    assert listed(tmp_path) == {
        "a": "file", "chain": "-> one", "folder": "-> sub", "one": "-> a", "sub/b": "file", "sub/dotted": "-> ./../sub//b", "sub/up": "-> ../a",
    }  # fmt: skip


def test_an_absolute_link_that_stays_inside_is_made_relative(tmp_path: Path) -> None:
    write(tmp_path, "code/a/b", "code/c/d")
    (tmp_path / "code" / "c" / "link").symlink_to(tmp_path / "code" / "a" / "b")
    (tmp_path / "code" / "top").symlink_to(tmp_path / "code" / "c")
    assert listed(tmp_path / "code") == {"a/b": "file", "c/d": "file", "c/link": "-> ../a/b", "top": "-> c"}


def test_a_link_that_leaves_and_comes_back_is_made_to_stay(tmp_path: Path) -> None:
    write(tmp_path, "code/a", "code/sub/b")
    (tmp_path / "code" / "sub" / "round").symlink_to("../../code/a")
    assert listed(tmp_path / "code")["sub/round"] == "-> ../a"


def test_the_same_tree_elsewhere_has_the_same_digest_links_and_all(tmp_path: Path) -> None:
    for place in ("one", "other/deep"):
        root = write(tmp_path / place, "a", "sub/b")
        (root / "absolute").symlink_to(root / "sub" / "b")
        (root / "sub" / "out").symlink_to(root / ".." / root.name / "a")
    assert scan_code(tmp_path / "one") == scan_code(tmp_path / "other" / "deep")


def test_a_link_that_leads_out_is_read_through(tmp_path: Path) -> None:
    write(tmp_path, "shared/lib.py", "shared/sub/x.py", "shared/tool", "code/main.py")
    (tmp_path / "shared" / "tool").chmod(0o755)
    (tmp_path / "code" / "lib.py").symlink_to("../shared/lib.py")
    (tmp_path / "code" / "tool").symlink_to(tmp_path / "shared" / "tool")
    (tmp_path / "code" / "folder").symlink_to("../shared")
    assert listed(tmp_path / "code") == {
        "folder/lib.py": "file", "folder/sub/x.py": "file", "folder/tool": "executable", "lib.py": "file", "main.py": "file", "tool": "executable",
    }  # fmt: skip
    assert entry_of(tmp_path / "code", "folder/lib.py").digest == blake3(b"shared/lib.py").hexdigest()


def test_rules_apply_at_the_place_of_a_link_that_leads_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        "shared/lib.py",
        "shared/x.log",
        "shared/__pycache__/m.pyc",
        "shared/sub/y.log",
        "code/main.py",
        "other/z",
        "third/z",
    )
    (tmp_path / "shared" / ".gitignore").write_text("lib.py\n")
    (tmp_path / "shared" / "sub" / "keep.log").touch()
    (tmp_path / "code" / ".gitignore").write_text("/far/*.log\n!/far/sub/keep.log\n/far/sub/y.log\n/other\n/third/\n")
    (tmp_path / "code" / "far").symlink_to("../shared")
    (tmp_path / "code" / "other").symlink_to("../other")
    # What lies at its place is a folder: a rule for folders takes it out.
    (tmp_path / "code" / "third").symlink_to("../third")
    assert sorted(listed(tmp_path / "code")) == [".gitignore", "far/.gitignore", "far/sub/keep.log", "main.py"]


def test_links_inside_a_folder_that_a_link_led_to(tmp_path: Path) -> None:
    write(tmp_path, "shared/a", "shared/sub/b", "elsewhere/c", "code/main.py")
    (tmp_path / "shared" / "sub" / "near").symlink_to("../a")
    (tmp_path / "shared" / "far").symlink_to("../elsewhere/c")
    (tmp_path / "code" / "link").symlink_to("../shared")
    assert listed(tmp_path / "code") == {
        "link/a": "file", "link/far": "file", "link/sub/b": "file", "link/sub/near": "-> ../a", "main.py": "file",
    }  # fmt: skip


def test_a_link_out_of_a_far_folder_back_into_the_source_means_the_same_file(tmp_path: Path) -> None:
    write(tmp_path, "shared/a", "code/main.py")
    (tmp_path / "shared" / "back").symlink_to(tmp_path / "code" / "main.py")
    (tmp_path / "code" / "link").symlink_to("../shared")
    found = scan_code(tmp_path / "code")
    back = found.get(b"link/back")
    assert back is not None
    assert back.kind == "file" or os.path.normpath(os.path.join(b"link", back.target)) == b"main.py"


def test_a_link_that_leads_nowhere_stays_one_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to("no/such/file")
    (tmp_path / "far").symlink_to("/no/such/file")
    found = scan_code(tmp_path)
    assert listed(tmp_path) == {"far": "-> /no/such/file", "gone": "-> no/such/file"}
    assert [line for line in found.warnings if str(tmp_path / "gone") in line] and len(found.warnings) == 2


@pytest.mark.timeout(20)
def test_links_that_loop_stay_links_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert listed(tmp_path) == {"a": "-> b", "b": "-> a", "self": "-> self"}
    assert len(scan_code(tmp_path).warnings) == 3


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", [".", "..", "../..", "/"])
def test_a_link_to_a_folder_that_holds_the_source_directory_stays_a_link(text: str, tmp_path: Path) -> None:
    write(tmp_path, "over/code/main.py", "over/other")
    (tmp_path / "over" / "code" / "up").symlink_to(text)
    found = scan_code(tmp_path / "over" / "code")
    assert found.paths() == [b"main.py", b"up"]
    assert len(found.warnings) == 1


@pytest.mark.timeout(20)
def test_folders_that_link_to_each_other_end_somewhere(tmp_path: Path) -> None:
    write(tmp_path, "code/main.py", "one/a", "two/b")
    (tmp_path / "code" / "link").symlink_to("../one")
    (tmp_path / "one" / "to").symlink_to("../two")
    (tmp_path / "two" / "to").symlink_to("../one")
    found = scan_code(tmp_path / "code")
    assert found.paths() == [b"link/a", b"link/to/b", b"link/to/to", b"main.py"]
    assert len(found.warnings) == 1


@pytest.mark.parametrize("inside", [True, False])
def test_a_link_to_git_or_under_its_name_is_never_content(inside: bool, tmp_path: Path) -> None:
    write(tmp_path, "real/HEAD", "code/main.py")
    (tmp_path / "code" / ".git").symlink_to("main.py" if inside else "../real")
    assert listed(tmp_path / "code") == {"main.py": "file"}


# Left out.


def test_what_is_no_file_is_left_out_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # A socket's path may not be long.
    write(tmp_path, "a")
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        (tmp_path / "null").symlink_to("/dev/null")
        for scan in (scan_code, scan_tree):
            found = scan(tmp_path)
            assert found.paths() == [b"a"]
            named = [line.split(":")[0] for line in found.warnings]
            assert named == [str(tmp_path / name) for name in ("null", "pipe", "socket")]


def test_an_ignored_fifo_is_not_spoken_of(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("pipe\n")
    os.mkfifo(tmp_path / "pipe")
    assert scan_code(tmp_path).warnings == ()


# What cannot be read.


def _scan_what_is_locked(root: str, kind: str) -> str:
    for name in ("a", "sub/b", "sub/c", "locked/d", "fine"):
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        Path(f"{root}/{name}").write_text(name)
    os.chmod(f"{root}/a", 0)
    os.chmod(f"{root}/sub/b", 0o200)
    os.chmod(f"{root}/locked", 0)
    try:
        (scan_code if kind == "code" else scan_tree)(root)
    except UnreadableContent as error:
        return str(error)
    return "read"


@pytest.mark.parametrize("kind", ["code", "tree"])
def test_all_that_cannot_be_read_is_named_at_once(kind: str) -> None:
    with users_folder() as folder:
        give_away(folder)
        told = as_user(_scan_what_is_locked, folder / "root", kind)
        assert [name for name in ("a", "sub/b", "locked") if f"{folder}/root/{name}" not in told] == []
        assert "fine" not in told and "sub/c" not in told


def _scan_listed_but_not_entered(root: str) -> list[str]:
    os.makedirs(f"{root}/sub")
    Path(f"{root}/sub/a").write_text("a")
    os.chmod(f"{root}/sub", 0o400)
    try:
        return [repr(scan_code(root).paths())]
    except UnreadableContent as error:
        return ["unreadable", str(error)]


def test_a_folder_whose_names_are_seen_and_whose_files_are_not_is_unreadable() -> None:
    with users_folder() as folder:
        give_away(folder)
        told = as_user(_scan_listed_but_not_entered, folder / "root")
        assert told[0] == "unreadable" and f"{folder}/root/sub/a" in told[1]


def _scan_links_to_what_is_locked(root: str) -> list[str]:
    for name in ("locked/file", "code/main.py", "other"):
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        Path(f"{root}/{name}").write_text(name)
    os.symlink("../locked/file", f"{root}/code/into")
    os.symlink("../locked", f"{root}/code/folder")
    os.symlink("../other", f"{root}/code/other")
    os.chmod(f"{root}/other", 0)
    os.chmod(f"{root}/locked", 0)
    told = []
    for scan in (scan_code, scan_tree):
        try:
            scan(f"{root}/code")
        except UnreadableContent as error:
            told.append(str(error))
    return told


def test_a_link_to_what_must_not_be_read_is_unreadable_and_not_one_that_leads_nowhere() -> None:
    with users_folder() as folder:
        give_away(folder)
        told = as_user(_scan_links_to_what_is_locked, folder)
        assert len(told) == 2
        for message in told:
            assert f"{folder}/code/into" in message and f"{folder}/locked" in message and f"{folder}/other" in message


def _scan_a_locked_root(root: str) -> list[str]:
    os.makedirs(root)
    os.chmod(root, 0)
    told = []
    for scan in (scan_code, scan_tree):
        try:
            scan(root)
        except ContentError as error:
            told.append(str(error))
    return told


def test_a_root_that_cannot_be_read_is_an_error_that_names_it() -> None:
    with users_folder() as folder:
        give_away(folder)
        told = as_user(_scan_a_locked_root, folder / "root")
        assert len(told) == 2 and all(str(folder / "root") in line for line in told)


def test_a_root_that_is_not_there_or_no_directory_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "file")
    os.mkfifo(tmp_path / "pipe")
    for root, scans in (("gone", (scan_code, scan_tree)), ("file", (scan_code,)), ("pipe", (scan_code, scan_tree))):
        for scan in scans:
            with pytest.raises(ContentError, match=f"/{root}: "):
                scan(tmp_path / root)


# The survey.


def test_a_survey_tells_what_there_is_to_read_before_it_is_read(tmp_path: Path) -> None:
    for name, size in {"data/a.bin": 700, "data/b.bin": 100, "x.txt": 300, "ignored.log": 5_000}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / ".gitignore").write_text("*.log\n")
    told: list[Survey] = []
    scan_code(tmp_path, survey_from=(0, 0), on_survey=told.append)
    assert told == [Survey(4, 1106, (("data/", 800), ("x.txt", 300), (".gitignore", 6)))]


def test_a_survey_opens_the_folder_that_holds_nearly_all_and_names_ten(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "small").write_bytes(b"x")
    for number in range(12):
        (tmp_path / "a" / "b" / f"{number:02}").write_bytes(b"x" * (100 + number))
    told: list[Survey] = []
    scan_code(tmp_path, survey_from=(0, 0), on_survey=told.append)
    assert told[0].largest == tuple((f"a/b/{number:02}", 100 + number) for number in range(11, 1, -1))


def test_what_a_survey_raises_ends_the_scan(tmp_path: Path) -> None:
    write(tmp_path, "a")

    def refuse(survey: Survey) -> None:
        raise RuntimeError("too much")

    with pytest.raises(RuntimeError, match="too much"):
        scan_code(tmp_path, survey_from=(0, 0), on_survey=refuse)


@pytest.mark.timeout(20)
def test_a_scan_that_a_survey_refuses_reads_no_file(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(20 << 30)

    def refuse(survey: Survey) -> None:
        raise RuntimeError("too much")

    start = time.monotonic()
    with pytest.raises(RuntimeError, match="too much"):
        scan_code(tmp_path, survey_from=(0, 0), on_survey=refuse)
    assert time.monotonic() - start < 5


# Changes meanwhile.


def test_the_interpreter_goes_on_while_files_are_read(tmp_path: Path) -> None:
    import threading

    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 30)
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.01):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.monotonic()
    scan_code(tmp_path)
    taken = time.monotonic() - start
    done.set()
    thread.join()
    during = sum(start < at < start + taken for at in ticks)
    assert during >= 3


WRITE_WITHOUT_END = """
import os, sys, time
print("ready", flush=True)
while True:
    with open(sys.argv[1], "r+b", buffering=0) as file:
        file.write(os.urandom(8))
"""


def test_a_file_that_never_stays_what_it_is_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(200 << 20)
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_WITHOUT_END, tmp_path / "large"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            with pytest.raises(SourceChanged) as raised:
                scan_code(tmp_path)
        finally:
            process.kill()
    assert str(tmp_path / "large") in str(raised.value)


def test_files_that_come_and_go_end_no_scan(tmp_path: Path) -> None:
    """Editors and caches do: what a scan then says is what lay there at some time, or that it changed."""
    code = (
        "import os, sys\nprint(flush=True)\nwhile True:\n    open(sys.argv[1], 'w').close(); os.remove(sys.argv[1])\n"
    )
    write(tmp_path, *(f"d{number}/f" for number in range(100)))
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "d50" / "gone"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            for _ in range(50):
                try:
                    found = set(scan_code(tmp_path).paths())
                except SourceChanged:
                    continue
                assert {f"d{number}/f".encode() for number in range(100)} <= found
        finally:
            process.kill()


# A scan leaves no trace.


def stats(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for place, folders, files in os.walk(root):
        for name in [*folders, *files, "."]:
            path = os.path.normpath(os.path.join(place, name))
            stat = os.lstat(path)
            found[path] = (stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_nlink)
    return found


def test_a_scan_writes_nothing_in_what_it_reads(tmp_path: Path) -> None:
    chance = random.Random(1)
    for number in range(30):
        write(tmp_path, f"{chance.randint(0, 5)}/{number}")
    (tmp_path / ".gitignore").write_text("0/\n")
    before = stats(tmp_path)
    scan_code(tmp_path)
    scan_tree(tmp_path)
    assert stats(tmp_path) == before


NO_THREADS = """
import sys
from scriptstep.content import ContentStore, scan
root, trees, copy = sys.argv[1:]
found, store = scan(root), ContentStore(trees)
store.save(root, found)
store.restore(found.digest, copy)
assert scan(copy) == found and store.verify(found.digest) == []
print(found.digest)
"""


def test_where_the_system_gives_no_thread_the_one_that_calls_does_it_all(tmp_path: Path) -> None:
    root = tmp_path / "code"
    for number in range(3_000):
        path = root / f"d{number % 30 if number < 600 else 'wide'}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    (root / "large").write_bytes(bytes(3 << 20))
    # No stack is that large.
    environment = {**os.environ, "RUST_MIN_STACK": str(1 << 46)}
    command = [sys.executable, "-c", NO_THREADS, str(root), str(tmp_path / "trees"), str(tmp_path / "copy")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, scan_code(root).digest), done.stderr
