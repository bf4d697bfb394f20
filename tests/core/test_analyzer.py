import json
import random

import pytest
from PIL import Image, ImageEnhance, ImageOps

from core.analyzer.analyze import analyze
from core.analyzer.report import read_report, render_text
from core.dataset.captions import write_caption
from core.errors import UserError
from core.pocket.demo import demo_scenes, write_photos
from core.pocket.people import random_identity
from core.settings import DatasetSettings, Settings


@pytest.fixture
def dataset(photos, tmp_path):
    """A copy of the drawn person's photos that a test may spoil."""
    folder = tmp_path / "person"
    folder.mkdir()
    for file in photos.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def findings_of(folder, tmp_path, **changes):
    settings = DatasetSettings(folder=str(folder), resolution=128, min_bucket_resolution=96, max_bucket_resolution=192, bucket_step=16, **changes)
    events = list(analyze(Settings(dataset=settings), tmp_path / "report.json", "report.json", tmp_path / "measures"))
    assert events[-1].kind == "finished"
    report = read_report(tmp_path / "report.json")
    return {finding.check: finding for finding in report.findings}, report


def test_clean_photos_are_short_of_nothing_but_number(dataset, tmp_path):
    found, report = findings_of(dataset, tmp_path)
    assert set(found) == {"count", "not judged"} and found["count"].value == 6 and report.verdict == "fix first"
    assert found["not judged"].severity == "note" and "these are drawings" in found["not judged"].what
    assert [(row.width, row.height, len(row.photos)) for row in report.buckets] == [(128, 128, 6)]


def test_an_exact_copy_is_an_error(dataset, tmp_path):
    Image.open(dataset / "photo-01.png").save(dataset / "copy.webp", lossless=True)
    found, _ = findings_of(dataset, tmp_path)
    assert found["duplicate"].severity == "error" and set(found["duplicate"].photos) == {"copy", "photo-01"}


@pytest.mark.parametrize("edit", [ImageOps.mirror, lambda image: ImageEnhance.Brightness(image).enhance(1.15), lambda image: image.resize((100, 100)), lambda image: image.quantize(64).convert("RGB")])
def test_an_edited_copy_is_a_near_duplicate(dataset, tmp_path, edit):
    edit(Image.open(dataset / "photo-02.png")).save(dataset / "edited.png")
    found, _ = findings_of(dataset, tmp_path)
    assert set(found["near duplicate"].photos) == {"edited", "photo-02"}


def test_different_drawings_of_one_person_are_hardly_ever_duplicates(tmp_path):
    flagged = 0
    for person in range(4):
        folder = tmp_path / f"person-{person}"
        folder.mkdir()
        write_photos(folder, random_identity(random.Random(person)), demo_scenes(f"duplicates-{person}", 18), "ohwx person", 128)
        _, report = findings_of(folder, tmp_path)
        flagged += sum(finding.check in ("duplicate", "near duplicate") for finding in report.findings)
    assert flagged <= 2, "of 612 pairs"


def test_caption_faults_are_told_apart(dataset, tmp_path):
    (dataset / "photo-01.txt").unlink()
    write_caption(dataset / "photo-02.txt", "a person without the word")
    write_caption(dataset / "photo-03.txt", "ohwx " + "very " * 45)
    write_caption(dataset / "photo-04.txt", "ohwx, a person, standing")
    write_caption(dataset / "photo-05.txt", "ohwx a person standing")
    (dataset / "photo-06.txt").write_bytes("ohwx, café".encode("cp1252"))
    (dataset / "nobody.txt").write_text("ohwx")
    found, _ = findings_of(dataset, tmp_path)
    expected = {"caption": "photo-01", "trigger": "photo-02", "verbose caption": "photo-03", "encoding": "photo-06", "orphan caption": "nobody.txt"}
    assert {check: found[check].photos[0] for check in expected} == expected
    assert found["identical captions"].photos == ("photo-04", "photo-05")


def test_broken_small_and_oddly_shaped_photos_are_named(dataset, tmp_path):
    (dataset / "broken.jpg").write_bytes((dataset / "photo-01.png").read_bytes()[:200])
    Image.new("RGB", (60, 60), (200, 30, 30)).save(dataset / "tiny.png")
    Image.new("RGB", (600, 150), (30, 30, 200)).save(dataset / "wide.png")
    found, report = findings_of(dataset, tmp_path)
    assert "broken.jpg" in found["file"].what and found["resolution"].photos == ("tiny",) and found["resolution"].severity == "error"
    assert found["crop"].photos == ("wide",) and report.photo_count == 8


def test_every_finding_says_what_to_do(dataset, tmp_path):
    (dataset / "photo-01.txt").unlink()
    found, report = findings_of(dataset, tmp_path)
    assert len(found) >= 2 and all(finding.fix for finding in found.values())
    text = render_text(report)
    assert all(finding.what in text for finding in report.findings) and "128 x 128" in text
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == report.verdict


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(UserError, match="not there"):
        list(analyze(Settings(dataset=DatasetSettings(folder=str(tmp_path / "none"))), tmp_path / "r.json", "r.json", tmp_path / "measures"))
