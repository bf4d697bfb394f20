"""Faces: photographs by YuNet and SFace, drawings by the judge, through one interface."""

import dataclasses
import itertools
import math
import random
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from core.durable import sha256_of
from core.errors import UserError
from core.identity.faces import JUDGE_FILE, angle_of, framing_of, open_face_reader
from core.identity.photo_faces import DETECTOR, DETECTOR_SHA256, RECOGNISER, RECOGNISER_SHA256
from core.identity.pose import MEAN_FACE_5X3, UPRIGHT_5X2, upright_map, yaw_of
from core.pocket.demo import demo_scenes
from core.pocket.drawing import draw
from core.pocket.people import random_identity

WEIGHTS, POCKET, PHOTOS = Path("presets/faces"), Path("presets/pocket-flux"), Path("tests/photos")


@pytest.fixture(scope="module")
def photo_faces():
    return open_face_reader(Path("models/FLUX.1-dev"), WEIGHTS, [])


@pytest.fixture(scope="module")
def drawn_faces():
    return open_face_reader(POCKET, WEIGHTS, [draw(random_identity(random.Random(1)), scene) for scene in demo_scenes("kind", 5)])


def test_photographs_are_read_as_photographs_whatever_the_model():
    pictures = [picture(name) for name in ("ardern", "macron", "obama", "collins")]
    assert open_face_reader(POCKET, WEIGHTS, pictures).name.startswith("YuNet") and open_face_reader(POCKET, WEIGHTS, []).name.startswith("YuNet")


@pytest.mark.parametrize("name", ["ardern", "macron", "obama", "collins"])
def test_crops_of_one_photograph_are_no_drawings(name):
    image = picture(name)
    image.thumbnail((256, 256))
    rng = random.Random(name)
    crops = [image.crop((0, 0, round(image.width * share), round(image.height * share))) for share in (rng.uniform(0.8, 1) for _ in range(8))]
    assert open_face_reader(POCKET, WEIGHTS, crops).name.startswith("YuNet")


@pytest.mark.parametrize("person", range(4))
def test_drawings_that_all_look_ahead_are_drawings(person):
    identity = random_identity(random.Random(person))
    pictures = [draw(identity, dataclasses.replace(scene, angle="front view"), 192) for scene in demo_scenes("kind", 5)]
    assert open_face_reader(POCKET, WEIGHTS, pictures).name.startswith("judge")


def picture(name):
    return Image.open(PHOTOS / f"{name}.jpg").convert("RGB")


def test_every_photo_has_its_one_face_and_strangers_are_told_apart(photo_faces):
    embeddings = []
    for file in sorted(PHOTOS.glob("*.jpg")):
        image = Image.open(file).convert("RGB")
        (face,) = photo_faces.find(image)
        assert face.angle == "front view" and face.score > 0.9 and len(face.landmarks) == 5
        embeddings.append(photo_faces.embed(image, face))
    assert len(embeddings) == 4 and all(abs(np.linalg.norm(one) - 1) < 1e-5 for one in embeddings)
    assert max(float(one @ other) for one, other in itertools.combinations(embeddings, 2)) < photo_faces.same_person


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_photo_that_lies_on_its_side_tells_how_to_turn_it(photo_faces, turn):
    for name in ("ardern", "macron", "obama", "collins"):
        image = picture(name)
        lying = image.rotate(turn, expand=True)
        assert photo_faces.turn_of(image, photo_faces.find(image)) == 0
        assert photo_faces.turn_of(lying, photo_faces.find(lying)) == turn


def test_a_picture_without_a_face_is_not_turned(photo_faces):
    assert photo_faces.turn_of(Image.effect_noise((300, 200), 60).convert("RGB"), ()) == 0


def test_a_smaller_darker_and_mirrored_photo_is_the_same_person(photo_faces):
    original = picture("ardern")
    (face,) = photo_faces.find(original)
    wanted = photo_faces.embed(original, face)
    for changed in (original.resize((345, 450)), original.point(lambda value: value * 0.6), ImageOps.mirror(original)):
        (found,) = photo_faces.find(changed)
        assert float(photo_faces.embed(changed, found) @ wanted) > 0.8


def test_mirroring_turns_the_head_to_the_other_side(photo_faces):
    (face,), (mirrored,) = photo_faces.find(picture("macron")), photo_faces.find(ImageOps.mirror(picture("macron")))
    assert face.facing == "left" and mirrored.facing == "right" and face.yaw == pytest.approx(-mirrored.yaw, abs=6)


def test_two_people_are_two_faces_and_the_larger_comes_first(photo_faces):
    both = Image.new("RGB", (1400, 900))
    both.paste(picture("macron"), (0, 0))
    both.paste(picture("obama").resize((341, 392)), (900, 200))
    faces = photo_faces.find(both)
    assert len(faces) == 2 and faces[0].box[0] < 0.5 < faces[1].box[0] and faces[0].area > 2 * faces[1].area


