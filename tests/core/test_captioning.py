"""Captioning: captions say what was measured and nothing else, differ, never overwrite a person's unasked, and each step can be taken back."""

import itertools
import json
import random
import shutil

import pytest
from PIL import Image

import core.captioning.by_model as by_model
from core.analysis_tasks import analyze, kept_report, remedy
from core.analyzer.analyze import Faces
from core.analyzer.photo import Look, Measures, Person
from core.analyzer.readings import faces_in_words
from core.caption_tasks import add_what_was_measured, caption_here, captions_log, captions_stop, start_captioning
from core.captioning.machine import machine_file, machine_written, write_machine_captions
from core.captioning.proposals import Proposal, accept, proposals_of, propose, reject
from core.captioning.request import CaptionRequest, photos_of
from core.captioning.template import template_caption
from core.dataset.captions import normalised, read_caption, similarity, write_caption
from core.dataset.edits import exclude, write_captions
from core.dataset.folder import open_dataset
from core.dataset.history import redo, undo
from core.dataset.traits import traits_in
from core.errors import Refused, UserError
from core.events import RunFailed, RunFinished, RunStopped, Warned
from core.identity.face_pixels import Light
from core.identity.faces import ANGLES, FRAMINGS, Face
from core.jobs import Worker
from core.pocket.demo import demo_scenes, write_photos
from core.pocket.people import random_identity
from core.runs import RunStore
from core.settings import POCKET_FLUX, parse_settings
from core.tasks import start_purge
from scripts import caption_dataset
from tests.core.caption_models import save_florence
from tests.core.test_faces import PHOTOS


def face(framing="portrait", angle="front view", facing="left", light=None, **more):
    return Face(box=(0, 0, 1, 1), score=1, angle=angle, facing=facing, framing=framing, light=light, **more)


def captions_of(faces, others=()):
    told = list(others)
    for name, each in faces.items():
        told.append(template_caption(name, each, "ohwx man", told))
    return told[len(others) :]


# --- the template


@pytest.mark.parametrize("light", [None, "soft light", "dim light on the face"])
def test_thirty_photos_that_look_the_same_to_the_measure_are_worded_differently(light):
    faces = {f"photo-{number}": face(light=light) for number in range(30)}
    texts = captions_of(faces)
    assert len(set(map(normalised, texts))) == 30 and max(similarity(one, other) for one, other in itertools.combinations(texts, 2)) <= 0.9
    assert texts == captions_of(faces) and all(text.startswith("ohwx man, ") for text in texts)


def test_a_new_caption_is_unlike_those_that_stay():
    stays = captions_of({f"old-{number}": face() for number in range(12)})
    texts = captions_of({f"photo-{number}": face() for number in range(12)}, stays)
    assert max(similarity(one, other) for one in stays for other in texts) <= 0.9


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("angle", ANGLES)
def test_the_measured_is_said_and_nothing_else_is(framing, angle):
    for number, facing in itertools.product(range(60), ("left", "right")):
        text = template_caption(f"photo-{number}", face(framing, angle, facing), "ohwx man", [])
        words = set(text.replace(",", "").split())
        assert (facing in words) == (angle != "front view") and not words & ({"left", "right"} - {facing}) and "light" not in text
        other = {"close-up": ("full", "half-body", "medium"), "portrait": ("full", "half-body", "close"), "half body": ("full", "close", "portrait"), "full body": ("half-body", "close", "portrait")}[framing]
        assert not any(word in text for word in other) and ("profile" in text or "side" in text or angle != "profile view"), text
        assert traits_in(text) == ()


def test_a_photo_without_a_face_is_said_to_be_a_photo_and_nothing_else():
    texts = captions_of(dict.fromkeys(map(str, range(9))))
    assert len(set(texts)) == 9 and all(set(text.removeprefix("ohwx man, ").split()) <= {"a", "an", "one", "photo", "photograph", "picture", "image"} for text in texts)


