"""Changes are all or none, come back byte for byte, and never cost what somebody else wrote."""

import json
import os

import pytest

from core.dataset import history
from core.dataset.history import change, next_steps, redo, undo
from core.errors import Refused, UserError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.jpg").write_bytes(b"photo")
    return tmp_path


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_what_was_written_and_removed_comes_back_and_goes_again(folder):
    before = contents(folder)
    change(folder, "edit", {folder / "a.txt": b"two", folder / "b.jpg": None, folder / "captions" / "c.txt": b"new"})
    after = contents(folder)
    assert after == {"a.txt": b"two"} and (folder / "captions" / "c.txt").read_bytes() == b"new"
    assert next_steps(folder) == ("edit", None)
    assert undo(folder) == "edit" and contents(folder) == before and not (folder / "captions" / "c.txt").exists()
    assert next_steps(folder) == (None, "edit")
    assert redo(folder) == "edit" and contents(folder) == after and (folder / "captions" / "c.txt").exists()


def test_changes_are_undone_newest_first_and_a_new_one_ends_redo(folder):
    for number in range(3):
        change(folder, f"edit {number}", {folder / "a.txt": str(number).encode()})
    assert [undo(folder), undo(folder)] == ["edit 2", "edit 1"] and (folder / "a.txt").read_text() == "0"
    assert redo(folder) == "edit 1" and next_steps(folder) == ("edit 1", "edit 2")
    change(folder, "another", {folder / "a.txt": b"x"})
    assert next_steps(folder) == ("another", None)
    with pytest.raises(Refused, match="nothing to redo"):
        redo(folder)
    assert [undo(folder), undo(folder), undo(folder)] == ["another", "edit 1", "edit 0"] and (folder / "a.txt").read_text() == "one"
    with pytest.raises(Refused, match="nothing to undo"):
        undo(folder)


def test_what_was_changed_elsewhere_since_is_left_alone(folder):
    change(folder, "edit", {folder / "a.txt": b"two", folder / "b.jpg": None})
    (folder / "a.txt").write_text("by hand")
    with pytest.raises(Refused, match="was changed elsewhere"):
        undo(folder)
    assert contents(folder) == {"a.txt": b"by hand"} and next_steps(folder) == ("edit", None)


@pytest.mark.parametrize("files_before_the_kill", [0, 1])
def test_a_change_that_was_killed_between_two_files_can_be_undone_and_redone(folder, monkeypatch, files_before_the_kill):
    done = []

    def killed(source, target):
        if len(done) == files_before_the_kill:
            raise KeyboardInterrupt
        done.append(target)
        os.rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(history.os, "replace", killed)
        # The record itself is written atomically before the first file: one replace more.
        done.clear()
        files_before_the_kill += 1
        with pytest.raises(KeyboardInterrupt):
            change(folder, "edit", {folder / "a.txt": b"two", folder / "c.txt": b"new"})
    half = contents(folder)
    assert undo(folder) == "edit"
    assert {name: data for name, data in contents(folder).items() if not name.startswith(".")} == {"a.txt": b"one", "b.jpg": b"photo"} and half != {}
    assert redo(folder) == "edit" and (folder / "a.txt").read_text() == "two" and (folder / "c.txt").read_text() == "new"


def test_a_disk_that_refuses_in_the_middle_leaves_everything_as_it_was(folder, monkeypatch):
    replace, calls = os.replace, []

    def full(source, target):
        calls.append(target)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(history.os, "replace", full)
    with pytest.raises(UserError, match="no space left"):
        change(folder, "edit", {folder / "a.txt": b"two", folder / "c.txt": b"new"})
    assert {name: data for name, data in contents(folder).items() if not name.startswith(".")} == {"a.txt": b"one", "b.jpg": b"photo"}
    assert next_steps(folder) == (None, None)


def test_only_so_many_changes_are_kept(folder, monkeypatch):
    monkeypatch.setattr(history, "MOST_CHANGES", 3)
    for number in range(5):
        change(folder, f"edit {number}", {folder / "a.txt": str(number).encode()})
    assert [undo(folder), undo(folder), undo(folder)] == ["edit 4", "edit 3", "edit 2"]
    with pytest.raises(Refused):
        undo(folder)
    assert (folder / "a.txt").read_text() == "1"


def test_an_editor_that_writes_into_the_file_does_not_reach_what_is_kept(folder):
    change(folder, "first", {folder / "a.txt": b"two"})
    with open(folder / "a.txt", "r+b") as file:
        file.write(b"2!!")
    with pytest.raises(Refused, match="changed elsewhere"):
        undo(folder)
    (folder / "a.txt").write_bytes(b"two")
    assert undo(folder) == "first" and (folder / "a.txt").read_text() == "one"


def test_a_studio_folder_that_is_a_link_is_refused(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / ".studio").symlink_to(elsewhere)
    with pytest.raises(Refused, match="is a link"):
        change(folder, "edit", {folder / "a.txt": b"two"})
    assert list(elsewhere.iterdir()) == [] and (folder / "a.txt").read_text() == "one"


@pytest.mark.parametrize("named", ["../outside.txt", "link/outside.txt", "ABSOLUTE"])
@pytest.mark.parametrize("step", [undo, redo])
def test_a_record_that_came_with_the_photos_writes_nothing_outside_of_them(folder, tmp_path_factory, named, step):
    """Somebody's photos, with a history of his own making, whose undo would overwrite a file of the machine."""
    outside = folder.parent / "outside.txt" if named.startswith("..") else tmp_path_factory.mktemp("elsewhere") / "outside.txt"
    outside.write_text("mine")
    (folder / "link").symlink_to(outside.parent)
    planted = folder / ".studio" / "history" / "000001"
    planted.mkdir(parents=True)
    record = {"what": "caption of anna", "files": [str(outside) if named == "ABSOLUTE" else named], "is_undone": step is redo}
    (planted / "change.json").write_text(json.dumps(record))
    for kept, text in (("0.before", "mine" if step is redo else "theirs"), ("0.after", "theirs" if step is redo else "mine")):
        (planted / kept).write_text(text)
    with pytest.raises(Refused) as refused:
        step(folder)
    assert outside.read_text() == "mine" and "outside of this dataset" in refused.value.what and str(planted) in refused.value.fix


@pytest.mark.parametrize("record", ["", "{", "[]", '{"what": "x"}', '{"a":' * 100_000, '{"what": "x", "files": [1], "is_undone": false}'])
def test_a_record_that_cannot_be_read_hides_its_change_and_no_other(folder, record):
    change(folder, "caption a", {folder / "a.txt": b"two"})
    planted = folder / ".studio" / "history" / "000002"
    planted.mkdir()
    (planted / "change.json").write_text(record)
    assert next_steps(folder) == ("caption a", None) and undo(folder) == "caption a" and contents(folder)["a.txt"] == b"one"
