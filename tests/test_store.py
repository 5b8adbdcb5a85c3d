"""The store: trees are there whole or not at all, what was damaged is noticed, and a source is never written to."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from scriptstep.content import ContentStore, Manifest
from scriptstep.errors import ContentError, SourceChanged, TreeDamaged, TreeMissing
from tests.as_user import as_user, give_away, users_folder
from tests.scans import scan_code, scan_tree

NO_DIGEST = "0" * 64
OTHER_BOOT = b"00000000-0000-0000-0000-000000000000"


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "trees")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A source directory with a file of each kind."""
    root = write(tmp_path / "code", "main.py", "lib/a.py", "lib/deep/b.py", "run.sh", "x.log")
    (root / ".gitignore").write_text("*.log\n")
    (root / "run.sh").chmod(0o755)
    (root / "lib" / "link.py").symlink_to("../main.py")
    (root / "nowhere").symlink_to("no/such")
    return root


def write(root: Path, *names: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"this is {name}", encoding="utf-8")
    return root


def place(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "trees" / digest[:2] / digest[2:]


def stats(root: Path) -> dict[str, tuple[int, ...]]:
    """Everything that a write to it would change."""
    found: dict[str, tuple[int, ...]] = {}
    for folder, folders, files in os.walk(root):
        for name in [".", *folders, *files]:
            path = os.path.normpath(os.path.join(folder, name))
            stat = os.lstat(path)
            found[path] = (stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_nlink)
    return found


def unfinished(tmp_path: Path) -> list[str]:
    return sorted(os.listdir(tmp_path / "trees" / ".tmp"))


def bend(path: Path) -> None:
    """Damages a file as a disk would: its size and its time stay."""
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    # A clock that ticks slowly may not have gone on since the file was stored.
    while path.stat().st_ctime_ns == stat.st_ctime_ns:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


# Save.


def test_a_saved_tree_is_exactly_its_content(store: ContentStore, code: Path, tmp_path: Path) -> None:
    manifest = store.save(code)
    assert manifest == scan_code(code)
    assert store.manifest(manifest.digest) == manifest
    content = store.content_path(manifest.digest)
    assert content == place(tmp_path, manifest.digest) / "content"
    assert sorted(os.listdir(content)) == [".gitignore", "lib", "main.py", "nowhere", "run.sh"]
    assert os.readlink(content / "lib" / "link.py") == "../main.py" and os.readlink(content / "nowhere") == "no/such"
    assert os.access(content / "run.sh", os.X_OK) and not (content / "main.py").stat().st_mode & 0o111
    assert store.verify(manifest.digest) == [] and store.ensure(manifest.digest)
    assert unfinished(tmp_path) == []


def test_saving_and_handing_on_write_nothing_in_the_source_directory(
    store: ContentStore, code: Path, tmp_path: Path
) -> None:
    before = stats(code)
    first = store.save(code)
    store.save(code, scan_code(code), base=first.digest)
    store.add(code)
    store.restore(first.digest, tmp_path / "copy")
    shutil.rmtree(tmp_path / "trees")
    assert stats(code) == before


def test_a_read_only_source_is_saved_and_its_copy_can_be_written_to(store: ContentStore, tmp_path: Path) -> None:
    code = write(tmp_path / "code", "sub/a")
    (code / "sub" / "a").chmod(0o444)
    (code / "sub").chmod(0o555)
    digest = store.save(code).digest
    store.restore(digest, tmp_path / "copy")
    for root in (store.content_path(digest), tmp_path / "copy"):
        assert root.joinpath("sub").stat().st_mode & 0o777 == 0o755
        assert root.joinpath("sub/a").stat().st_mode & 0o777 == 0o644
    (code / "sub").chmod(0o755)


def test_saving_again_changes_nothing(store: ContentStore, code: Path, tmp_path: Path) -> None:
    digest = store.save(code).digest
    before = stats(place(tmp_path, digest))
    store.save(code)
    assert stats(place(tmp_path, digest)) == before


def test_unchanged_files_are_linked_from_the_base_and_changed_ones_are_not(store: ContentStore, code: Path) -> None:
    first = store.save(code)
    (code / "main.py").write_text("print(2)")
    (code / "lib" / "new.py").write_text("new")
    second = store.save(code, base=first.digest)
    old, new = store.content_path(first.digest), store.content_path(second.digest)
    for name in ("lib/a.py", "lib/deep/b.py", "run.sh", ".gitignore"):
        assert os.path.samefile(old / name, new / name)
    assert not os.path.samefile(old / "main.py", new / "main.py")
    for name in ("lib/a.py", "main.py"):
        assert not os.path.samefile(code / name, new / name)
    assert store.verify(first.digest) == store.verify(second.digest) == []


def test_a_file_whose_x_changed_is_not_linked(store: ContentStore, code: Path) -> None:
    first = store.save(code)
    (code / "main.py").chmod(0o755)
    second = store.save(code, base=first.digest)
    assert store.verify(first.digest) == store.verify(second.digest) == []


@pytest.mark.parametrize("touch", ["write", "replace", "chmod", "cut"])
def test_a_stored_file_that_was_touched_is_not_linked_from(touch: str, store: ContentStore, code: Path) -> None:
    first = store.save(code)
    stored = store.content_path(first.digest) / "lib" / "a.py"
    if touch == "write":
        stored.write_text("this is lib/A.py")
    elif touch == "replace":
        stored.unlink()
        stored.write_text("this is lib/A.py")
    elif touch == "chmod":
        stored.chmod(0o755)
    else:
        stored.write_text("")
    (code / "main.py").write_text("print(2)")
    second = store.save(code, base=first.digest)
    assert store.verify(second.digest) == []


def test_a_base_that_is_gone_or_torn_is_done_without(store: ContentStore, code: Path, tmp_path: Path) -> None:
    first = store.save(code)
    (code / "main.py").write_text("print(2)")
    (place(tmp_path, first.digest) / "rows").write_bytes(b"torn")
    assert store.verify(store.save(code, base=first.digest).digest) == []
    (code / "main.py").write_text("print(3)")
    assert store.verify(store.save(code, base=NO_DIGEST).digest) == []


def test_what_leads_out_is_saved_as_what_it_is(store: ContentStore, code: Path, tmp_path: Path) -> None:
    write(tmp_path / "shared", "lib.py", "sub/x.py")
    (code / "shared").symlink_to("../shared")
    (code / "one.py").symlink_to(tmp_path / "shared" / "lib.py")
    digest = store.save(code).digest
    shutil.rmtree(tmp_path / "shared")
    store.restore(digest, tmp_path / "copy")
    assert (tmp_path / "copy" / "shared" / "sub" / "x.py").read_text() == "this is sub/x.py"
    assert (tmp_path / "copy" / "one.py").read_text() == "this is lib.py" and not (
        tmp_path / "copy" / "one.py"
    ).is_symlink()


def test_names_of_any_bytes_go_in_and_come_out(store: ContentStore, tmp_path: Path) -> None:
    root = os.path.join(os.fsencode(tmp_path), b"code")
    for name in (b"\xff/\xfe", b"new\nline", b"-", b"x" * 255):
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)
    manifest = store.save(os.fsdecode(root))
    store.restore(manifest.digest, tmp_path / "copy")
    assert scan_code(tmp_path / "copy") == manifest


