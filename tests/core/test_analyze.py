"""Hostile datasets: an analysis ends with a report whatever lies in the folder."""

import pytest
from PIL import Image

from core.analyzer.analyze import analyze
from core.analyzer.report import read_report
from core.errors import UserError
from core.settings import DatasetSettings, Settings


def settings_of(folder):
    return Settings(dataset=DatasetSettings(folder=str(folder), resolution=128, min_bucket_resolution=96, max_bucket_resolution=192, bucket_step=16))


def test_every_broken_file_is_a_finding_and_none_an_exception(photos, tmp_path):
    folder = tmp_path / "person"
    folder.mkdir()
    whole = (photos / "photo-01.png").read_bytes()
    (folder / "good.png").write_bytes(whole)
    broken = {"half.png": whole[: len(whole) // 2], "text.jpg": b"not a photo", "empty.webp": b"", "x.heic": b"x", "bad\udcff.png": whole}
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    (folder / "good.txt").write_bytes("ohwx, a man".encode("utf-16")[:-1])
    events = list(analyze(settings_of(folder), tmp_path / "report.json", "report.json", tmp_path / "measures"))
    report = read_report(tmp_path / "report.json")
    named = {finding.photos[0] for finding in report.findings if finding.check == "file"}
    assert events[-1].kind == "finished" and report.photo_count == 1
    assert named == {"half.png", "text.jpg", "empty.webp", "x.heic", "bad?.png", "good.txt"}


def test_progress_counts_every_photo_and_the_report_is_announced(photos, tmp_path):
    events = list(analyze(settings_of(photos), tmp_path / "report.json", "analysis/report.json", tmp_path / "measures"))
    reading = [(event.done, event.total) for event in events if event.kind == "phase" and event.what == "Reading photos"]
    assert reading == [(done, 6) for done in range(6)]
    assert [event.file for event in events if event.kind == "report"] == ["analysis/report.json"]


def test_a_report_that_cannot_be_written_is_said(photos, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError):
        list(analyze(settings_of(photos), tmp_path / "file" / "report.json", "report.json", tmp_path / "measures"))


def test_an_empty_folder_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no photos"):
        list(analyze(settings_of(tmp_path / "empty"), tmp_path / "report.json", "report.json", tmp_path / "measures"))


@pytest.mark.parametrize("content", ["", "{", '{"folder": 3}'])
def test_a_report_of_another_kind_is_none(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    assert read_report(tmp_path / "report.json") is None


def test_photos_of_one_person_in_other_sizes_get_their_buckets(tmp_path):
    for number, size in enumerate([(300, 300), (300, 300), (200, 380), (390, 200)]):
        Image.effect_noise(size, 50 + number).convert("RGB").save(tmp_path / f"p{number}.png")
    list(analyze(settings_of(tmp_path), tmp_path / "report.json", "report.json", tmp_path / "measures"))
    rows = read_report(tmp_path / "report.json").buckets
    assert [len(row.photos) for row in rows] == [2, 1, 1] and sum(len(row.photos) for row in rows) == 4
    assert {row.width > row.height for row in rows if len(row.photos) == 1} == {True, False}
