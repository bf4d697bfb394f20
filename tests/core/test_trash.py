import time

import pytest

import core.trash as trash_module
from core.errors import Refused, UserError
from core.runs import RunStore, training_words
from core.settings import parse_settings
from core.trash import DAYS_KEPT, Trash


def made_by_an_evaluation(run):
    """The card and its grid, and the same of a checkpoint that was recommended."""
    return [run.output / f"{run.name}{rest}" for rest in (".md", "-grid.png", "-step-000002.safetensors", "-step-000002.md", "-step-000002-grid.png")]


@pytest.fixture
def house(tmp_path):
    """A run with everything a run can have, and a neighbour of nearly the same name."""
    store = RunStore(tmp_path / "output")
    for name in ("anna", "anna-2"):
        run = store.create(parse_settings({"run.name": name, "dataset.folder": str(tmp_path / "data" / name)}))
        for file in (run.checkpoints_folder / "step-000002" / "lora.safetensors", run.samples_folder / "a.webp", run.lora_file, run.transformer_only_file, *made_by_an_evaluation(run)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(name.encode())
    return store


def everything(store):
    return {str(path.relative_to(store.root)): path.read_bytes() for path in store.root.rglob("*") if path.is_file() and ".trash" not in path.parts and path.name != ".job.lock"}


def test_a_deleted_run_comes_back_whole(house):
    before = everything(house)
    trash = Trash(house)
    deleted = trash.delete("anna")
    assert house.names() == ["anna-2"] and [file for file in everything(house) if "anna-2" not in file] == []
    assert [(entry.name, entry.dataset.name) for entry in trash.listing()] == [("anna", "anna")]
    assert trash.undo(deleted.identity) == "anna"
    assert everything(house) == before and trash.listing() == []


def test_nothing_is_overwritten_by_what_comes_back(house):
    trash = Trash(house)
    deleted = trash.delete("anna")
    again = house.create(parse_settings({"run.name": "anna"}))
    before = everything(house)
    with pytest.raises(Refused, match="another 'anna' by now"):
        trash.undo(deleted.identity)
    assert everything(house) == before and len(trash.listing()) == 1 and again.folder.is_dir()


def test_a_run_that_is_trained_stays(house):
    with house.exclusive(training_words("anna")), pytest.raises(Refused, match="being trained"):
        Trash(house).delete("anna")
    assert "anna" in house.names()


@pytest.mark.parametrize("name", ["../data", "..", "", "/etc", "anna/../anna", "samples", ".trash", "nobody", "anna\x00"])
def test_only_listed_runs_are_deleted(house, name):
    before = everything(house)
    with pytest.raises(UserError):
        Trash(house).delete(name)
    with pytest.raises(Refused):
        Trash(house).undo(name)
    assert everything(house) == before


def test_a_move_that_fails_half_way_leaves_the_run_where_it_was(house, monkeypatch):
    before, rename, moved = everything(house), trash_module.os.rename, []

    def third_fails(source, target):
        moved.append(source)
        if len(moved) == 3:
            raise OSError(30, "Read-only file system")
        rename(source, target)

    monkeypatch.setattr(trash_module.os, "rename", third_fails)
    with pytest.raises(UserError, match="cannot be written"):
        Trash(house).delete("anna")
    monkeypatch.undo()
    assert everything(house) == before and Trash(house).listing() == []


def test_old_entries_go_for_good_and_young_ones_stay(house):
    trash = Trash(house)
    trash.delete("anna")
    trash.sweep(time.time() + (DAYS_KEPT - 1) * 86400)
    assert len(trash.listing()) == 1
    trash.sweep(time.time() + (DAYS_KEPT + 1) * 86400)
    assert trash.listing() == [] and not any(trash.root.iterdir())


def test_emptying_deletes_for_good_and_follows_no_link(house, tmp_path):
    trash = Trash(house)
    trash.delete("anna")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo.jpg").write_bytes(b"x")
    (trash.root / "link").symlink_to(tmp_path / "precious")
    assert trash.empty() == 1 and trash.listing() == []
    trash.sweep(time.time() + 1e9)
    assert (tmp_path / "precious" / "photo.jpg").exists()


def test_a_hostile_record_is_no_entry(house):
    place = Trash(house).root / "planted"
    place.mkdir(parents=True)
    for record in ('{"name": "../../x", "dataset": "x", "deleted": 1}', '{"name": 1}', "[", '{"name": "a", "dataset": 1, "deleted": "x"}'):
        (place / "record.json").write_text(record)
        assert Trash(house).listing() == []