@pytest.mark.parametrize("change", ["write", "append", "remove"])
def test_a_file_that_changed_since_it_was_scanned_is_not_saved(
    change: str, store: ContentStore, code: Path, tmp_path: Path
) -> None:
    scan = scan_code(code)
    if change == "write":
        (code / "main.py").write_text("this is MAIN.py")
    elif change == "append":
        with (code / "main.py").open("a") as file:
            file.write("x" * 300_000)
    else:
        (code / "lib" / "a.py").unlink()
    with pytest.raises(SourceChanged):
        store.save(code, scan)
    with pytest.raises(TreeMissing):
        store.content_path(scan.digest)
    assert not (tmp_path / "trees").exists() or unfinished(tmp_path) == []


@pytest.mark.parametrize("change", ["add", "chmod", "retarget"])
def test_what_is_saved_is_what_the_scan_found(change: str, store: ContentStore, code: Path) -> None:
    scan = scan_code(code)
    if change == "add":
        (code / "new.py").touch()
    elif change == "chmod":
        (code / "main.py").chmod(0o755)
    else:
        (code / "nowhere").unlink()
        (code / "nowhere").symlink_to("elsewhere")
    store.save(code, scan)
    assert store.verify(scan.digest) == [] and scan_code(code) != scan


def test_a_source_that_is_written_to_all_the_while_is_saved_as_scanned_or_not_at_all(
    store: ContentStore, tmp_path: Path
) -> None:
    code = write(tmp_path / "code", *(f"{number}" for number in range(200)))
    source = "import sys, time\nn = 0\nprint(flush=True)\nwhile True:\n    n += 1; open(sys.argv[1] + f'/{n % 200}', 'a').write('x'); time.sleep(0.002)\n"
    with subprocess.Popen([sys.executable, "-c", source, code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            for _ in range(30):
                try:
                    manifest = store.save(code)
                except SourceChanged:
                    continue
                assert store.verify(manifest.digest) == []
        finally:
            process.kill()
    assert not (tmp_path / "trees").exists() or unfinished(tmp_path) == []


def test_a_link_that_led_nowhere_does_no_harm_when_it_leads_somewhere(
    store: ContentStore, code: Path, tmp_path: Path
) -> None:
    for name, text in {"later": str(tmp_path / "later"), "beside": "../manifest", "rows": "../rows"}.items():
        (code / name).symlink_to(text)
    digest = store.save(code).digest
    write(tmp_path, "later")
    assert store.verify(digest) == []
    store.restore(digest, tmp_path / "copy")
    assert os.readlink(tmp_path / "copy" / "later") == str(tmp_path / "later")
    assert os.readlink(tmp_path / "copy" / "beside") == "../manifest"


def _use_a_store_of_somebody_else(root: str, whole: str, touched: str) -> list[object]:
    store, told = ContentStore(Path(root) / "trees"), []
    store.restore(whole, Path(root) / "mine" / "copy")
    told += [store.ensure(whole), store.verify(whole), (Path(root) / "mine" / "copy" / "a").read_text()]
    (Path(root) / "mine" / "new").write_text("new")
    for use in (
        lambda: store.adopt(Path(root) / "mine" / "new"),
        lambda: store.add(Path(root) / "mine" / "new"),
        lambda: store.save(Path(root) / "mine"),
        lambda: store.ensure(touched),
    ):
        try:
            told.append(str(use()))
        except ContentError as error:
            told.append(str(error))
    return [*told, sorted(os.listdir(Path(root) / "mine"))]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a store of another user")
def test_a_store_that_cannot_be_written_to_is_read_and_the_rest_is_an_error_that_names_it() -> None:
    with users_folder() as folder:
        folder.chmod(0o755)
        store = ContentStore(folder / "trees")
        whole, touched = (store.add(write(folder / name, *name)).digest for name in ("ab", "cd"))
        store.sync([whole])
        bend(store.content_path(touched) / "c")
        for place, _, _ in os.walk(folder):
            os.chmod(place, 0o755)
        for name in ("manifest", "rows", "synced"):
            for path in folder.glob(f"trees/??/*/{name}"):
                path.chmod(0o644)
        (folder / "mine").mkdir()
        give_away(folder / "mine")
        is_there, wrong, text, *errors, left = as_user(_use_a_store_of_somebody_else, folder, whole, touched)
        assert (is_there, wrong, text) == (True, [], "this is a")
        assert len(errors) == 4 and all(f"{folder}/trees" in error for error in errors), errors
        assert left == ["copy", "new"]


# Add, and adopt.


def output(root: Path) -> Path:
    """What a script may leave: folders that are empty or closed, several names of a file, links of every sort."""
    write(root, "a", "sub/b", "closed/inner/c", "none", "tool")
    (root / "empty" / "inner").mkdir(parents=True)
    (root / "tool").chmod(0o555)
    (root / "none").chmod(0)
    (root / "relative").symlink_to("sub/b")
    (root / "absolute").symlink_to(root / "sub" / "b")
    (root / "sub" / "to-folder").symlink_to(root / "closed")
    (root / "round").symlink_to(f"../{root.name}/a")
    (root / "gone").symlink_to("../gone")
    (root / "up").symlink_to("..")
    (root / "all").symlink_to(root)
    os.link(root / "a", root / "sub" / "also-a")
    (root / "closed" / "inner").chmod(0o555)
    (root / "closed").chmod(0o555)
    return root


def test_an_adopted_directory_is_moved_and_is_what_it_was(store: ContentStore, tmp_path: Path) -> None:
    out = output(tmp_path / "out")
    wanted = scan_tree(out) if os.geteuid() == 0 else None
    inode = (out / "sub" / "b").stat().st_ino
    manifest = store.adopt(out)
    assert not os.path.lexists(out)
    assert wanted is None or manifest == wanted
    content = store.content_path(manifest.digest)
    assert (content / "sub" / "b").stat().st_ino == inode
    assert (content / "empty" / "inner").is_dir() and manifest.get(b"empty/inner") is not None
    assert os.readlink(content / "absolute") == "sub/b" and os.readlink(content / "sub" / "to-folder") == "../closed"
    assert (content / "round").read_text() == "this is a"
    assert store.verify(manifest.digest) == []
    store.restore(manifest.digest, tmp_path / "copy")
    assert scan_tree(tmp_path / "copy").digest == manifest.digest


def _adopt_as_nobody(root: str) -> list[str]:
    out = Path(root) / "out"
    (out / "closed" / "inner").mkdir(parents=True)
    (out / "closed" / "inner" / "c").write_text("c")
    (out / "closed" / "none").write_text("none")
    (out / "closed" / "none").chmod(0)
    (out / "closed" / "inner").chmod(0o555)
    (out / "closed").chmod(0)
    out.chmod(0o555)
    store = ContentStore(Path(root) / "trees")
    manifest = store.adopt(out)
    return [*map(os.fsdecode, manifest.paths()), *store.verify(manifest.digest), str(out.exists())]


def test_folders_closed_by_the_script_are_adopted_by_their_owner() -> None:
    with users_folder() as folder:
        give_away(folder)
        told = as_user(_adopt_as_nobody, folder)
        assert told == ["closed", "closed/inner", "closed/inner/c", "closed/none", "False"]


def test_no_other_name_writes_into_an_adopted_file(store: ContentStore, tmp_path: Path) -> None:
    out = write(tmp_path / "out", "a", "sub/b", "tool")
    (out / "tool").chmod(0o755)
    for name in ("a", "sub/b", "tool"):
        os.link(out / name, tmp_path / f"other-{Path(name).name}")
    os.link(out / "a", out / "a-again")
    manifest = store.adopt(out)
    for name in ("a", "b", "tool"):
        (tmp_path / f"other-{name}").write_text("written later")
    assert store.verify(manifest.digest) == []
    content = store.content_path(manifest.digest)
    assert {(content / name).stat().st_nlink for name in ("a", "a-again", "sub/b", "tool")} == {1}
    assert os.access(content / "tool", os.X_OK) and sorted(os.listdir(content)) == ["a", "a-again", "sub", "tool"]


def test_a_file_is_a_tree_too(store: ContentStore, tmp_path: Path) -> None:
    write(tmp_path, "model.bin", "again.bin")
    (tmp_path / "again.bin").write_text("this is model.bin")
    manifest = store.adopt(tmp_path / "model.bin")
    assert not (tmp_path / "model.bin").exists()
    assert store.content_path(manifest.digest).read_text() == "this is model.bin"
    assert store.add(tmp_path / "again.bin") == manifest and (tmp_path / "again.bin").exists()
    store.restore(manifest.digest, tmp_path / "copy.bin")
    assert (tmp_path / "copy.bin").read_text() == "this is model.bin"
    assert store.verify(manifest.digest) == []
    bend(store.content_path(manifest.digest))
    with pytest.raises(TreeDamaged):
        store.restore(manifest.digest, tmp_path / "again")


def test_an_empty_folder_is_a_tree_and_not_an_empty_file(store: ContentStore, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    folder, file = store.adopt(tmp_path / "empty"), store.adopt(tmp_path / "file")
    assert folder != file
    assert store.content_path(folder.digest).is_dir() and store.content_path(file.digest).is_file()
    store.restore(folder.digest, tmp_path / "copy")
    assert (tmp_path / "copy").is_dir() and store.ensure(folder.digest) and store.ensure(file.digest)


def test_what_is_there_already_is_dropped(store: ContentStore, tmp_path: Path) -> None:
    first = store.adopt(write(tmp_path / "one", "a", "sub/b"))
    before = stats(place(tmp_path, first.digest))
    assert store.adopt(write(tmp_path / "two", "a", "sub/b")) == first
    assert not (tmp_path / "two").exists() and stats(place(tmp_path, first.digest)) == before
    assert unfinished(tmp_path) == []


@pytest.mark.parametrize("take", ["adopt", "add"])
def test_links_that_lead_out_are_replaced_by_what_they_point_at(take: str, store: ContentStore, tmp_path: Path) -> None:
    shared = write(tmp_path / "shared", "a", "sub/b", "tool")
    (shared / "tool").chmod(0o755)
    (shared / "sub" / "near").symlink_to("../a")
    (shared / "empty").mkdir()
    out = write(tmp_path / "deep" / "out", "own")
    (out / "relative").symlink_to("../../shared/a")
    (out / "absolute").symlink_to(shared / "tool")
    (out / "folder").symlink_to("../../shared")
    (shared / "back").symlink_to(out / "own")
    wanted = scan_tree(out)
    before = stats(shared)
    manifest = store.adopt(out) if take == "adopt" else store.add(out)
    assert manifest == wanted and out.exists() == (take == "add")
    content = store.content_path(manifest.digest)
    assert (content / "relative").read_text() == (content / "folder" / "sub" / "near").read_text() == "this is a"
    assert os.access(content / "absolute", os.X_OK) and (content / "folder" / "empty").is_dir()
    assert not any((content / name).is_symlink() for name in ("relative", "absolute", "folder"))
    assert stats(shared) == before
    shutil.rmtree(shared)
    assert store.verify(manifest.digest) == []


def test_a_link_is_adopted_as_what_it_points_at(store: ContentStore, tmp_path: Path) -> None:
    write(tmp_path / "real", "a")
    (tmp_path / "out").symlink_to("real")
    manifest = store.adopt(tmp_path / "out")
    assert manifest.paths() == [b"a"] and (store.content_path(manifest.digest) / "a").is_file()
    assert not os.path.lexists(tmp_path / "out") and (tmp_path / "real" / "a").exists()
    assert store.verify(manifest.digest) == []


def test_what_is_no_file_is_not_adopted(store: ContentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write(tmp_path / "out", "a", "sub/b")
    monkeypatch.chdir(out)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sub/socket")
        manifest = store.adopt(out)
    assert manifest.paths() == [b"a", b"sub", b"sub/b"]
    assert sorted(os.listdir(store.content_path(manifest.digest))) == ["a", "sub"]
    assert os.listdir(store.content_path(manifest.digest) / "sub") == ["b"]


def test_an_output_under_the_names_that_the_store_itself_uses(store: ContentStore, tmp_path: Path) -> None:
    manifest = store.adopt(
        write(tmp_path / "out", "content", "manifest", "rows", "synced", ".tmp/x", ".git/config", ".gitignore", "m.pyc")
    )
    assert len(manifest) == 10 and store.verify(manifest.digest) == []


def _adopt_what_cannot_be_read(root: str) -> list[str]:
    out = Path(root) / "out"
    out.mkdir()
    (out / "a").write_text("a")
    (out / "link").symlink_to("/root/.no-such" if os.geteuid() else Path(root) / "locked" / "file")
    locked = Path(root) / "locked"
    locked.mkdir()
    (locked / "file").write_text("x")
    (out / "link").unlink()
    (out / "link").symlink_to(locked / "file")
    locked.chmod(0)
    try:
        ContentStore(Path(root) / "trees").adopt(out)
    except UnreadableContent as error:  # type: ignore[name-defined]  # noqa: F821
        return [str(error), *sorted(os.listdir(out))]
    return []


def test_what_cannot_be_adopted_stays_where_it_was() -> None:
    with users_folder() as folder:
        give_away(folder)
        told = as_user(_adopt_what_cannot_be_read, folder)
        assert f"{folder}/out/link" in told[0] and told[1:] == ["a", "link"]


def _adopt_into_a_closed_store(root: str) -> list[str]:
    told = []
    for name, folder in (("first", "trees"), ("second", "trees/.tmp")):
        out = Path(root) / name
        out.mkdir()
        (out / "a").write_text("a")
        Path(root, folder).mkdir(parents=True, exist_ok=True)
        Path(root, folder).chmod(0o555)
        try:
            ContentStore(Path(root) / "trees").adopt(out)
        except ContentError as error:
            told += [str(error), *os.listdir(out)]
        Path(root, folder).chmod(0o755)
    return told


def test_what_the_store_does_not_take_stays_where_it_was() -> None:
    with users_folder() as folder:
        give_away(folder)
        told = as_user(_adopt_into_a_closed_store, folder)
        assert told[1::2] == ["a", "a"] and all(f"{folder}/trees/.tmp" in line for line in told[::2])


def _adopt_where_the_last_rename_fails(root: str) -> list[str]:
    out = Path(root) / "out"
    out.mkdir()
    (out / "a").write_text("a")
    digest = scan_tree(out).digest
    closed = Path(root) / "trees" / digest[:2]
    closed.mkdir(parents=True)
    closed.chmod(0o555)
    try:
        ContentStore(Path(root) / "trees").adopt(out)
    except ContentError as error:
        return [str(error), *os.listdir(out), *os.listdir(Path(root) / "trees" / ".tmp")]
    return []


def test_an_output_is_not_lost_where_its_tree_cannot_appear() -> None:
    with users_folder() as folder:
        give_away(folder)
        told = as_user(_adopt_where_the_last_rename_fails, folder)
        assert len(told) == 2 and told[1] == "a"


def test_across_file_systems_an_output_is_copied_and_gone(store: ContentStore, tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev or not os.access(other, os.W_OK):
        pytest.skip("no second file system here")
    out = other / f"scriptstep-test-{os.getpid()}"
    try:
        output(out)
        (out / "none").chmod(0o400)  # what cannot be read could not be compared
        wanted = scan_tree(out)
        manifest = store.adopt(out)
        assert manifest == wanted and not out.exists() and store.verify(manifest.digest) == []
    finally:
        shutil.rmtree(out, ignore_errors=True)


# Restore, verify, and damage.


def test_a_restored_tree_is_a_copy_of_its_own(store: ContentStore, code: Path, tmp_path: Path) -> None:
    manifest = store.save(code)
    store.restore(manifest.digest, tmp_path / "copy")
    assert scan_code(tmp_path / "copy") == manifest
    for name in ("main.py", "run.sh"):
        assert (tmp_path / "copy" / name).stat().st_nlink == 1
        (tmp_path / "copy" / name).write_text("written")
    assert store.verify(manifest.digest) == []


def test_an_empty_folder_may_be_in_the_way_and_nothing_else(store: ContentStore, code: Path, tmp_path: Path) -> None:
    digest = store.save(code).digest
    (tmp_path / "empty").mkdir()
    store.restore(digest, tmp_path / "empty")
    write(tmp_path / "full", "main.py")
    with pytest.raises(ContentError, match="full/main.py"):
        store.restore(digest, tmp_path / "full")
    assert (tmp_path / "full" / "main.py").read_text() == "this is main.py"
    assert store.ensure(digest) and store.verify(digest) == []


def test_an_empty_folder_is_empty_again_where_its_tree_is_damaged(
    store: ContentStore, code: Path, tmp_path: Path
) -> None:
    digest = store.save(code).digest
    bend(store.content_path(digest) / "lib" / "a.py")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TreeDamaged):
        store.restore(digest, tmp_path / "empty")
    assert os.listdir(tmp_path / "empty") == []


def test_a_copy_that_cannot_be_made_is_named_by_its_place(store: ContentStore, tmp_path: Path) -> None:
    digest = store.save(write(tmp_path / "code", "main.py")).digest
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ContentError, match=f"cannot make {place}"):
            store.restore(digest, place)
    assert (tmp_path / "file").read_bytes() == b""


def test_a_link_in_the_way_is_not_written_through(store: ContentStore, tmp_path: Path) -> None:
    code = write(tmp_path / "code", "main.py")
    digest = store.save(code).digest
    write(tmp_path, "victim")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "main.py").symlink_to("../victim")
    with pytest.raises(ContentError):
        store.restore(digest, tmp_path / "copy")
    assert (tmp_path / "victim").read_text() == "this is victim"


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    os.truncate(path, 3)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_link(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


def to_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def parent_to_file(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.touch()


DAMAGES = [bend, remove, cut, grow, to_folder, to_link, to_fifo, parent_to_file]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_named_and_set_aside_on_restore(
    damage: Callable[[Path], None], store: ContentStore, code: Path, tmp_path: Path
) -> None:
    digest = store.save(code).digest
    damage(store.content_path(digest) / "lib" / "a.py")
    with pytest.raises(TreeDamaged, match=r"lib/\S* is (missing|not what it was)"):
        store.restore(digest, tmp_path / "copy")
    assert not [name for name in os.listdir(tmp_path) if name not in ("code", "trees")], "no part of it is handed out"
    assert not store.ensure(digest)
    with pytest.raises(TreeMissing):
        store.content_path(digest)
    assert os.listdir(tmp_path / "trees" / ".damaged") == [f"{digest}-0"]
    assert store.save(code).digest == digest
    store.restore(digest, tmp_path / "again")
    assert scan_code(tmp_path / "again").digest == digest


def _restore_what_was_closed(root: str) -> list[object]:
    (Path(root) / "code").mkdir()
    (Path(root) / "code" / "a").write_text("a")
    store, told = ContentStore(Path(root) / "trees"), []
    for use in (store.restore, lambda digest, _: store.ensure(digest)):
        digest = store.save(Path(root) / "code").digest
        (store.content_path(digest) / "a").chmod(0)
        try:
            told.append(use(digest, Path(root) / "copy"))
        except TreeDamaged as error:
            told.append(str(error))
    return [*told, len(os.listdir(Path(root) / "trees" / ".damaged")), sorted(os.listdir(root))]


def test_a_stored_file_that_was_closed_is_damage() -> None:
    with users_folder() as folder:
        give_away(folder)
        restored, ensured, aside, left = as_user(_restore_what_was_closed, folder)
        assert "a is not what it was" in restored and ensured is False
        assert (aside, left) == (2, ["code", "trees"])


def test_a_damaged_file_that_trees_share_is_not_linked_again(store: ContentStore, code: Path, tmp_path: Path) -> None:
    first = store.save(code)
    (code / "main.py").write_text("print(2)")
    second = store.save(code, base=first.digest)
    bend(store.content_path(first.digest) / "lib" / "a.py")
    with pytest.raises(TreeDamaged):
        store.restore(second.digest, tmp_path / "copy")
    # The first one has the same file, and nobody has read it since.
    store.save(code, base=first.digest)
    store.restore(second.digest, tmp_path / "again")
    assert scan_code(tmp_path / "again") == second
    with pytest.raises(TreeDamaged):
        store.restore(first.digest, tmp_path / "first")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_named_on_verify(damage: Callable[[Path], None], store: ContentStore, code: Path) -> None:
    digest = store.save(code).digest
    damage(store.content_path(digest) / "lib" / "a.py")
    told = store.verify(digest)
    assert [line for line in told if line.startswith("lib") or "lib/a.py" in line]
    assert store.content_path(digest).exists()


def test_what_was_added_moved_or_made_executable_is_named(store: ContentStore, code: Path) -> None:
    digest = store.save(code).digest
    content = store.content_path(digest)
    (content / "new").write_text("new")
    (content / "lib" / "deep" / "empty").mkdir()
    (content / "main.py").chmod(0o755)
    (content / "run.sh").rename(content / "ran.sh")
    (content / "nowhere").unlink()
    (content / "nowhere").symlink_to("elsewhere")
    assert sorted(store.verify(digest)) == [
        "lib/deep/empty was added",
        "main.py has another mode",
        "new was added",
        "nowhere is not what it was",
        "run.sh was renamed to ran.sh",
    ]


@pytest.mark.parametrize("torn", [b"", b"\0" * 100, None])
def test_a_manifest_that_is_torn_is_damage(torn: bytes | None, store: ContentStore, code: Path, tmp_path: Path) -> None:
    digest = store.save(code).digest
    path = place(tmp_path, digest) / "manifest"
    path.write_bytes(scan_tree(code).to_bytes() if torn is None else torn)
    assert len(store.verify(digest)) == 1
    with pytest.raises(TreeDamaged):
        store.manifest(digest)
    with pytest.raises(TreeDamaged):
        store.restore(digest, tmp_path / "copy")
    assert not [name for name in os.listdir(tmp_path) if name not in ("code", "trees")], "no part of it is handed out"
    assert not store.ensure(digest)


def test_a_tree_without_its_content_is_none_and_can_be_made_again(
    store: ContentStore, code: Path, tmp_path: Path
) -> None:
    digest = store.save(code).digest
    shutil.rmtree(place(tmp_path, digest) / "content")
    assert not store.ensure(digest)
    store.save(code)
    assert store.ensure(digest) and store.verify(digest) == []


@pytest.mark.parametrize("digest", [NO_DIGEST, "no digest", "", "../../etc", "A" * 63])
def test_a_tree_that_is_not_there_is_missing(digest: str, store: ContentStore, tmp_path: Path) -> None:
    asked: list[Callable[[], object]] = [
        lambda: store.content_path(digest),
        lambda: store.manifest(digest),
        lambda: store.verify(digest),
        lambda: store.guard(digest),
        lambda: store.restore(digest, tmp_path / "copy"),
    ]
    for ask in asked:
        with pytest.raises(TreeMissing):
            ask()
    assert not (tmp_path / "copy").exists() and not (tmp_path / "trees").exists()


# Guard, and set aside.


def test_a_tree_that_nobody_wrote_to_is_what_it_was(store: ContentStore, code: Path) -> None:
    digest = store.save(code).digest
    guard = store.guard(digest)
    for path in (store.content_path(digest) / "lib").rglob("*"):
        path.is_file() and path.read_bytes()
    assert store.written_since(digest, guard) == []


def test_a_touch_that_changes_no_byte_is_no_write(store: ContentStore, code: Path) -> None:
    digest = store.save(code).digest
    guard = store.guard(digest)
    path = store.content_path(digest) / "main.py"
    os.utime(path)
    path.rename(path.with_name("other"))
    path.with_name("other").rename(path)
    (code / "new").touch()
    store.save(code, base=digest)
    assert store.written_since(digest, guard) == []


@pytest.mark.parametrize(
    "damage",
    [
        *DAMAGES,
        lambda path: write(path.parent, "new"),
        lambda path: (path.parent / "deep" / "f").mkdir(),
        lambda path: path.chmod(0o755),
    ],
)
@pytest.mark.timeout(20)
def test_what_was_written_since_is_named(damage: Callable[[Path], None], store: ContentStore, code: Path) -> None:
    digest = store.save(code).digest
    guard = store.guard(digest)
    damage(store.content_path(digest) / "lib" / "a.py")
    told = store.written_since(digest, guard)
    assert told and all("lib" in line for line in told)


def test_files_are_guarded_in_empty_folders_and_beside_one_file(store: ContentStore, tmp_path: Path) -> None:
    (tmp_path / "out" / "empty").mkdir(parents=True)
    folder = store.adopt(tmp_path / "out").digest
    file = store.adopt(write(tmp_path, "file") / "file").digest
    guards = store.guard(folder), store.guard(file)
    (store.content_path(folder) / "empty" / "new").touch()
    bend(store.content_path(file))
    assert store.written_since(folder, guards[0]) == ["empty/new was added"]
    assert len(store.written_since(file, guards[1])) == 1


def test_a_tree_that_is_gone_since_is_missing(store: ContentStore, code: Path) -> None:
    digest = store.save(code).digest
    guard = store.guard(digest)
    store.set_aside(digest)
    with pytest.raises(TreeMissing):
        store.written_since(digest, guard)


def test_a_tree_set_aside_is_kept_and_never_handed_on(store: ContentStore, code: Path) -> None:
    places = []
    for _ in range(3):
        digest = store.save(code).digest
        places.append(store.set_aside(digest))
        assert not store.ensure(digest)
    assert len(set(places)) == 3 and all((place / "content" / "main.py").is_file() for place in places)
    with pytest.raises(ContentError):
        store.set_aside(digest)


# Power cuts, dead processes, and others at work.


def rows(tmp_path: Path, digest: str) -> tuple[int, bytes]:
    """The records of a tree's files, and which file they lie in."""
    path = place(tmp_path, digest) / "rows"
    return path.stat().st_ino, path.read_bytes()


def lose_power(tmp_path: Path, digest: str) -> None:
    """Makes a tree one of an earlier boot."""
    path = place(tmp_path, digest) / "rows"
    form, _, rest = path.read_bytes().split(b"\n", 2)
    path.write_bytes(b"\n".join([form, OTHER_BOOT, rest]))


def test_a_whole_tree_of_an_earlier_boot_is_believed_once_it_was_read(
    store: ContentStore, code: Path, tmp_path: Path
) -> None:
    digest = store.save(code).digest
    lose_power(tmp_path, digest)
    assert store.ensure(digest)
    assert (place(tmp_path, digest) / "synced").exists()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.timeout(20)
def test_a_torn_tree_of_an_earlier_boot_is_set_aside(
    damage: Callable[[Path], None], store: ContentStore, code: Path, tmp_path: Path
) -> None:
    digest = store.save(code).digest
    damage(store.content_path(digest) / "lib" / "a.py")
    lose_power(tmp_path, digest)
    assert not store.ensure(digest)
    assert os.listdir(tmp_path / "trees" / ".damaged") == [f"{digest}-0"]
    assert store.save(code).digest == digest and store.ensure(digest)


@pytest.mark.parametrize("name", ["rows", "manifest"])
@pytest.mark.parametrize("torn", [b"", b"\0" * 77, None])
def test_a_tree_whose_records_were_torn_is_read(
    name: str, torn: bytes | None, store: ContentStore, code: Path, tmp_path: Path
) -> None:
    digest = store.save(code).digest
    lose_power(tmp_path, digest)
    path = place(tmp_path, digest) / name
    if torn is None:
        path.unlink()
    else:
        path.write_bytes(torn)
    # The rows are an accelerator; without its manifest nobody knows what the tree is.
    assert store.ensure(digest) == (name == "rows")


def test_a_synced_tree_is_believed_after_a_power_cut(store: ContentStore, code: Path, tmp_path: Path) -> None:
    digest = store.save(code).digest
    store.sync([digest, NO_DIGEST])
    store.sync([digest])
    lose_power(tmp_path, digest)
    before = rows(tmp_path, digest)
    assert store.ensure(digest)
    assert rows(tmp_path, digest) == before, "its bytes were on the disk: it is not read"


# Touched by somebody.


@pytest.mark.timeout(20)
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["lib/a.py", "run.sh", "lib/deep/b.py"])
def test_a_tree_that_somebody_damaged_is_set_aside_before_it_is_used(
    name: str, damage: Callable[[Path], None], store: ContentStore, code: Path, tmp_path: Path
) -> None:
    digest = store.save(code).digest
    store.sync([digest])
    damage(store.content_path(digest) / name)
    assert not store.ensure(digest)
    assert os.listdir(tmp_path / "trees" / ".damaged") == [f"{digest}-0"]
    assert store.save(code).digest == digest and store.ensure(digest)


def add_beside(tree: Path) -> None:
    (tree / "lib" / "more.py").touch()


def make_executable(tree: Path) -> None:
    (tree / "main.py").chmod(0o755)


def turn_link(tree: Path) -> None:
    (tree / "nowhere").unlink()
    (tree / "nowhere").symlink_to("elsewhere")


def add_folder(tree: Path) -> None:
    (tree / "lib" / "deep" / "empty").mkdir()


@pytest.mark.parametrize("change", [add_beside, make_executable, turn_link, add_folder])
def test_what_somebody_added_to_a_tree_or_changed_of_it_is_damage(
    change: Callable[[Path], None], store: ContentStore, code: Path
) -> None:
    digest = store.save(code).digest
    assert store.ensure(digest)
    change(store.content_path(digest))
    assert not store.ensure(digest)


def test_a_tree_that_was_moved_with_its_store_is_read_once_and_believed(
    store: ContentStore, code: Path, tmp_path: Path
) -> None:
    digest = store.save(code).digest
    shutil.copytree(tmp_path / "trees", tmp_path / "elsewhere", symlinks=True)
    shutil.rmtree(tmp_path / "trees")
    (tmp_path / "elsewhere").rename(tmp_path / "trees")
    old = rows(tmp_path, digest)
    assert store.ensure(digest)
    new = rows(tmp_path, digest)
    assert new != old, "it was read, and its files are known as they are now"
    assert store.ensure(digest) and rows(tmp_path, digest) == new


def test_a_touch_of_a_stored_file_does_not_cost_its_tree(store: ContentStore, code: Path) -> None:
    digest = store.save(code).digest
    os.utime(store.content_path(digest) / "main.py")
    assert store.ensure(digest)


def test_an_output_that_is_there_damaged_is_kept_anew(store: ContentStore, tmp_path: Path) -> None:
    digest = store.adopt(write(tmp_path / "out", "a", "b")).digest
    bend(store.content_path(digest) / "a")
    assert store.adopt(write(tmp_path / "out", "a", "b")).digest == digest
    assert store.verify(digest) == []


@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("take", ["adopt", "add"])
def test_a_flipped_byte_at_any_place_is_found_though_size_and_time_are_as_they_were(
    take: str, where: float, store: ContentStore, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "large").write_bytes(bytes(3_000_000))
    digest = getattr(store, take)(tmp_path / "out").digest
    file = store.content_path(digest) / "large"
    stat = file.stat()
    with file.open("r+b") as opened:
        opened.seek(int(where * 3_000_000))
        opened.write(b"\x01")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    # A clock that ticks slowly may not have gone on since the file was stored.
    while file.stat().st_ctime_ns == stat.st_ctime_ns:
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not store.ensure(digest)


SAVE_AND_DIE = """
import os, sys
from scriptstep.content import ContentStore
os.makedirs(sys.argv[1] + "/.tmp", exist_ok=True)
store = ContentStore(sys.argv[1])
start = open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]
os.makedirs(f"{sys.argv[1]}/.tmp/{os.getpid()}-{start}-0/content/sub")
open(f"{sys.argv[1]}/.tmp/{os.getpid()}-{start}-0/content/sub/half", "w").close()
print(f"{os.getpid()}-{start}-0", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="processes cannot be told apart here")
def test_what_a_dead_process_left_is_swept_and_what_a_live_one_makes_is_not(tmp_path: Path) -> None:
    store = tmp_path / "trees"
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_AND_DIE, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        # The number of a process that lives, with another start: it was another process.
        (store / ".tmp" / f"{os.getpid()}-1-0").mkdir()
        ContentStore(store).save(write(tmp_path / "one", "a"))
        assert unfinished(tmp_path) == [name]
        process.kill()
        process.wait()
    ContentStore(store).save(write(tmp_path / "two", "b"))
    assert unfinished(tmp_path) == []


SAVE = """
import sys
from scriptstep.content import ContentStore
store = ContentStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(store.save(sys.argv[2]).digest, store.adopt(sys.argv[3]).digest, flush=True)
"""


def test_processes_that_save_the_same_tree_at_once_all_have_it(store: ContentStore, tmp_path: Path) -> None:
    chance = random.Random(3)
    code = tmp_path / "code"
    for number in range(150):
        (code / f"d{number % 10}").mkdir(parents=True, exist_ok=True)
        (code / f"d{number % 10}" / f"{number}").write_bytes(chance.randbytes(5000))
    processes = []
    for number in range(4):
        shutil.copytree(code, tmp_path / f"out{number}")
        arguments: list[str | Path] = [sys.executable, "-c", SAVE, tmp_path / "trees", code, tmp_path / f"out{number}"]
        processes.append(subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert len({tuple(line) for line in told}) == 1
    for digest in told[0]:
        assert store.ensure(digest) and store.verify(digest) == []
    assert unfinished(tmp_path) == [] and not (tmp_path / "out0").exists()


KILLED = """
import sys
from scriptstep.content import ContentStore
print("ready", flush=True)
ContentStore(sys.argv[1]).save(sys.argv[2])
"""


def test_a_process_that_is_killed_leaves_a_whole_tree_or_none(tmp_path: Path) -> None:
    code = write(tmp_path / "code", *(f"{number % 20}/{number}" for number in range(800)))
    digest = scan_code(code).digest
    outcomes = set()
    for number in range(12):
        root = tmp_path / f"store{number}"
        with subprocess.Popen([sys.executable, "-c", KILLED, root, code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(number * 0.01)
            process.kill()
        store = ContentStore(root)
        outcomes.add(store.ensure(digest))
        if store.ensure(digest):
            assert store.verify(digest) == []
        store.save(code)
        assert store.verify(digest) == [] and os.listdir(root / ".tmp") == []
    assert False in outcomes, "every one was done before it was killed"


def test_a_scan_may_be_given_again_from_its_bytes(store: ContentStore, code: Path) -> None:
    manifest = Manifest.from_bytes(scan_code(code).to_bytes())
    assert store.save(code, Manifest.from_bytes(manifest.to_bytes())) == manifest
    assert store.verify(manifest.digest) == []


def test_a_file_in_a_stored_tree_is_what_b3sum_says(store: ContentStore, code: Path) -> None:
    manifest = store.save(code)
    for entry in manifest:
        if entry.kind in ("file", "executable"):
            data = (store.content_path(manifest.digest) / os.fsdecode(entry.path)).read_bytes()
            assert (entry.size, entry.digest) == (len(data), blake3(data).hexdigest())
