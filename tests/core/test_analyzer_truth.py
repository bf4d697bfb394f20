"""The analyzer finds every fault that is planted, and says nothing of what is clean; benchmarks/analyzer_truth.py measures the same at length, the hard ones too."""

import dataclasses
import shutil

import pytest

from core.analyzer.measure import measure
from core.identity.faces import FACE_WEIGHTS
from core.identity.photo_faces import PhotoFaces
from tests.core.planted import false_alarms_of, judge, picture_of
from tests.core.planted_captions import INNOCENT, caption_faults, say
from tests.core.planted_drawings import drawn_faults, drawn_set, identity_of
from tests.core.planted_files import file_faults, odd_kinds, plain_files
from tests.core.planted_photos import HARMLESS, people_set, photo_faults, view_faults, views_set

PERSON, NAME, OTHER = 1, "macron", "collins"
DRAWN_FAULTS = [fault for fault in (*drawn_faults(PERSON), *caption_faults(identity_of(PERSON).gender)) if not fault.is_hard]
PHOTO_FAULTS = [fault for fault in (*photo_faults(NAME, OTHER), *file_faults(NAME), *odd_kinds(NAME)) if not fault.is_hard]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("truth")


@pytest.fixture(scope="module")
def drawings(work):
    return drawn_set(work / "drawings", PERSON)


@pytest.fixture(scope="module")
def people(work):
    return people_set(work / "people")


@pytest.fixture(scope="module")
def clean_face(people):
    return measure(people.folder / f"{NAME}.jpg", PhotoFaces(FACE_WEIGHTS)).person


def grave(findings):
    return [(finding.check, finding.photos) for finding in findings if finding.severity != "note"]


def test_there_are_faults_of_every_kind():
    assert len(DRAWN_FAULTS) > 50 and len(PHOTO_FAULTS) > 25
    assert len({fault.checks[0] for fault in (*DRAWN_FAULTS, *PHOTO_FAULTS)}) > 25


@pytest.mark.parametrize("fault", DRAWN_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_among_drawings_is_found_and_nothing_else(drawings, work, fault):
    outcome = judge(drawings, fault, work)
    assert outcome.is_found and grave(outcome.false_alarms) == []


@pytest.mark.parametrize("fault", PHOTO_FAULTS, ids=lambda fault: fault.name)
def test_a_fault_among_photographs_is_found_and_nothing_else(people, work, fault):
    outcome = judge(people, fault, work)
    assert outcome.is_found and grave(outcome.false_alarms) == []


def test_faults_against_the_rest_of_the_set_are_found(work):
    views = views_set(work / "views", NAME)
    assert false_alarms_of(views, work) == ()
    for fault in view_faults(NAME):
        outcome = judge(views, fault, work)
        assert outcome.is_found and grave(outcome.false_alarms) == [], fault.name


@pytest.mark.parametrize("person", [PERSON, 3])
def test_clean_drawings_raise_no_warning_whatever_their_captions_mention(work, person):
    clean = drawn_set(work / f"clean-{person}", person)
    assert grave(false_alarms_of(clean, work)) == []
    say(clean.folder, INNOCENT)
    assert grave(false_alarms_of(clean, work)) == []


@pytest.mark.parametrize("words", ["a tenth darker", "more contrast", "mirrored", "turned by 5 degrees"])
def test_harmless_edits_raise_nothing(work, words):
    assert false_alarms_of(people_set(work / words, HARMLESS[words]), work) == ()


@pytest.mark.parametrize(("words", "plant"), plain_files(NAME), ids=lambda value: value if isinstance(value, str) else "")
def test_files_of_every_usual_kind_raise_nothing(people, tmp_path, work, words, plant):
    plain = dataclasses.replace(people, folder=shutil.copytree(people.folder, tmp_path / "plain"))
    plant(plain.folder)
    assert false_alarms_of(plain, work) == ()


@pytest.mark.parametrize(("words", "plant"), [(fault.name, fault.plant) for fault in odd_kinds(NAME)] + plain_files(NAME)[1:], ids=lambda value: value if isinstance(value, str) else "")
def test_odd_files_show_the_same_face(people, clean_face, tmp_path, words, plant):
    odd = dataclasses.replace(people, folder=shutil.copytree(people.folder, tmp_path / "odd"))
    plant(odd.folder)
    seen = measure(picture_of(odd.folder, NAME), PhotoFaces(FACE_WEIGHTS)).person
    likeness = sum(one * other for one, other in zip(seen.embedding, clean_face.embedding, strict=True))
    assert likeness > 0.9 and abs(seen.light.lightness - clean_face.light.lightness) < 2