def test_a_small_face_is_a_whole_body_only_where_there_is_room_for_one():
    def text(top):
        seen = Face(box=(0.45, top, 0.06, 0.08), score=0.9, angle="front view", facing="left", framing="full body", landmarks=((0.5, 0.5),) * 5)
        return [template_caption(str(number), seen, "ohwx man", []) for number in range(20)]

    assert all("full" in each or "head to toe" in each for each in text(0.1))
    assert not any("full" in each or "head to toe" in each for each in text(0.5))


def measures(light=None, angle="front view", turn=0, faces=1):
    look = Look(phash=0, dhash=0, gray=b"")
    seen = face(angle=angle, landmarks=((0.5, 0.5),) * 5)
    person = Person(embedding=(), face_pixels=300, sharpness=None, light=light) if faces else None
    return Measures(format="JPEG", width=1, height=1, digest="", look=look, mirrored=look, faces=(seen,) * faces, person=person, turn=turn)


def light(lightness=60.0, side=0.0, warmth=15.0):
    return Light(lightness=lightness, spread=5, clipped=0, side=side, warmth=warmth)


@pytest.mark.parametrize(
    ("seen", "word"),
    [(light(side=0.2), "light from the left"), (light(side=-0.2), "light from the right"), (light(lightness=45), "dim light on the face"), (light(lightness=75), "bright light on the face"), (light(warmth=25), "warm light on the face"), (light(warmth=5), "cool light on the face"), (light(lightness=64, side=0.08, warmth=18), None)],
)
def test_light_is_called_what_sets_it_apart_from_the_rest(seen, word):
    rest = [measures(light()) for _ in range(5)]
    assert faces_in_words([measures(seen), *rest])[0].light == word
    alone = faces_in_words([measures(seen)])[0].light
    assert alone == (word if word and word.startswith("light from") else None)


def test_a_turned_head_a_photo_on_its_side_and_no_face_tell_no_light():
    found = faces_in_words([measures(light(side=0.3), angle="profile view"), measures(light(), turn=90), measures(faces=0)])
    assert found[0].light is None and found[1:] == [None, None]


# --- which photos, and who wrote


@pytest.fixture
def folder(tmp_path):
    """Four drawn photos: a without a caption, b with an empty one, c with a person's, d with one that cannot be read."""
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    write_photos(drawn, random_identity(random.Random(3)), demo_scenes("captions", 4), "x", 128)
    folder = tmp_path / "anna"
    folder.mkdir()
    for name, file in zip("abcd", sorted(drawn.glob("*.png")), strict=True):
        shutil.move(file, folder / f"{name}.png")
    (folder / "b.txt").write_text("\n")
    write_caption(folder / "c.txt", "ohwx man, by hand")
    (folder / "d.txt").write_bytes(b"\xff\xfe\x00")
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("core.caption_tasks.MEASURES_FOLDER", tmp_path / "measures")
    return RunStore(tmp_path / "output")


def request(folder, **more):
    return CaptionRequest(folder=str(folder), trigger_word="ohwx", class_word="man", model_path=POCKET_FLUX, **more)


def run(folder, store, **more):
    return caption_here(request(folder, **more), store, lambda event: None)


def text(folder, name):
    return read_caption(folder / f"{name}.txt").text


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_only_photos_without_a_caption_unless_asked(folder):
    def names(**more):
        return [sample.name for sample in photos_of(request(folder, **more), open_dataset(folder))]

    assert names() == ["a", "b"] and names(which="all") == ["a", "b", "c", "d"] and names(which="all", photos=("c",)) == ["c"] and names(which="machine") == ["a", "b"]
    with pytest.raises(Refused, match="has a caption"):
        names(photos=("c", "d"))
    with pytest.raises(UserError, match="no photo called"):
        names(photos=("../x",))
    exclude(open_dataset(folder), ["a"])
    assert names() == ["b"] and names(photos=("a",)) == ["a"]


def test_nothing_is_written_before_it_is_accepted(folder, store):
    before = contents(folder)
    proposals, last = run(folder, store)
    assert isinstance(last, RunFinished) and [proposal.photo for proposal in proposals] == ["a", "b"] and contents(folder) == before
    assert all(proposal.after.startswith("ohwx man, ") and proposal.before == "" and proposal.by == "template" for proposal in proposals)
    reject(open_dataset(folder), ["a"])
    accept(open_dataset(folder), ["b"])
    assert not (folder / "a.txt").exists() and text(folder, "b") == proposals[1].after and proposals_of(open_dataset(folder)) == []


