"""What is lost with the machine, and how much room there really is."""

from collections import namedtuple
from pathlib import Path

import pytest

from core import volume
from core.errors import UserError
from core.volume import free_bytes, lost_with_the_machine, mount_of, require_room, room_note, storage_note

Partition = namedtuple("Partition", "mountpoint fstype")


def mounted_at(*places):
    return lambda folder: str(folder) in {"/", *map(str, places)}


def test_a_place_belongs_to_the_nearest_mount_above_it_even_before_it_exists(tmp_path):
    deep = tmp_path / "workspace" / "lora_training" / "output"
    assert mount_of(deep, mounted_at(tmp_path)) == tmp_path.resolve() and mount_of(deep, mounted_at()) == Path("/")


def test_what_lies_on_the_containers_disk_is_named_loudly(tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    places = {"photos (data)": workspace / "data", "LoRAs and runs (output)": tmp_path / "app" / "output"}
    assert lost_with_the_machine(places, mounted_at(workspace)) == ["LoRAs and runs (output)"]
    note = storage_note(places, mounted_at(workspace))
    assert note.startswith("NOT ON A VOLUME: LoRAs and runs (output).") and "/workspace" in note
    assert storage_note({"photos (data)": workspace / "data"}, mounted_at(workspace)) is None


def test_a_link_onto_the_volume_counts_as_the_volume(tmp_path):
    (tmp_path / "workspace" / "data").mkdir(parents=True)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "data").symlink_to(tmp_path / "workspace" / "data")
    assert lost_with_the_machine({"data": tmp_path / "app" / "data"}, mounted_at(tmp_path / "workspace")) == []


def test_memory_is_no_volume(tmp_path, monkeypatch):
    monkeypatch.setattr(volume, "mount_of", lambda place, is_mount=None: tmp_path)
    monkeypatch.setattr(volume.psutil, "disk_partitions", lambda all: [Partition(str(tmp_path), "tmpfs")])
    assert lost_with_the_machine({"output": tmp_path}) == ["output"]


@pytest.mark.parametrize("kind", ["fuse.mfs", "fuse", "nfs4", "ceph", "lustre"])
def test_the_free_space_of_a_cluster_is_nobodys_quota(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(volume, "mount_of", lambda place, is_mount=None: tmp_path)
    monkeypatch.setattr(volume.psutil, "disk_partitions", lambda all: [Partition("/", "overlay"), Partition(str(tmp_path), kind)])
    assert free_bytes(tmp_path) is None


def test_a_disks_free_space_is_its_own_also_for_a_folder_to_come(tmp_path):
    assert free_bytes(tmp_path / "not" / "yet") > 0


def test_room_is_proved_by_writing_and_the_proof_is_removed(tmp_path):
    require_room(tmp_path / "new", 20 << 20)
    assert list((tmp_path / "new").iterdir()) == [] and room_note(tmp_path, 1 << 20) is None


@pytest.mark.parametrize("number", [28, 122])
def test_a_quota_that_is_used_up_is_said_like_a_full_disk(tmp_path, monkeypatch, number):
    def full(*_):
        raise OSError(number, "full")

    monkeypatch.setattr(volume, "open", full, raising=False)
    with pytest.raises(UserError, match="no space left"):
        require_room(tmp_path, 1 << 20)
    assert "not even 64 MiB" in room_note(tmp_path, 64 << 20) and list(tmp_path.iterdir()) == []
