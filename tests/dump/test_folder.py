"""Objects as files: listed, and written whole or not at all, never over another."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinlake.dump.folder import FolderStore
from pinlake.dump.store import Content, Entry, stat_all
from pinlake.errors import MachineError, SourceError

KEY = "topics/a.pin/partition=0/x.json"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "dump")


def files(store: FolderStore) -> list[str]:
    return sorted(path.relative_to(store.root).as_posix() for path in Path(store.root).rglob("*") if path.is_file())


def test_an_object_is_written_with_the_folders_it_needs(store: FolderStore) -> None:
    store.write(KEY, b"first")
    assert store.read(KEY).content == b"first"
    assert files(store) == [KEY]


def test_a_folder_that_may_not_be_written(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # Modes of files don't bind the superuser, whom a container's tests run as.
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("os.link", denied)
    with pytest.raises(MachineError, match=rf"dump/{KEY}: can't be written \(Permission denied\)\. .* allow writing"):
        store.write(KEY, b"x")
    assert files(store) == []


def test_a_file_where_a_folder_belongs(store: FolderStore) -> None:
    store.write("topics", b"a file")
    with pytest.raises(MachineError, match=r"can't be written \(Not a directory\)"):
        store.write(KEY, b"x")
    assert files(store) == ["topics"]


@pytest.fixture
def little_room() -> Iterator[int]:
    """The system writes no more than this many bytes of a file, and fails in the middle of the next write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, hard))
    yield 65_536
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_in_the_middle_of_an_object(store: FolderStore, little_room: int) -> None:
    with pytest.raises(MachineError, match=r"can't be written \(File too large\)\. Free the disk"):
        store.write(KEY, b"x" * (little_room + 1))
    assert KEY not in files(store)
    store.write(KEY, b"y" * little_room)
    assert store.read(KEY).size == little_room
    assert files(store) == [KEY]


def test_names_are_in_order_with_folders_marked(store: FolderStore) -> None:
    for key in ("t/2", "t/1", "t/a/3"):
        store.write(key, b"")
    assert store.entries("t") == [Entry("1", False), Entry("2", False), Entry("a", True)]
    assert store.entries("nowhere") == store.entries("t/1") == []


def test_all_objects_below_a_folder(store: FolderStore) -> None:
    for key in ("t/x/y/2", "t/1", "t/_log/3", "t/x/.part/4", "t/x/_5", "u/6"):
        store.write(key, b"x")
    assert store.walk("t") == ["t/1", "t/x/_5", "t/x/y/2"]
    assert store.walk("nowhere") == []
    assert [entry.name for entry in store.entries("t", prefix="_")] == ["_log"]


def test_names_after_one_are_all_there(store: FolderStore) -> None:
    for number in range(5):
        store.write(f"t/{number:010d}.json", b"")
    after = [name for name, _ in store.entries("t", after=f"{3:010d}")]
    assert [name for name in after if name > f"{3:010d}"] == [f"{3:010d}.json", f"{4:010d}.json"]
    assert after == sorted(after)


def test_a_folder_that_may_not_be_listed(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("os.scandir", denied)
    with pytest.raises(SourceError, match=r"dump/t can't be listed \(Permission denied\); allow reading it"):
        store.entries("t")


def test_objects_are_read_in_the_order_of_their_keys(store: FolderStore) -> None:
    store.write("t/1", b"one")
    store.write("t/2", b"")
    there, gone, empty = pickle.loads(pickle.dumps(store)).read_all(["t/1", "t/gone", "t/2"])
    assert there == Content(b"one", 3, store.stat("t/1").modified)
    assert isinstance(gone, FileNotFoundError)
    assert empty.content == b""
    assert [found and found.size for found in stat_all(store, ["t/1", "t/gone", "t/2"])] == [3, None, 0]


@pytest.mark.parametrize("code", [None, errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP])
def test_an_object_is_written_once_where_there_are_links_and_where_there_are_none(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    """There are none in volumes and other file systems in user space."""

    def refused(*_: object) -> None:
        raise OSError(code, os.strerror(code or 0))

    if code:
        monkeypatch.setattr("os.link", refused)
    store.write(KEY, b"first")
    with pytest.raises(FileExistsError):
        store.write(KEY, b"second")
    assert store.read(KEY).content == b"first"
    assert files(store) == [KEY]


@pytest.mark.parametrize("syncs", [True, False])
def test_an_object_is_on_the_disk_before_it_has_its_name_and_its_name_when_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncs: bool
) -> None:
    store = FolderStore(tmp_path / "synced", sync=True)
    done: list[tuple[str, int | str]] = []
    fsync, link = os.fsync, os.link

    def sync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        place = os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), store.root)
        done.append(("folder", place) if stat.S_ISDIR(found.st_mode) else ("file", found.st_size))
        if not syncs:  # as some file systems in user space
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    def named(*paths: str) -> None:
        done.append(("name", os.stat(paths[0]).st_size))
        link(*paths)

    monkeypatch.setattr("os.fsync", sync)
    monkeypatch.setattr("os.link", named)
    folder = os.path.dirname(KEY)
    Path(store.root, folder).mkdir(parents=True)
    store.write(KEY, b"first")
    assert done == [("file", 5), ("name", 5)]
    store.settle()
    store.settle()
    assert done == [("file", 5), ("name", 5), ("folder", folder)]


def test_the_folders_that_are_made_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    FolderStore(tmp_path / "dump").write(KEY, b"not synced")
    assert not synced
    store = FolderStore(tmp_path / "synced", sync=True)
    store.write(KEY, b"first")
    store.settle()
    folders = ["", "synced", "synced/topics", "synced/topics/a.pin", "synced/topics/a.pin/partition=0"]
    assert [path for path in synced if ".unfinished" not in path] == [str(tmp_path / each) for each in folders]