def test_captions_written_here_are_told_from_those_a_person_changed(folder, store):
    run(folder, store)
    accept(open_dataset(folder), ["a", "b"])
    assert machine_written(open_dataset(folder)) == {"a", "b"}
    write_captions(open_dataset(folder), {"b": "ohwx man, corrected"}, "edit")
    assert machine_written(open_dataset(folder)) == {"a"}
    proposals, _ = run(folder, store, which="machine")
    assert [(proposal.photo, proposal.before) for proposal in proposals] == [("a", text(folder, "a"))]
    machine_file(folder).write_text('{"a":' * 100_000)
    assert machine_written(open_dataset(folder)) == frozenset()
    write_machine_captions(open_dataset(folder), {"a": "ohwx man, new"})
    assert machine_written(open_dataset(folder)) == {"a"}


def test_undo_takes_a_whole_acceptance_back_and_redo_makes_it_again(folder, store):
    before = contents(folder)
    run(folder, store, which="all", photos=("a", "c", "d"))
    accepted = accept(open_dataset(folder), ["a", "c", "d"])
    after = contents(folder)
    assert [text(folder, name) for name in "acd"] == [proposal.after for proposal in accepted]
    assert undo(folder) == "caption 3 photos" and contents(folder) == before and machine_written(open_dataset(folder)) == frozenset()
    redo(folder)
    assert contents(folder) == after and machine_written(open_dataset(folder)) == {"a", "c", "d"}


def test_a_proposal_that_was_overtaken_writes_nothing(folder, store):
    run(folder, store)
    write_caption(folder / "a.txt", "ohwx man, typed meanwhile")
    assert [proposal.photo for proposal in proposals_of(open_dataset(folder))] == ["b"]
    for act in (accept, reject):
        with pytest.raises(Refused, match="no longer there"):
            act(open_dataset(folder), ["a", "b"])
    assert text(folder, "a") == "ohwx man, typed meanwhile" and text(folder, "b") == ""
    with pytest.raises(Refused, match="no longer there"):
        accept(open_dataset(folder), [])


def test_a_second_captioning_leaves_the_proposals_of_other_photos(folder, store):
    run(folder, store)
    run(folder, store, which="all", photos=("c",))
    assert [proposal.photo for proposal in proposals_of(open_dataset(folder))] == ["a", "b", "c"]


def test_names_from_elsewhere_never_become_paths(folder):
    propose(folder, Proposal(photo="../../evil", before="", after="x", by="template"))
    assert not list(folder.parent.parent.glob("evil*")) and proposals_of(open_dataset(folder)) == []
    (folder / ".studio" / "proposals" / "damaged.json").write_text("{")
    assert proposals_of(open_dataset(folder)) == []


def test_all_traces_lie_in_the_folder_that_is_deleted_with_the_person(folder, store):
    before = {file.name for file in folder.iterdir()}
    run(folder, store)
    accept(open_dataset(folder), ["a"])
    assert {file.name for file in folder.iterdir()} - before == {".studio", "a.txt"}
    assert captions_log(str(folder)).file.parent == machine_file(folder).parent == folder / ".studio"
    assert not any(b"anna" in file.read_bytes() for file in store.root.rglob("*") if file.is_file())


# --- the job


def test_what_is_measured_of_drawn_people_is_what_was_drawn(tmp_path, store):
    folder, scenes = tmp_path / "drawn", demo_scenes("captions-truth", 12)
    folder.mkdir()
    write_photos(folder, random_identity(random.Random(5)), scenes, "x", 192)
    for caption in folder.glob("*.txt"):
        caption.unlink()
    proposals, _ = run(folder, store)
    right = [scene.light in proposal.after.replace("lighting", "light") for proposal, scene in zip(proposals, scenes, strict=True)]
    sides = [scene.facing in proposal.after for proposal, scene in zip(proposals, scenes, strict=True) if scene.angle != "front view"]
    assert sum(right) >= 11 and sum(sides) >= len(sides) - 1


