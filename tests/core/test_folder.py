import pytest
from PIL import Image

from core.dataset.folder import open_dataset, sample_named
from core.errors import UserError


def photo(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 32), (120, 90, 60)).save(file)


def test_photos_and_captions_side_by_side(tmp_path):
    for name in ("photo10.jpg", "photo2.PNG", "photo1.webp"):
        photo(tmp_path / name)
    (tmp_path / "photo2.txt").write_text("ohwx")
    dataset = open_dataset(tmp_path)
    assert [sample.name for sample in dataset.samples] == ["photo1", "photo2", "photo10"]
    assert [sample.caption.text if sample.caption else None for sample in dataset.samples] == [None, "ohwx", None]


def test_separate_folders(tmp_path):
    photo(tmp_path / "images" / "a.jpg")
    (tmp_path / "captions").mkdir()
    (tmp_path / "captions" / "a.txt").write_text("ohwx a")
    (tmp_path / "captions" / "lost.txt").write_text("ohwx b")
    dataset = open_dataset(tmp_path)
    assert dataset.samples[0].caption.text == "ohwx a" and [file.name for file in dataset.orphan_captions] == ["lost.txt"]


def test_a_caption_that_is_not_there_yet_has_its_place_in_the_layout(tmp_path):
    photo(tmp_path / "images" / "a.jpg")
    (tmp_path / "captions").mkdir()
    assert open_dataset(tmp_path).samples[0].caption_file == tmp_path / "captions" / "a.txt"


def test_what_cannot_be_used_is_named(tmp_path):
    for name in ("a.jpg", "a.png"):
        photo(tmp_path / name)
    for name in ("b.heic", "c.gif", ".hidden.jpg", "notes.md"):
        (tmp_path / name).write_bytes(b"x")
    dataset = open_dataset(tmp_path)
    assert sorted(problem.file.name for problem in dataset.problems) == ["a.png", "b.heic", "c.gif"]
    assert all(problem.fix for problem in dataset.problems) and len(dataset.samples) == 1


def test_a_link_out_of_the_dataset_is_no_photo(tmp_path):
    photo(tmp_path / "elsewhere" / "secret.jpg")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").symlink_to(tmp_path / "elsewhere" / "secret.jpg")
    dataset = open_dataset(tmp_path / "set")
    assert dataset.samples == () and "leads out" in dataset.problems[0].what


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(UserError, match="not there"):
        open_dataset(tmp_path / "none")


@pytest.mark.parametrize("name", ["../a", "a.jpg", "", "a/../a", "\x00"])
def test_a_sample_is_found_by_its_listed_name_only(tmp_path, name):
    photo(tmp_path / "a.jpg")
    assert sample_named(open_dataset(tmp_path), "a").image.name == "a.jpg"
    with pytest.raises(UserError):
        sample_named(open_dataset(tmp_path), name)
