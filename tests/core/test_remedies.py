"""What a finding's button does: the right photos, only those, and it can be undone."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps

from core.analyzer.analyze import analyze
from core.analyzer.measure import measure
from core.analyzer.remedies import apply_remedy, person_box
from core.analyzer.report import Finding, read_report
from core.dataset.buckets import buckets_for
from core.dataset.captions import write_caption
from core.dataset.folder import open_dataset
from core.dataset.history import undo
from core.dataset.imaging import open_upright
from core.errors import Refused
from core.identity.faces import FACE_WEIGHTS, Face
from core.identity.photo_faces import PhotoFaces
from core.settings import parse_settings
from tests.core.test_faces import PHOTOS

BUCKETS = buckets_for(512, 256, 1024, 64)


def face(left, top, width, height, score=0.9):
    return Face(box=(left, top, width, height), score=score, angle="front view", facing="left", framing="portrait")


@pytest.mark.parametrize(
    ("other", "away"),
    [(face(0.62, 0.2, 0.2, 0.3), lambda box: box[2] <= 0.62 + 1e-9), (face(0.02, 0.25, 0.12, 0.2), lambda box: box[0] >= 0.14 - 1e-9), (face(0.3, 0.75, 0.2, 0.2), lambda box: box[3] <= 0.75 + 1e-9)],
)
def test_the_box_holds_the_person_and_not_the_other(other, away):
    person = face(0.25, 0.2, 0.22, 0.35)
    box = person_box("a", [person, other], 3000, 2000, BUCKETS)
    assert away(box) and box[0] <= 0.25 and box[1] <= 0.2 and box[2] >= 0.47 and box[3] >= 0.55
    shape = (box[2] - box[0]) * 3000 / ((box[3] - box[1]) * 2000)
    assert min(abs(np.log(shape * bucket.height / bucket.width)) for bucket in BUCKETS) < 0.01


def test_a_panorama_is_cut_around_the_face_and_passers_by_do_not_count():
    box = person_box("a", [face(0.8, 0.3, 0.1, 0.4), face(0.1, 0.3, 0.02, 0.03)], 6000, 1000, BUCKETS)
    assert box[0] <= 0.8 and box[2] >= 0.9 and box[2] <= 1 and (box[1], box[3]) == pytest.approx((0, 1))


def test_faces_too_close_and_no_face_are_said():
    with pytest.raises(Refused, match="too close"):
        person_box("a", [face(0.3, 0.3, 0.3, 0.4), face(0.5, 0.3, 0.25, 0.4)], 1000, 1000, BUCKETS)
    with pytest.raises(Refused, match="No face"):
        person_box("a", [], 1000, 1000, BUCKETS)


@pytest.fixture(scope="module")
def couple(tmp_path_factory):
    """Two public-domain portraits side by side, and one of them alone, with captions that have faults."""
    folder = tmp_path_factory.mktemp("couple")
    left, right = (Image.open(PHOTOS / name).convert("RGB").resize((600, 800)) for name in ("obama.jpg", "ardern.jpg"))
    both = Image.new("RGB", (1200, 800))
    both.paste(left, (0, 0))
    both.paste(right.resize((540, 720)), (630, 40))
    both.save(folder / "both.jpg", quality=95)
    left.save(folder / "alone.jpg", quality=95)
    write_caption(folder / "both.txt", "a man with grey hair at a desk")
    write_caption(folder / "alone.txt", "ohwx man, " + "in an office with flags, " * 12)
    return folder


def report_of(folder, cache):
    """With a model that brings no reader of drawings: one photo in a plain surround passes for a drawing."""
    settings = parse_settings({"dataset.folder": str(folder), "dataset.class_word": "man", "dataset.resolution": 512, "model.path": str(cache)})
    list(analyze(settings, cache / "report.json", "report.json", cache / "measures"))
    return settings, read_report(cache / "report.json")


def press(folder, tmp_path, check):
    settings, report = report_of(folder, tmp_path)
    finding = next(finding for finding in report.findings if finding.check == check)
    apply_remedy(finding, finding.photos, open_dataset(folder), settings, tmp_path / "measures")
    return [finding.check for finding in report_of(folder, tmp_path)[1].findings], finding


@pytest.mark.parametrize("check", ["several people", "trigger", "verbose caption", "permanent traits"])
def test_a_remedy_takes_its_finding_away_and_undo_brings_everything_back(couple, tmp_path, check):
    folder = tmp_path / "couple"
    shutil.copytree(couple, folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    checks, finding = press(folder, tmp_path, check)
    assert check not in checks and finding.photos
    if check == "several people":
        assert open_upright(folder / "both.jpg").width < 1000
    undo(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


def test_leaving_out_touches_only_the_photo_that_was_chosen(couple, tmp_path):
    folder = tmp_path / "couple"
    shutil.copytree(couple, folder)
    settings = parse_settings({"dataset.folder": str(folder)})
    finding = Finding(check="x", severity="error", what="", fix="", photos=("alone", "both"), remedy="exclude")
    apply_remedy(finding, ["both"], open_dataset(folder), settings, tmp_path)
    assert [sample.name for sample in open_dataset(folder).samples] == ["alone"]
    for names in (["other"], [], ["alone", "../x"]):
        with pytest.raises(Refused, match="not photos of that finding"):
            apply_remedy(finding, names, open_dataset(folder), settings, tmp_path)
    with pytest.raises(Refused, match="one click"):
        apply_remedy(finding.model_copy(update={"remedy": None}), ["alone"], open_dataset(folder), settings, tmp_path)


def test_a_photo_that_lies_on_its_side_is_turned_upright(tmp_path):
    folder = tmp_path / "lying"
    folder.mkdir()
    with Image.open(PHOTOS / "obama.jpg") as upright:
        upright.convert("RGB").transpose(Image.Transpose.ROTATE_90).save(folder / "lying.jpg", quality=95)
        write_caption(folder / "lying.txt", "ohwx man at a desk")
        checks, finding = press(folder, tmp_path, "sideways")
        assert finding.remedy == "turn" and "sideways" not in checks
        assert open_upright(folder / "lying.jpg").size == upright.size


@pytest.mark.parametrize(("name", "degrees"), [("obama", 28), ("macron", -30), ("ardern", 25)])
def test_a_tilted_photo_is_straightened_and_undo_brings_it_back(tmp_path, name, degrees):
    """The photo stands in a wide surround, so that the face has room."""
    folder = tmp_path / "aslant"
    folder.mkdir()
    with Image.open(PHOTOS / f"{name}.jpg") as upright:
        ImageOps.expand(upright.convert("RGB"), upright.width // 2, (110, 120, 130)).rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=(110, 120, 130)).save(folder / "aslant.jpg", quality=95)
    write_caption(folder / "aslant.txt", "ohwx man at a desk")
    before = (folder / "aslant.jpg").read_bytes()
    own = measure(PHOTOS / f"{name}.jpg", PhotoFaces(FACE_WEIGHTS)).tilt
    checks, finding = press(folder, tmp_path, "tilted")
    left = measure(folder / "aslant.jpg", PhotoFaces(FACE_WEIGHTS)).tilt
    assert finding.severity == "note" and finding.value == pytest.approx(degrees + own, abs=10) and "tilted" not in checks
    assert abs(left) < 8 and open_upright(folder / "aslant.jpg").width < Image.open(io.BytesIO(before)).width
    undo(folder)
    assert (folder / "aslant.jpg").read_bytes() == before


def test_a_face_that_would_be_cut_and_a_tilt_nobody_can_tell_are_refused(tmp_path, monkeypatch):
    folder = tmp_path / "narrow"
    folder.mkdir()
    shutil.copy(PHOTOS / "obama.jpg", folder)
    finding = Finding(check="tilted", severity="note", what="", fix="", photos=("obama",), remedy="straighten", value=30, threshold=20)
    upright = measure(PHOTOS / "obama.jpg", PhotoFaces(FACE_WEIGHTS))
    at_edge = upright.faces[0].model_copy(update={"box": (0.0, 0.0, 0.4, 0.4)})
    for changes, words in (({"tilt": 30.0, "faces": (at_edge,)}, "too near to an edge"), ({"tilt": None}, "cannot be told")):
        monkeypatch.setattr("core.analyzer.remedies.measure_all", lambda samples, *_, changes=changes: [upright.model_copy(update=changes)])
        with pytest.raises(Refused, match=words):
            apply_remedy(finding, ("obama",), open_dataset(folder), parse_settings({"dataset.folder": str(folder)}), tmp_path)
    assert (folder / "obama.jpg").read_bytes() == (PHOTOS / "obama.jpg").read_bytes()


def test_a_report_that_does_not_say_which_way_turns_nothing(couple, tmp_path):
    finding = Finding(check="sideways", severity="warning", photos=("alone",), what="?", fix="", remedy="turn", value=45)
    with pytest.raises(Refused, match="which way"):
        apply_remedy(finding, ("alone",), open_dataset(couple), parse_settings({"dataset.folder": str(couple)}), tmp_path)