def test_public_domain_photographs_are_captioned(tmp_path, store):
    folder = tmp_path / "people"
    shutil.copytree(PHOTOS, folder, ignore=shutil.ignore_patterns("*.md", "nobody"))
    shutil.copy(PHOTOS / "nobody" / "coffee.jpg", folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    events = []
    proposals, last = caption_here(request(folder), store, events.append)
    assert isinstance(last, RunFinished) and {proposal.photo for proposal in proposals} == {"ardern", "coffee", "collins", "macron", "obama"}
    assert any(isinstance(event, Warned) and "broken.jpg" in event.what for event in events)
    said = {proposal.photo: proposal.after for proposal in proposals}
    assert "light" not in said["coffee"] and set(said["coffee"].split()) <= {"ohwx", "man,", "a", "an", "one", "photo", "photograph", "picture", "image"}
    assert all(any(word in said[name] for word in ("front", "forward", "towards the camera")) for name in ("ardern", "obama"))


def test_a_stop_keeps_what_was_proposed(folder, store):
    def listen(event):
        if event.kind == "phase" and event.what == "Captioning":
            captions_stop(store).make()

    proposals, last = caption_here(request(folder, which="all"), store, listen)
    assert isinstance(last, RunStopped) and last.step == len(proposals) == 1
    assert isinstance(run(folder, store, which="all")[1], RunFinished)


def test_nobody_is_deleted_while_a_command_makes_captions(folder, store):
    refusals = []

    def listen(event):
        if event.kind == "phase" and event.what == "Captioning" and not refusals:
            with pytest.raises(Refused, match="making captions") as refused:
                start_purge(Worker(), str(folder), True, store)
            refusals.append(refused)

    proposals, last = caption_here(request(folder, which="all"), store, listen)
    assert refusals and isinstance(last, RunFinished) and len(proposals) == 4


def test_it_runs_beside_a_training_without_a_model_and_not_with_one(folder, store, tmp_path):
    worker, florence = Worker(), save_florence(tmp_path / "florence")
    with store.exclusive("training 'x'"):
        with pytest.raises(Refused, match="training 'x'"):
            start_captioning(worker, request(folder, captioner=str(florence)), store)
        start_captioning(worker, request(folder), store)
        assert worker.wait(60)
    assert len(proposals_of(open_dataset(folder))) == 2 and not store.stop_request().is_made()


def test_what_cannot_start_is_refused_at_once(folder, store):
    write_caption(folder / "a.txt", "x")
    write_caption(folder / "b.txt", "x")
    for wrong, words in ((request(folder), "has a caption"), (request(folder, which="all", captioner="/nowhere"), "holds no model"), (request(folder, which="all", captioner="qwen3-vl"), "Qwen")):
        with pytest.raises(Refused, match=words):
            start_captioning(Worker(), wrong, store)
    with pytest.raises(ValueError, match="which"):
        request(folder, which="everything")


def test_faces_that_cannot_be_read_fail_the_template_with_the_reason(folder, store, monkeypatch):
    monkeypatch.setattr("core.analyzer.readings.faces_for", lambda *_: Faces(None, "OpenCV cannot be loaded."))
    proposals, last = run(folder, store)
    assert proposals == [] and isinstance(last, RunFailed) and "OpenCV" in last.fix


@pytest.fixture
def said(monkeypatch, tmp_path):
    """A tiny random Florence-2 whose answers are replaced by what a trained one might say."""
    florence = save_florence(tmp_path / "florence")
    words = {}
    monkeypatch.setattr(by_model, "answers", lambda vision, pictures: [words.pop(min(words)) for _ in pictures])

    def say(*answers):
        words.update({f"{number:03d}": answer for number, answer in enumerate(answers)})
        return str(florence)

    return say


def test_a_models_words_lead_and_what_was_measured_fills_up(folder, store, said):
    captioner = said("A man in a red suit.", "I'm sorry, I can't help with that.", "portrait, wearing a hat in the rain", "portrait, wearing a hat in the rain")
    proposals, last = run(folder, store, which="all", captioner=captioner)
    texts = [proposal.after for proposal in proposals]
    assert isinstance(last, RunFinished) and len(texts) == 4
    assert texts[0].startswith("ohwx man, in a red suit, ") and len(texts[0]) > len("ohwx man, in a red suit, ") and "sorry" not in texts[1] and texts[1].count(",") >= 2
    assert texts[2] == "ohwx man, portrait, wearing a hat in the rain" and texts[3].startswith(texts[2]) and texts[3] != texts[2]
    assert {proposal.by for proposal in proposals} == {captioner}


def test_a_random_models_noise_becomes_what_was_measured(folder, store, tmp_path, monkeypatch):
    monkeypatch.setattr("core.captioning.vision.MOST_NEW_TOKENS", 4)
    proposals, last = run(folder, store, captioner=str(save_florence(tmp_path / "florence")))
    assert isinstance(last, RunFinished) and all(proposal.after.startswith("ohwx man, ") and proposal.after.isascii() for proposal in proposals) and len(proposals) == 2


def test_what_was_measured_is_added_to_a_persons_words_and_can_be_taken_back(folder, store):
    write_caption(folder / "a.txt", "ohwx man, by hand")
    before = contents(folder)
    add_what_was_measured(request(folder), ["a", "b", "c"])
    texts = [text(folder, name) for name in "abc"]
    assert texts[0].startswith("ohwx man, by hand, ") and texts[2].startswith("ohwx man, by hand, ") and texts[0] != texts[2] and texts[1].startswith("ohwx man, ")
    assert machine_written(open_dataset(folder)) == frozenset() and undo(folder) == "add what was measured: 3 photos" and contents(folder) == before


def test_the_reports_button_makes_captions_differ(folder, store, monkeypatch):
    monkeypatch.setattr("core.analysis_tasks.MEASURES_FOLDER", store.root.parent / "measures")
    for name in "abc":
        write_caption(folder / f"{name}.txt", "ohwx man, by hand")
    settings = parse_settings({"dataset.folder": str(folder), "dataset.class_word": "man", "run.output": str(store.root), "model.path": POCKET_FLUX})
    list(analyze(settings, store))
    findings = kept_report(str(folder), store)[0].findings
    number = next(number for number, finding in enumerate(findings) if finding.check == "identical captions")
    with pytest.raises(Refused, match="not photos of that finding"):
        remedy(settings, number, ["d"], store)
    remedy(settings, number, findings[number].photos, store)
    list(analyze(settings, store))
    assert not {"identical captions", "similar captions"} & {finding.check for finding in kept_report(str(folder), store)[0].findings}


def test_the_record_of_what_was_written_here_holds_no_words(folder, store):
    run(folder, store)
    accept(open_dataset(folder), ["a"])
    record = json.loads(machine_file(folder).read_text())
    assert list(record) == ["a"] and len(record["a"]) == 64


def test_an_unreadable_photo_with_a_model_is_said_and_the_others_go_on(folder, store, said):
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:30])
    events = []
    proposals, last = caption_here(request(folder, captioner=said("portrait, in a park with trees")), store, events.append)
    assert isinstance(last, RunFinished) and [proposal.photo for proposal in proposals] == ["b"] and any(isinstance(event, Warned) and "a.png" in event.what for event in events)


def test_nobody_is_deleted_while_the_command_writes_its_captions(folder, store, monkeypatch):
    tried = []

    def watched(dataset, photos):
        with pytest.raises(Refused, match="writing captions"):
            start_purge(Worker(), str(folder), True, store)
        tried.append(accept(dataset, photos))

    monkeypatch.setattr(caption_dataset, "accept", watched)
    monkeypatch.setattr("sys.argv", ["caption_dataset.py", str(folder), "--set", f"run.output={store.root}", "--set", f"model.path={POCKET_FLUX}"])
    assert caption_dataset.main() == 0 and len(tried) == 1
