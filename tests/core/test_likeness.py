"""Calibrated likeness: a stranger is near 0, the person's own photos near 1, at every angle; spoilt photos stay out; copies stand out."""

import random
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserError
from core.identity.faces import JUDGE_FILE, open_face_reader
from core.identity.likeness import FaceReading, copy_score, likeness, likeness_at_angle, nearest_photo, read_face, reference_of
from core.pocket.demo import demo_scenes
from core.pocket.drawing import draw
from core.pocket.people import random_identity
from core.settings import POCKET_FLUX

STRANGER, SAME_PERSON = 0.12, 0.363


def unit(vector):
    return vector / np.linalg.norm(vector)


def views(rng, centre, count, noise=0.5, yaw=0.0, name="photo"):
    """Readings scattered around a person's centre in 128 dimensions."""
    return [FaceReading(f"{name}-{i}", unit(centre + noise * unit(rng.normal(size=128))), yaw) for i in range(count)]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def centre(rng):
    return unit(rng.normal(size=128))


def reference(readings):
    return reference_of(readings, STRANGER, SAME_PERSON)


def test_the_formula_is_the_documented_one(rng, centre):
    """Counted by hand: five largest cosines, leave-one-out median, both shifted by the strangers' mean."""
    photos = views(rng, centre, 9)
    picture = unit(centre + 0.5 * unit(rng.normal(size=128)))
    cosines = [[float(a.embedding @ b.embedding) for b in photos if b is not a] for a in photos]
    baseline = sorted(sum(sorted(row)[-5:]) / 5 for row in cosines)[4]
    mean = sum(sorted(float(picture @ photo.embedding) for photo in photos)[-5:]) / 5
    assert likeness(reference(photos), picture) == pytest.approx((mean - STRANGER) / (baseline - STRANGER))


def test_own_photos_are_at_one_and_a_vector_at_the_strangers_mean_is_at_zero(rng, centre):
    made = reference(views(rng, centre, 15))
    own = [sum(sorted(np.delete(row, i))[-5:]) / 5 for i, row in enumerate(made.embeddings_ND @ made.embeddings_ND.T)]
    assert (np.median(own) - STRANGER) / (made.baseline - STRANGER) == pytest.approx(1.0)
    # A direction whose cosine to every photo is the strangers' mean: least squares, then filled up at a right angle to all photos.
    part = np.linalg.lstsq(made.embeddings_ND, np.full(15, STRANGER), rcond=None)[0]
    aside = rng.normal(size=128)
    aside -= made.embeddings_ND.T @ np.linalg.lstsq(made.embeddings_ND.T, aside, rcond=None)[0]
    picture = part + np.sqrt(1 - part @ part) * unit(aside)
    assert likeness(made, picture) == pytest.approx(0.0, abs=1e-6)


def test_somebody_else_and_blurred_photos_are_left_out_by_name(rng, centre):
    photos = views(rng, centre, 8)
    other = views(rng, unit(rng.normal(size=128)), 1, name="other")
    blurred = [FaceReading("soft", photos[0].embedding, 0.0, is_blurred=True)]
    made = reference([*photos, *other, *blurred])
    assert made.left_out == (("other-0", "shows somebody else"), ("soft", "the face is blurred")) and len(made.names) == 8


@pytest.mark.parametrize("count", [0, 1])
def test_less_than_two_faces_are_refused_with_the_numbers(rng, centre, count):
    with pytest.raises(UserError, match=f"{count} of {count} photos"):
        reference(views(rng, centre, count))


def test_photos_of_different_people_are_refused(rng):
    with pytest.raises(UserError, match="no more alike"):
        reference([FaceReading(f"p{i}", unit(rng.normal(size=128)), 0.0) for i in range(3)])


def test_a_picture_is_compared_with_photos_of_its_own_angle(rng, centre):
    """Profiles of a person look unlike their front views to the network: by all photos such a picture is weak, by its own angle it is the person."""
    side = unit(centre + 0.9 * unit(rng.normal(size=128)))
    made = reference([*views(rng, centre, 8), *views(rng, side, 4, noise=0.4, yaw=70.0, name="side")])
    profile = FaceReading("picture", unit(side + 0.4 * unit(rng.normal(size=128))), 65.0)
    assert likeness_at_angle(made, profile) == pytest.approx(1.0, abs=0.15)
    other_side = FaceReading("picture", profile.embedding, -65.0)
    assert likeness_at_angle(made, other_side) == likeness(made, profile.embedding)


def test_a_copy_is_nearer_to_its_photo_than_any_photo_is_to_another(rng, centre):
    photos = views(rng, centre, 12, noise=0.7)
    made = reference(photos)
    copied, fresh = unit(photos[3].embedding + 0.15 * unit(rng.normal(size=128))), views(rng, centre, 1, noise=0.7)[0].embedding
    nearest = nearest_photo(made, copied)
    assert nearest.name == "photo-3" and nearest.cosine > made.copy_cosine > nearest_photo(made, fresh).cosine
    assert nearest.isolation > 2 * nearest_photo(made, fresh).isolation


def test_where_the_photos_are_all_alike_no_copy_can_be_told(rng, centre):
    assert reference(views(rng, centre, 6, noise=0.05)).copy_cosine is None


def test_the_copy_score_is_one_for_the_trained_photo_and_minus_one_for_the_held_out_one(rng, centre):
    held, trained = (reading.embedding for reading in views(rng, centre, 2))
    assert copy_score(trained, held, trained) == pytest.approx(1.0) and copy_score(held, held, trained) == pytest.approx(-1.0)
    assert copy_score(unit(held + trained), held, trained) == pytest.approx(0.0, abs=1e-9)
    assert copy_score(held, trained, trained) == 0.0


@pytest.mark.parametrize("person", [0, 1, 2])
def test_drawn_people_are_calibrated_by_the_judge(person):
    """The same functions on the pocket's drawings: held-out drawings of the person near 1, other people near 0."""
    mine = [draw(random_identity(random.Random(f"likeness-{person}")), scene, 128) for scene in demo_scenes(f"likeness-{person}", 20)]
    others = [draw(random_identity(random.Random(f"somebody-{person}-{i}")), scene, 128) for i, scene in enumerate(demo_scenes("others", 12))]
    reader = open_face_reader(Path(POCKET_FLUX), Path("presets/faces"), mine)
    assert (Path(POCKET_FLUX) / JUDGE_FILE).is_file() and reader.name.startswith("judge")
    readings = [read_face(reader, image, f"{i}") for i, image in enumerate(mine)]
    made = reference_of(readings[:12], reader.stranger, reader.same_person)
    assert np.mean([likeness(made, reading.embedding) for reading in readings[12:]]) == pytest.approx(1.0, abs=0.12)
    assert abs(np.mean([likeness(made, read_face(reader, image, "").embedding) for image in others])) < 0.25
