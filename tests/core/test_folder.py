import os

import pytest
from PIL import Image

from core.dataset.edits import exclude
from core.dataset.folder import files_state, open_dataset, sample_named
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
    assert "iPhone" in next(problem.fix for problem in dataset.problems if problem.file.suffix == ".heic")


def test_the_state_of_the_files_changes_with_every_photo_caption_and_exclusion(tmp_path):
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "images" / "b.jpg")
    states = [files_state(tmp_path)]
    for change in (
        lambda: (tmp_path / "images" / "a.txt").write_text("ohwx"),
        lambda: (tmp_path / "images" / "a.txt").write_text("ohwx, a"),
        lambda: os.utime(tmp_path / "images" / "a.jpg", (1, 1)),
        lambda: exclude(open_dataset(tmp_path), ["b"]),
        lambda: (tmp_path / "images" / "b.jpg").unlink(),
    ):
        change()
        states.append(files_state(tmp_path))
    assert len(set(states)) == 6 and files_state(tmp_path) == states[-1]
    (tmp_path / ".half-sent.jpg").write_bytes(b"x")
    assert files_state(tmp_path) == states[-1] and files_state(tmp_path / "nowhere")


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


def test_an_empty_folder_is_said(tmp_path):
    (tmp_path / ".hidden.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="no photos") as raised:
        open_dataset(tmp_path)
    assert str(tmp_path) in raised.value.where and "15 to 30" in raised.value.fix


def test_a_caption_that_links_out_of_the_dataset_is_never_read(tmp_path):
    (tmp_path / "secret.txt").write_text("the secret")
    photo(tmp_path / "set" / "a.jpg")
    (tmp_path / "set" / "a.txt").symlink_to(tmp_path / "secret.txt")
    dataset = open_dataset(tmp_path / "set")
    assert dataset.samples[0].caption is None and "leads out" in dataset.problems[0].what


@pytest.mark.parametrize("name", ["images", "captions"])
def test_a_folder_that_links_out_of_the_dataset_is_not_entered(tmp_path, name):
    photo(tmp_path / "elsewhere" / "secret.jpg")
    (tmp_path / "elsewhere" / "a.txt").write_text("the secret")
    photo(tmp_path / "set" / "a.jpg")
    (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    dataset = open_dataset(tmp_path / "set")
    assert [(sample.name, sample.caption) for sample in dataset.samples] == [("a", None)]
    assert dataset.samples[0].caption_file == tmp_path / "set" / "a.txt" and [problem.file.name for problem in dataset.problems] == [name]


def test_a_link_within_the_dataset_and_a_linked_dataset_are_fine(tmp_path):
    photo(tmp_path / "set" / "a.jpg")
    (tmp_path / "set" / "b.jpg").symlink_to("a.jpg")
    (tmp_path / "linked").symlink_to("set", target_is_directory=True)
    dataset = open_dataset(tmp_path / "linked")
    assert [sample.name for sample in dataset.samples] == ["a", "b"] and dataset.problems == ()


def test_files_beside_the_folders_of_the_layout_are_named(tmp_path):
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "left.jpg")
    (tmp_path / "captions").mkdir()
    for lost in (tmp_path / "a.txt", tmp_path / "images" / "a.txt", tmp_path / "README.txt"):
        lost.write_text("ohwx")
    dataset = open_dataset(tmp_path)
    assert sorted(str(problem.file.relative_to(tmp_path)) for problem in dataset.problems) == ["a.txt", "images/a.txt", "left.jpg"]
    assert [sample.name for sample in dataset.samples] == ["a"] and dataset.samples[0].caption is None


def test_any_name_a_file_can_have_is_listed_or_named(tmp_path):
    names = ["²", "1²2", "٣", "a\nb", "日本", "<b>"]
    for name in names:
        photo(tmp_path / f"{name}.png")
    photo(tmp_path / "bad\udcff.png")
    dataset = open_dataset(tmp_path)
    assert {sample.name for sample in dataset.samples} == set(names)
    assert [problem.file.name for problem in dataset.problems] == ["bad?.png"]


def test_an_unreadable_caption_leaves_the_photo(tmp_path):
    photo(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_bytes(b"x" * 200_000)
    dataset = open_dataset(tmp_path)
    assert dataset.samples[0].caption is None and [problem.file.name for problem in dataset.problems] == ["a.txt"]
