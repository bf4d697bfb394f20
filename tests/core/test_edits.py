"""Photos set aside, deleted, turned and cropped: what is shown and trained changes, and everything comes back."""

import numpy as np
import pytest
from PIL import Image

from core.dataset.captions import write_caption
from core.dataset.edits import crop, delete, exclude, has_original, restore, take_back, turn, write_captions
from core.dataset.folder import excluded_file, open_dataset, open_photos, sample_named
from core.dataset.history import redo, undo
from core.dataset.imaging import open_upright
from core.errors import Refused, UserError
from core.settings import DatasetSettings


@pytest.fixture
def folder(tmp_path):
    """Three photos whose halves tell up from down, each in its own format, one in the guide's second layout."""
    colours = np.zeros((300, 400, 3), dtype=np.uint8)
    colours[:150], colours[150:, :200], colours[150:, 200:] = (200, 30, 30), (30, 200, 30), (30, 30, 200)
    for name in ("photo1.jpg", "photo2.png", "photo10.webp"):
        Image.fromarray(colours).save(tmp_path / name, quality=95)
        write_caption((tmp_path / name).with_suffix(".txt"), f"ohwx man, {name}")
    return tmp_path


def files(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def names(samples):
    return [sample.name for sample in samples]


def test_excluded_photos_stay_on_disk_and_out_of_training(folder):
    before = files(folder)
    exclude(open_dataset(folder), ["photo10", "photo2"])
    exclude(open_dataset(folder), ["photo1"])
    dataset = open_dataset(folder)
    assert names(dataset.samples) == [] and names(dataset.excluded) == ["photo1", "photo2", "photo10"] and dataset.orphan_captions == ()
    with pytest.raises(Refused, match="no photo to train on") as refused:
        open_photos(DatasetSettings(folder=str(folder)))
    assert "excluded" in refused.value.fix
    take_back(dataset, ["photo2"])
    assert names(open_photos(DatasetSettings(folder=str(folder))).samples) == ["photo2"] and files(folder) == before
    undo(folder), undo(folder)
    assert names(open_dataset(folder).excluded) == ["photo2", "photo10"]
    with pytest.raises(UserError, match="no photo called"):
        exclude(open_dataset(folder), ["../photo1"])


@pytest.mark.parametrize("text", ["[", "[" * 100_000, "3"])
def test_a_damaged_list_of_excluded_photos_is_no_empty_list(folder, text):
    exclude(open_dataset(folder), ["photo1"])
    excluded_file(folder).write_text(text)
    with pytest.raises(UserError, match="excluded photos cannot be read"):
        open_dataset(folder)


def test_deleted_photos_come_back_with_caption_and_exclusion(folder):
    exclude(open_dataset(folder), ["photo1"])
    turn(open_dataset(folder), ["photo1"], 90)
    before = files(folder)
    delete(open_dataset(folder), ["photo1", "photo2"])
    assert sorted(files(folder)) == ["photo10.txt", "photo10.webp"] and open_dataset(folder).excluded == ()
    undo(folder)
    dataset = open_dataset(folder)
    assert files(folder) == before and names(dataset.excluded) == ["photo1"] and has_original(dataset, dataset.excluded[0])
    redo(folder)
    assert len(open_dataset(folder).samples) == 1


@pytest.mark.parametrize("name", ["photo1", "photo2", "photo10"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turn_shows_what_a_turned_print_shows_and_keeps_the_original(folder, name, degrees):
    file = sample_named(open_dataset(folder), name).image
    original, wanted = file.read_bytes(), open_upright(file).rotate(-degrees, expand=True)
    turn(open_dataset(folder), [name], degrees)
    turned = open_upright(file)
    with Image.open(file) as reopened:
        assert turned.size == wanted.size and reopened.format == {"photo1": "JPEG", "photo2": "PNG", "photo10": "WEBP"}[name]
    assert np.abs(np.asarray(turned, dtype=int) - np.asarray(wanted, dtype=int)).mean() < 2
    turn(open_dataset(folder), [name], 90)
    assert (folder / ".studio" / "originals" / file.name).read_bytes() == original
    restore(open_dataset(folder), [name])
    assert file.read_bytes() == original and not has_original(open_dataset(folder), sample_named(open_dataset(folder), name))
    with pytest.raises(Refused, match="neither cropped nor turned"):
        restore(open_dataset(folder), [name])


def test_an_exif_orientation_is_not_applied_twice(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = folder / "phone.jpg"
    open_upright(folder / "photo1.jpg").save(file, exif=exif, quality=95)
    wanted = np.asarray(open_upright(file).rotate(-90, expand=True), dtype=int)
    turn(open_dataset(folder), ["phone"], 90)
    assert np.abs(np.asarray(open_upright(file), dtype=int) - wanted).mean() < 2


def test_a_crop_keeps_the_box_and_refuses_a_slip_of_the_hand(folder):
    before = files(folder)
    crop(open_dataset(folder), {"photo2": (0.5, 0.5, 1.0, 1.0), "photo1": (-0.2, 0.0, 1.3, 0.5)})
    assert open_upright(folder / "photo2.png").size == (200, 150) and open_upright(folder / "photo2.png").getpixel((100, 75)) == (30, 30, 200)
    assert open_upright(folder / "photo1.jpg").size == (400, 150)
    undo(folder)
    assert files(folder) == before and not any((folder / ".studio" / "originals").iterdir())
    for box in ((0.5, 0.5, 0.6, 0.6), (0.9, 0.0, 0.1, 1.0)):
        with pytest.raises(Refused, match="would be left"):
            crop(open_dataset(folder), {"photo1": (0.0, 0.0, 1.0, 1.0), "photo2": box})
    assert files(folder) == before


def test_a_broken_photo_stops_the_whole_turn(folder):
    (folder / "photo2.png").write_bytes((folder / "photo2.png").read_bytes()[:200])
    before = files(folder)
    with pytest.raises(UserError, match="cannot be read"):
        turn(open_dataset(folder), ["photo1", "photo2"], 90)
    assert files(folder) == before


def test_captions_are_written_together_and_only_where_they_differ(folder):
    written = write_captions(open_dataset(folder), {"photo1": "ohwx man,  photo1.jpg ", "photo2": "ohwx man in rain", "photo10": "x"}, "edit")
    assert written == 2 and (folder / "photo2.txt").read_text() == "ohwx man in rain\n"
    undo(folder)
    assert (folder / "photo2.txt").read_text() == "ohwx man, photo2.png\n" and (folder / "photo10.txt").read_text() == "ohwx man, photo10.webp\n"
