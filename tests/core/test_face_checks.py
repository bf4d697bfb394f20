"""Checks of faces on measures written down by hand, at their thresholds and beyond; then on photographs spoiled on purpose."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from core.analyzer import face_checks
from core.analyzer.analyze import Faces, _face_findings, analyze
from core.analyzer.measure import measure, measure_all
from core.analyzer.photo import Measures, Person
from core.analyzer.report import read_report
from core.dataset.folder import Problem, open_dataset
from core.identity.drawn_faces import DrawnFaces
from core.identity.face_pixels import Light, Sharpness, _lab
from core.identity.faces import JUDGE_FILE, Face
from core.pocket.demo import demo_scenes
from core.pocket.drawing import draw
from core.pocket.people import random_identity
from core.settings import DatasetSettings, Settings
from tests.core.test_checks import photo, severities
from tests.core.test_faces import PHOTOS, POCKET, photo_faces, picture  # noqa: F401 (a fixture)

BOX = (0.3, 0.2, 0.3, 0.4)


def face(angle="front view", facing="left", framing="portrait", yaw=0.0, area=1.0, score=0.95):
    return Face(box=(0.3, 0.2, 0.3 * area, 0.4), score=score, angle=angle, facing=facing, framing=framing, yaw=yaw, landmarks=((0.4, 0.3), (0.5, 0.3), (0.45, 0.35), (0.4, 0.4), (0.5, 0.4)))


def person(angle_from_first=0.0, face_pixels=400, laplacian=300.0, reblur=0.4, **light):
    """An embedding turned away from the first axis by so many degrees."""
    turn = np.radians(angle_from_first)
    usual = {"lightness": 60.0, "spread": 12.0, "clipped": 0.0, "side": 0.0, "warmth": 15.0}
    return Person(embedding=(float(np.cos(turn)), float(np.sin(turn))), face_pixels=face_pixels, sharpness=Sharpness(laplacian=laplacian, reblur=reblur), light=Light(**{**usual, **light}))


def with_person(number, faces=None, **changes):
    return photo(number, faces=faces or (face(),), person=person(**changes))


def test_a_photo_without_a_face_and_one_with_two_people_are_named():
    photos = [photo(1), photo(2, faces=(face(), face(area=0.15))), photo(3, faces=(face(), face(area=0.14))), photo(4, faces=(face(), face(area=0.5, score=0.75))), photo(5, faces=(face(), face(area=0.2, score=0.75)))]
    assert [(finding.check, finding.photos[0]) for finding in face_checks.check_faces(photos)] == [("no face", "p1"), ("several people", "p2"), ("several people", "p4")]


def test_a_photo_on_its_side_is_one_finding_with_its_turn_and_its_face_is_not_judged():
    photos = [with_person(number, lightness=50 + 3 * number) for number in range(6)]
    lying = photo(9, faces=(face(),), person=person(angle_from_first=90, reblur=0.9), turn=270)
    (finding,) = [one for one in _face_findings([*photos, lying], Faces(SimpleNamespace(same_person=0.363))) if "p9" in one.photos]
    assert (finding.check, finding.value, finding.remedy) == ("sideways", 270, "turn") and "counterclockwise" in finding.what


@pytest.mark.parametrize(("degrees", "severity"), [(0, []), (64, []), (66, ["warning"]), (70, ["warning"]), (72, ["error"]), (90, ["error"])])
def test_a_face_unlike_the_others_is_perhaps_then_surely_another(degrees, severity):
    photos = [with_person(number) for number in range(5)] + [with_person(9, angle_from_first=degrees)]
    assert severities(face_checks.check_person(photos, 0.363)) == severity


def test_profiles_small_faces_and_few_photos_are_not_judged():
    stranger = {"angle_from_first": 90}
    assert not list(face_checks.check_person([with_person(1), with_person(2), with_person(3, **stranger)], 0.363))
    usual = [with_person(number) for number in range(5)]
    assert not list(face_checks.check_person([*usual, with_person(9, faces=(face(yaw=61.0),), **stranger)], 0.363))
    assert not list(face_checks.check_person([*usual, with_person(9, face_pixels=63, **stranger)], 0.363))


@pytest.mark.parametrize(("pixels", "severity"), [(64, []), (63, ["warning"])])
def test_a_face_too_small_to_judge_is_a_warning(pixels, severity):
    assert severities(face_checks.check_face_size([with_person(1, face_pixels=pixels)])) == severity


def test_crops_of_one_shot_are_found_unless_hashes_found_them():
    photos = [with_person(1), with_person(2, angle_from_first=22), with_person(3, angle_from_first=60)]
    assert [finding.photos for finding in face_checks.check_same_shot(photos, [])] == [("p1", "p2")]
    assert not list(face_checks.check_same_shot(photos, [("p1", "p2")]))


@pytest.mark.parametrize(("laplacian", "reblur", "found"), [(300, 0.4, []), (109, 0.4, ["soft"]), (300, 0.51, ["soft"]), (59, 0.4, ["blur"]), (300, 0.56, ["blur"])])
def test_blur_has_two_degrees(laplacian, reblur, found):
    assert [finding.check for finding in face_checks.check_sharpness([with_person(1, laplacian=laplacian, reblur=reblur)])] == found


def test_dark_is_judged_against_the_rest_so_that_dark_skin_is_no_fault():
    dark_skin = [with_person(number, lightness=31 + number % 3) for number in range(6)]
    assert not list(face_checks.check_exposure(dark_skin))
    usual = [with_person(number, lightness=60) for number in range(6)]
    assert severities(face_checks.check_exposure([*usual, with_person(9, lightness=40)])) == ["warning"]
    assert severities(face_checks.check_exposure([*usual, with_person(9, lightness=20)])) == ["error"]


@pytest.mark.parametrize(("clipped", "severity"), [(0.2, []), (0.21, ["warning"]), (0.41, ["error"])])
def test_a_burnt_out_face_is_a_warning_then_an_error(clipped, severity):
    assert severities(face_checks.check_exposure([with_person(1, clipped=clipped)])) == severity


def test_light_that_never_changes_is_a_warning():
    same = [with_person(number) for number in range(6)]
    assert severities(face_checks.check_light_variety(same)) == ["warning"]
    assert not list(face_checks.check_light_variety([with_person(number, lightness=50 + 3 * number) for number in range(6)]))
    assert not list(face_checks.check_light_variety(same[:4]))


def turned(*counts):
    angles = [("front view", "left"), ("three-quarter view", "left"), ("three-quarter view", "right"), ("profile view", "left")]
    faces = [face(angle, facing) for (angle, facing), count in zip(angles, counts, strict=True) for _ in range(count)]
    return [photo(number, faces=(one,)) for number, one in enumerate(faces)]


@pytest.mark.parametrize(("counts", "missing"), [((9, 3, 2, 2), None), ((15, 0, 0, 0), "three-quarter"), ((10, 5, 0, 1), "both sides"), ((9, 3, 3, 0), "profile"), ((13, 2, 1, 1), "front views"), ((5, 0, 0, 0), None)])
def test_missing_angles_are_named(counts, missing):
    findings = list(face_checks.check_angles(turned(*counts)))
    assert (missing in findings[0].what) if missing else not findings


@pytest.mark.parametrize(("portraits", "halves", "wholes", "missing"), [(10, 4, 2, None), (16, 0, 0, "waist"), (12, 4, 0, "whole body"), (0, 10, 6, "portraits")])
def test_missing_framings_are_named(portraits, halves, wholes, missing):
    framings = ["portrait"] * portraits + ["half body"] * halves + ["full body"] * wholes
    findings = list(face_checks.check_framing([photo(number, faces=(face(framing=framing),)) for number, framing in enumerate(framings)]))
    assert (missing in findings[0].what) if missing else not findings


def test_lab_is_cie_lab():
    lightness, warmth = _lab(np.array([[(255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 0, 255)]], dtype=np.uint8))
    assert np.allclose(lightness, [[100, 0, 53.24, 32.30]], atol=0.05) and np.allclose(warmth, [[0, 0, 67.2, -107.86]], atol=0.1)


def spoiled(name, image):
    return {
        "blur": lambda: image.filter(ImageFilter.GaussianBlur(image.height / 90)),
        "dark": lambda: ImageEnhance.Brightness(image).enhance(0.2),
        "burnt": lambda: ImageEnhance.Brightness(image).enhance(3.2),
    }[name]()


@pytest.mark.parametrize(("fault", "holds"), [("blur", lambda one: one.sharpness.reblur > 0.55), ("dark", lambda one: one.light.lightness < 25), ("burnt", lambda one: one.light.clipped > 0.2)])
def test_spoiled_photographs_measure_as_spoiled_and_good_ones_as_good(fault, holds, photo_faces, tmp_path):  # noqa: F811
    for name in ("ardern", "macron", "obama"):
        good = measure(PHOTOS / f"{name}.jpg", photo_faces).person
        spoiled(fault, picture(name)).save(tmp_path / "spoiled.jpg", quality=95)
        assert holds(measure(tmp_path / "spoiled.jpg", photo_faces).person) and not holds(good), name


def test_a_set_with_a_stranger_a_couple_and_a_crop_is_read_from_its_photographs(tmp_path):
    folder = tmp_path / "person"
    folder.mkdir()
    ardern = picture("ardern")
    for number, angle in enumerate((-4, 0, 5, 9)):
        ardern.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90)).crop((0, 0, 689 - 40 * number, 900 - 30 * number)).save(folder / f"same-{number}.jpg", quality=95)
    picture("obama").save(folder / "stranger.jpg", quality=95)
    couple = Image.new("RGB", (1400, 900), (100, 100, 100))
    couple.paste(ardern, (0, 0))
    couple.paste(picture("macron").resize((542, 675)), (690, 0))
    couple.save(folder / "couple.jpg", quality=95)
    ImageDraw.Draw(ground := Image.new("RGB", (700, 700), (40, 90, 40))).ellipse((100, 100, 300, 200), fill=(200, 200, 60))
    ground.save(folder / "meadow.jpg")
    settings = Settings(dataset=DatasetSettings(folder=str(folder)))
    events = list(analyze(settings, tmp_path / "report.json", "report.json", tmp_path / "measures"))
    found = {}
    for finding in read_report(tmp_path / "report.json").findings:
        found.setdefault(finding.check, []).append(finding)
    assert events[-1].kind == "finished"
    assert [finding.photos for finding in found["different person"]] == [("stranger",)] and found["different person"][0].severity == "error"
    assert [finding.photos for finding in found["several people"]] == [("couple",)] and [finding.photos for finding in found["no face"]] == [("meadow",)]
    assert [set(finding.photos) for finding in found["same shot"]] == [{"couple", "same-0", "same-1", "same-2", "same-3"}]
    assert read_report(tmp_path / "report.json").top_fixes[0].severity == "error"


def test_a_second_look_measures_nothing_and_a_damaged_entry_is_measured_again(photos, tmp_path, monkeypatch):
    samples, cache = open_dataset(photos).samples, tmp_path / "measures"
    first = list(measure_all(samples, None, cache))
    assert len(list(cache.glob("*.json"))) == len(samples) == 6 and all(isinstance(found, Measures) for found in first)
    with monkeypatch.context() as patched:
        patched.setattr("core.analyzer.measure.measure", lambda *_: pytest.fail("measured again"))
        assert list(measure_all(samples, None, cache)) == first
    next(cache.glob("*.json")).write_text("{")
    assert list(measure_all(samples, None, cache)) == first


def test_sharpness_and_light_are_not_read_from_a_drawing_whose_face_nobody_located(tmp_path):
    draw(random_identity(random.Random(1)), demo_scenes("sharp", 1)[0], 384).save(tmp_path / "drawing.png")
    seen = measure(tmp_path / "drawing.png", DrawnFaces(POCKET / JUDGE_FILE))
    assert seen.faces and seen.person.sharpness is None and seen.person.light is None


def test_an_unreadable_photo_is_a_problem_and_the_others_are_measured(photos, tmp_path):
    folder = tmp_path / "person"
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"no photo")
    ImageOps.mirror(Image.open(photos / "photo-01.png")).save(folder / "good.png")
    bad, good = measure_all(open_dataset(folder).samples, None, tmp_path / "measures")
    assert isinstance(bad, Problem) and isinstance(good, Measures)


def test_without_face_networks_everything_else_is_checked(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("core.analyzer.analyze.FACE_WEIGHTS", tmp_path)
    settings = Settings(dataset=DatasetSettings(folder=str(photos)), model={"path": "models/none"})
    list(analyze(settings, tmp_path / "report.json", "report.json", tmp_path / "measures"))
    report = read_report(tmp_path / "report.json")
    (note,) = [finding for finding in report.findings if finding.check == "faces"]
    assert note.severity == "note" and "missing" in note.what and any(finding.check == "count" for finding in report.findings)


def test_what_was_not_judged_is_said_so_that_silence_is_no_praise():
    usual = [with_person(number) for number in range(4)]
    small = photo(5, faces=(face(),), person=person(face_pixels=100).model_copy(update={"sharpness": None}))
    profile, busy = with_person(6, faces=(face(yaw=-70.0),)), with_person(7, faces=(face(), face(area=0.05)))
    findings = {finding.check + str(finding.photos): finding for finding in face_checks.check_not_judged([*usual, small, profile, busy])}
    assert list(findings) == ["passers-by('p7',)", "not judged('p5',)", "not judged('p6',)"] and {one.severity for one in findings.values()} == {"note"}
    assert not list(face_checks.check_not_judged(usual))


def test_a_set_of_dark_faces_is_said_though_none_is_darker_than_the_rest():
    dark = [with_person(number, lightness=20.0 + number) for number in range(5)]
    (finding,) = face_checks.check_exposure(dark)
    assert (finding.check, finding.value, finding.photos) == ("dark set", 22.0, ("p0", "p1", "p2", "p3", "p4"))
    assert not list(face_checks.check_exposure([with_person(number, lightness=30.0 + number) for number in range(5)]))


def test_the_number_shown_is_that_of_the_measure_that_found_the_blur():
    (reblurred,) = face_checks.check_sharpness([with_person(1, reblur=0.6)])
    (flat,) = face_checks.check_sharpness([with_person(1, laplacian=40.0)])
    assert (reblurred.value, reblurred.threshold, reblurred.measure) == (0.6, 0.55, None)
    assert (flat.value, flat.threshold, flat.measure) == (40.0, 60.0, "fine detail")
