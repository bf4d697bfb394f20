"""Each measure names its own fault on a table made by hand, is quiet on a clean one, and says why when it cannot be measured."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from core.evaluation.adherence import SceneAdherence, wanted_in
from core.evaluation.copies import COPIED_BITS, composition_copy, copy_lines, hash_copy, measure_copies
from core.evaluation.flexibility import measure_adherence, measure_diversity
from core.evaluation.readings import read_picture
from core.evaluation.scores import base_of
from core.evaluation.surface import measure_skin
from core.identity.faces import open_face_reader
from core.identity.skin import skin_detail
from core.pocket.demo import demo_scenes
from core.pocket.drawing import draw
from core.pocket.drawings import LABELS
from core.pocket.people import random_identity, scene_caption
from core.settings import POCKET_FLUX
from tests.core.scores import ANGLES, SCALE, picture, table

CLEAN = ("likeness", "face rate", "head angles", "pose obedience", "carbon copy", "prompt adherence", "brittleness", "sharpness")


def measures(make, **sizes):
    found = table({("final", 1.0): make}, **sizes).configurations[0]
    return {measure.name: measure for measure in found.measures}


def test_a_clean_table_is_good_in_every_measure_that_could_be_taken():
    found = measures(lambda p, s: picture(p, s))
    assert {name: found[name].verdict for name in CLEAN} == dict.fromkeys(CLEAN, "good")
    assert all(measure.reason for measure in found.values() if measure.value is None)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("likeness", lambda p, s: picture(p, s, likeness=0.3)),
        ("face rate", lambda p, s: picture(p, s, likeness=None if (p, s) == (0, 0) else 0.9)),
        ("head angles", lambda p, s: picture(p, s, likeness=0.4 if p == 2 else 0.9)),
        ("pose obedience", lambda p, s: picture(p, s, angle="front view")),
        ("carbon copy", lambda p, s: picture(p, s, copied=("picture",) if p == 1 else (), copy_of="photo-3" if p == 1 else "")),
        ("prompt adherence", lambda p, s: picture(p, s, adherence=0.25)),
        ("brittleness", lambda p, s: picture(p, s, likeness=1.0 if p % 2 else 0.2)),
        ("sharpness", lambda p, s: picture(p, s, sharpness=2.5)),
    ],
)
def test_a_fault_is_named_by_its_measure(name, make):
    found = measures(make)
    assert found[name].verdict != "good"
    assert name != "carbon copy" or (found[name].photo == "photo-3" and "photo-3" in found[name].detail)


@pytest.mark.parametrize(("photos", "verdict"), [(0, "watch"), (1, "watch"), (2, "good"), (None, "good")])
def test_an_angle_without_photos_of_its_own_is_to_be_looked_at(photos, verdict):
    """None: of an evaluation that did not count them yet."""
    found = measures(lambda p, s: picture(p, s, photos_at_angle=photos if p == 2 else None))["head angles"]
    assert (found.verdict, found.value) == (verdict, 1.0) and ("profile views, so how alike" in found.detail) == (verdict == "watch")


def test_the_class_leaks_by_what_it_gains_over_the_base_model():
    leaking, clean = (measures(lambda p, s, gain=gain: picture(p, s, likeness=gain if p == 3 else 0.9, kind="class" if p == 3 else "front")) for gain in (0.7, 0.05))
    assert leaking["leak into the class"].value == pytest.approx(0.7) and leaking["leak into the class"].verdict == "bad"
    assert clean["leak into the class"].verdict == "good" and clean["likeness"].value == pytest.approx(0.9)
    assert measures(lambda p, s: picture(p, s))["leak into the class"].reason.startswith("no prompt asks for the class")


def test_the_second_of_two_people_should_be_somebody_else():
    twins = measures(lambda p, s: picture(p, s, kind="two people" if p == 3 else "front", second_face=0.8 if p == 3 else None))
    assert twins["leak into a second person"].verdict == "bad"
    alone = measures(lambda p, s: picture(p, s, kind="two people" if p == 3 else "front"))["leak into a second person"]
    assert alone.verdict == "not measured" and "two faces" in alone.reason


def test_adherence_is_compared_on_the_same_noise_and_needs_a_back_end():
    scores = [picture(seed=s, adherence=0.28) for s in range(3)]
    base = base_of([picture(seed=s, strength=0.0, adherence=a) for s, a in enumerate((0.30, 0.31, 0.32))])
    assert measure_adherence(scores, base, SCALE).value == pytest.approx(-0.03) and measure_adherence(scores, base, None).verdict == "not measured"


def test_diversity_is_a_ratio_to_the_base_on_the_same_seeds():
    first, across, near = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1.0, 0.5]) / np.hypot(1, 0.5)
    base, alike = {(0, 0): first, (0, 1): across}, {(0, 0): first, (0, 1): near}
    assert measure_diversity(base, base, "test").value == 1.0
    assert measure_diversity(alike, base, "test").value == pytest.approx(1 - 1 / np.hypot(1, 0.5)) and measure_diversity(alike, base, "test").verdict == "bad"
    assert measure_diversity({(0, 0): first}, base, "test").verdict == "not measured"


@pytest.fixture(scope="module")
def scenes():
    person = random_identity(random.Random("measures"))
    return [(draw(person, scene, 128), scene) for scene in demo_scenes("measures", 10)]


@pytest.fixture(scope="module")
def reader(scenes):
    return open_face_reader(Path(POCKET_FLUX), Path("presets/faces"), [image for image, _ in scenes])


def looks(scenes, edit=lambda image: image):
    return [read_picture(edit(image), None, None).look(f"photo-{i}") for i, (image, _) in enumerate(scenes)]


@pytest.mark.parametrize("edit", [ImageOps.mirror, lambda image: image.filter(ImageFilter.GaussianBlur(1)), lambda image: image.resize((96, 96)), lambda image: image.point(lambda value: min(255, round(1.1 * value)))])
def test_edited_photos_are_copies_of_their_photo_and_other_scenes_are_not(scenes, edit):
    photos, edited = looks(scenes), looks(scenes, edit)
    lines = copy_lines(photos)
    assert [hash_copy(look, None, lines) for look in edited] == [photo.name for photo in photos]
    assert [composition_copy(look, None, lines) for look in edited] == [photo.name for photo in photos]
    for look in photos:
        others = copy_lines([photo for photo in photos if photo.name != look.name])
        assert not hash_copy(look, None, others) and not composition_copy(look, None, others) and others.bits <= COPIED_BITS


def test_a_composition_the_base_model_draws_too_is_no_copy(scenes):
    photos = looks(scenes)
    lines = copy_lines(photos)
    for find in (hash_copy, composition_copy):
        assert find(photos[0], None, lines) == "photo-0" and find(photos[0], photos[0], lines) == "" and find(photos[0], None, copy_lines([])) == ""


def test_no_pictures_is_not_no_copies():
    assert measure_copies([]).verdict == "not measured"


def test_pictures_that_were_asked_to_look_like_a_photo_count_only_by_their_face():
    asked, copy, own = picture(asks_for_a_photo=True), picture(asks_for_a_photo=True, copied=("face",), copy_of="photo-2"), picture()
    assert measure_copies([asked, asked]).verdict == "not measured" and measure_copies([asked, own]).value == 0.0
    assert measure_copies([asked, copy, own, own]).value == pytest.approx(1 / 3) and measure_copies([copy, asked]).photo == "photo-2"


def test_what_a_prompt_asks_for_is_read_from_the_judges_own_words(scenes):
    """Against the labels of the scene the caption was made from."""
    for _, scene in scenes:
        wanted = wanted_in(scene_caption(scene, "woman"), LABELS)
        expected = {name: getattr(scene, name) for name in LABELS if name != "facing" or scene.angle != "front view"}
        assert wanted == expected
    assert wanted_in("woman", LABELS) == {"hat": False}


def test_a_drawing_adheres_to_its_own_caption_and_not_to_another(scenes, reader):
    adherence = SceneAdherence(reader)
    right = [adherence.score(image, scene_caption(scene, "woman")) for image, scene in scenes]
    wrong = [adherence.score(image, scene_caption(other, "woman")) for (image, _), (_, other) in zip(scenes, scenes[1:] + scenes[:1], strict=True)]
    assert np.mean(right) > 0.97 and np.mean(wrong) < 0.6


def test_blur_halves_the_sharpness_of_a_drawing(scenes):
    sharp, soft = (np.array([read_picture(image.filter(ImageFilter.GaussianBlur(radius)) if radius else image, None, None).sharpness for image, _ in scenes]) for radius in (0, 1.5))
    assert (soft / sharp).max() < 0.5


def test_smoothed_skin_has_less_detail_than_the_photo():
    photo = Image.open("tests/photos/obama.jpg").convert("RGB")
    reader = open_face_reader(Path("nowhere"), Path("presets/faces"), [])
    face = reader.find(photo)[0]
    assert skin_detail(photo, face) > 1.3 * skin_detail(photo.filter(ImageFilter.MedianFilter(7)), face)
    assert skin_detail(photo.resize((64, 80)), face) is None


def test_skin_is_judged_on_enough_pictures_and_never_on_drawings():
    few, many = ([picture(seed=s, skin=0.5) for s in range(count)] for count in (3, 8))
    assert measure_skin(many, [1.0, 1.0, 1.2]).value == 0.5 and measure_skin(many, [1.0]).verdict == "bad"
    assert "it takes 8" in measure_skin(few, [1.0]).reason and "drawings" in measure_skin(many, []).reason and ANGLES[0] == "front view"
