import pytest
from PIL import Image

from core.dataset.folder import open_dataset
from core.dataset.intake import add_files, safe_name


@pytest.fixture
def incoming(tmp_path):
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


def test_photos_and_captions_arrive_in_the_layout(tmp_path, incoming):
    Image.new("RGB", (20, 20)).save(incoming / "a.jpg")
    (incoming / "a.txt").write_text("ohwx a")
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "captions").mkdir()
    intake = add_files([incoming / "a.jpg", incoming / "a.txt"], tmp_path / "set")
    assert intake.added == ("a.jpg", "a.txt") and open_dataset(tmp_path / "set").samples[0].caption.text == "ohwx a"


def test_bad_files_are_named_and_good_ones_kept(tmp_path, incoming):
    Image.new("RGB", (20, 20)).save(incoming / "good.png")
    (incoming / "bad.jpg").write_bytes(b"no photo")
    (incoming / "x.heic").write_bytes(b"x")
    (incoming / "run.sh").write_bytes(b"rm")
    intake = add_files(sorted(incoming.iterdir()), tmp_path / "set")
    assert intake.added == ("good.png",) and len(intake.refused) == 3
    assert [file.name for file in (tmp_path / "set").iterdir()] == ["good.png"]


def test_nothing_is_overwritten(tmp_path, incoming):
    Image.new("RGB", (20, 20), (255, 0, 0)).save(incoming / "a.png")
    add_files([incoming / "a.png"], tmp_path / "set")
    before = (tmp_path / "set" / "a.png").read_bytes()
    Image.new("RGB", (20, 20), (0, 255, 0)).save(incoming / "a.png")
    intake = add_files([incoming / "a.png"], tmp_path / "set")
    assert "overwritten" in intake.refused[0] and (tmp_path / "set" / "a.png").read_bytes() == before


def test_nothing_is_written_through_a_link(tmp_path, incoming):
    Image.new("RGB", (20, 20)).save(incoming / "a.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "images").symlink_to(tmp_path / "elsewhere")
    intake = add_files([incoming / "a.png"], tmp_path / "set")
    assert "leads out" in intake.refused[0] and list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "safe"),
    [("../../etc/passwd.jpg", "passwd.jpg"), ("..\\..\\x.png", "x.png"), (".hidden.jpg", "hidden.jpg"), ("a\x00b.jpg", "a_b.jpg"), ("日本.jpg", "日本.jpg"), ("x" * 300 + ".JPG", "x" * 80 + ".jpg"), ("a b (1).png", "a b (1).png")],
)
def test_names_lose_what_leads_elsewhere(given, safe):
    assert safe_name(given) == safe
