"""`dbutils.fs` on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlake.local.errors import LocalError
from pinlake.local.files import Files

fs = Files()


def test_files_are_written_read_listed_and_removed(tmp_path: Path) -> None:
    folder = f"file:{tmp_path}/folder"
    assert fs.mkdirs(f"{folder}/below")
    assert fs.put(f"{folder}/a.txt", "héllo")
    assert fs.head(f"{folder}/a.txt", 1) == "h"
    assert fs.head(str(tmp_path / "folder" / "a.txt")) == "héllo"
    file, below = fs.ls(folder)
    assert (file.name, file.size, file.isFile(), file.path) == ("a.txt", 6, True, f"{folder}/a.txt")
    assert (below.name, below.size, below.isDir()) == ("below/", 0, True)
    assert abs(file.modificationTime / 1000 - (tmp_path / "folder" / "a.txt").stat().st_mtime) < 1
    assert fs.rm(f"{folder}/a.txt")
    assert not fs.rm(f"{folder}/a.txt")
    with pytest.raises(LocalError, match="is a folder; give recurse=True"):
        fs.rm(folder)
    assert fs.rm(folder, recurse=True)
    assert not (tmp_path / "folder").exists()


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    file = str(tmp_path / "a")
    fs.put(file, "1")
    with pytest.raises(LocalError, match="a is there already; give overwrite=True"):
        fs.put(file, "2")
    fs.put(file, "2", overwrite=True)
    assert fs.head(file) == "2"


def test_copies_and_moves(tmp_path: Path) -> None:
    one, two, three = (str(tmp_path / name) for name in ("one", "two", "three/deep"))
    fs.put(f"{one}/a", "1")
    fs.cp(f"{one}/a", f"{two}/b")
    fs.cp(f"{one}/a", two)
    assert [file.name for file in fs.ls(two)] == ["a", "b"]
    for act in (fs.cp, fs.mv):
        with pytest.raises(LocalError, match="one is a folder; give recurse=True"):
            act(one, three)
    fs.cp(one, three, recurse=True)
    fs.mv(one, f"{two}/moved", recurse=True)
    assert (fs.head(f"{three}/a"), fs.head(f"{two}/moved/a"), Path(one).exists()) == ("1", "1", False)


def test_what_is_not_there_or_not_here(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="gone is not there; give the path of a file or folder"):
        fs.ls(str(tmp_path / "gone"))
    for path in ("dbfs:/x", "s3://bucket/x"):
        with pytest.raises(LocalError, match="exists only in a workspace; here give a plain path"):
            fs.ls(path)


def test_mounts_are_told_to_be_a_workspaces(tmp_path: Path) -> None:
    told = "mounts exist only in a workspace; here set storage to local, and source to the folder of the dump"
    for call in (fs.mounts, fs.refreshMounts, fs.mount, fs.unmount, fs.updateMount):
        with pytest.raises(LocalError, match=f"dbutils.fs.{call.__name__}: {told}"):
            call()
    with pytest.raises(LocalError, match=told):
        fs.mount(source="s3a://b", mount_point="/mnt/b", extra_configs={})