def test_a_small_face_in_a_large_picture_is_found(photo_faces):
    scene = Image.new("RGB", (2000, 3000), (120, 130, 120))
    scene.paste(picture("collins").resize((170, 170)), (900, 300))
    (face,) = photo_faces.find(scene)
    assert face.framing == "full body"


def test_a_picture_without_a_face_has_none(photo_faces):
    noise = np.random.default_rng(1).integers(0, 255, (600, 600, 3), dtype=np.uint8)
    assert photo_faces.find(Image.fromarray(noise)) == ()


def test_threads_do_not_disturb_each_other(photo_faces):
    images = [picture(name) for name in ("ardern", "macron", "obama", "collins")]
    alone = [photo_faces.find(image) for image in images]
    seen = [None] * 8
    threads = [threading.Thread(target=lambda i=i: seen.__setitem__(i, photo_faces.find(images[i % 4]))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == alone * 2


@pytest.mark.parametrize("yaw", [-60, -35, 0, 10, 45])
def test_yaw_is_that_of_the_turned_mean_face(yaw):
    turn = math.radians(yaw)
    turned = MEAN_FACE_5X3 @ np.array([(math.cos(turn), 0, math.sin(turn)), (0, 1, 0), (-math.sin(turn), 0, math.cos(turn))])
    assert yaw_of(turned[:, :2] * 37 + 200) == pytest.approx(yaw, abs=1e-6)


def test_alignment_brings_landmarks_where_the_network_wants_them():
    turn = np.array([(0.9, -0.4), (0.4, 0.9)])
    seen = UPRIGHT_5X2 @ turn.T * 3 + (40, 70)
    mapped = np.column_stack([seen, np.ones(5)]) @ upright_map(seen).T
    assert np.allclose(mapped, UPRIGHT_5X2)


@pytest.mark.parametrize(("yaw", "angle"), [(0, "front view"), (-19.9, "front view"), (20, "three-quarter view"), (-50, "three-quarter view"), (51, "profile view")])
def test_angles_in_words(yaw, angle):
    assert angle_of(yaw) == angle


@pytest.mark.parametrize(("share", "framing"), [(0.6, "close-up"), (0.4, "portrait"), (0.2, "half body"), (0.1, "full body")])
def test_framing_in_words(share, framing):
    assert framing_of(share) == framing


def test_drawn_people_are_read_by_the_judge_of_their_model(drawn_faces):
    people = [random_identity(random.Random(f"faces-{number}")) for number in range(6)]
    scenes = demo_scenes("faces", 6)
    right, embeddings = 0, []
    for person in people:
        views = [draw(person, scene) for scene in scenes]
        embeddings.append(np.array([drawn_faces.embed(view, drawn_faces.find(view)[0]) for view in views]))
        for view, scene in zip(views, scenes, strict=True):
            (face,) = drawn_faces.find(view)
            right += (face.angle == scene.angle) + (face.framing == scene.framing) + (face.light == scene.light)
    assert right >= 0.9 * 3 * 36
    assert all((views @ views.T).mean() > drawn_faces.same_person for views in embeddings)
    assert np.mean([(one @ other.T).mean() for one, other in itertools.combinations(embeddings, 2)]) < 0.3
    assert drawn_faces.name.startswith("judge ") and JUDGE_FILE in {file.name for file in POCKET.iterdir()}


def test_missing_and_exchanged_weights_are_said(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        open_face_reader(tmp_path, tmp_path, [])
    shutil.copytree(WEIGHTS, tmp_path / "faces")
    content = bytearray((tmp_path / "faces" / RECOGNISER).read_bytes())
    content[1000] ^= 1
    (tmp_path / "faces" / RECOGNISER).write_bytes(content)
    with pytest.raises(UserError, match="not the one we know") as caught:
        open_face_reader(tmp_path, tmp_path / "faces", [])
    assert RECOGNISER in caught.value.where and (WEIGHTS / DETECTOR).exists()


def test_the_weights_are_the_published_ones_with_their_licences_beside_them():
    for file, digest, licence, words in ((DETECTOR, DETECTOR_SHA256, "LICENSE-YuNet.txt", "MIT License"), (RECOGNISER, RECOGNISER_SHA256, "LICENSE-SFace.txt", "Apache License")):
        assert sha256_of(WEIGHTS / file) == digest and words in (WEIGHTS / licence).read_text() and licence in (WEIGHTS / "README.md").read_text()


def test_without_opencv_the_reason_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(UserError, match="OpenCV cannot be loaded"):
        open_face_reader(Path("models/FLUX.1-dev"), WEIGHTS, [])
