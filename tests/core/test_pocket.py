"""The pocket FLUX as it is shipped and as it is built: tokenizers for any text, the same ones at each build, a judge that knows drawn people apart."""

import random
from pathlib import Path

import pytest
from transformers import CLIPTokenizer, T5Tokenizer

from core.identity.drawn import load_judge
from core.identity.faces import JUDGE_FILE
from core.pocket.demo import demo_scenes
from core.pocket.drawing import draw
from core.pocket.models import clip_tokenizer
from core.pocket.people import random_identity, random_scene, scene_caption
from core.settings import POCKET_FLUX

POCKET = Path(POCKET_FLUX)
TEXTS = ["", "ohwx", "xq7zk_Ä", "portrait of ohwx woman, front view", "日本語 😀", "\x00\n\t", "a" * 5000]


@pytest.fixture(scope="module")
def captions():
    chance = random.Random(1)
    return [scene_caption(random_scene(chance), "ohwx woman") for _ in range(2000)]


def test_the_clip_tokenizer_is_the_same_at_each_build(captions):
    first, second = clip_tokenizer(captions), clip_tokenizer(captions)
    assert first.get_vocab() == second.get_vocab() and [first(text).input_ids for text in captions[:50]] == [second(text).input_ids for text in captions[:50]]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_has_tokens(text):
    clip = CLIPTokenizer.from_pretrained(POCKET / "tokenizer", local_files_only=True)
    t5 = T5Tokenizer.from_pretrained(POCKET / "tokenizer_2", local_files_only=True)
    for tokenizer, size in ((clip, len(clip)), (t5, len(t5))):
        ids = tokenizer(text, padding="max_length", truncation=True, max_length=tokenizer.model_max_length).input_ids
        assert len(ids) == tokenizer.model_max_length and all(0 <= number < size for number in ids)


def test_different_triggers_have_different_tokens():
    clip = CLIPTokenizer.from_pretrained(POCKET / "tokenizer", local_files_only=True)
    assert len({tuple(clip(trigger).input_ids) for trigger in ("ohwx", "sks", "xkz", "zxq7", "Äöü")}) == 5


def test_the_judge_knows_drawn_people_apart():
    judge = load_judge(POCKET / JUDGE_FILE)
    people = [random_identity(random.Random(f"apart-{number}")) for number in range(12)]
    views = [judge.embed([draw(person, scene) for scene in demo_scenes(f"views-{number}", 6)]) for number, person in enumerate(people)]
    gallery = [view[:4].mean(dim=0) for view in views]
    right = sum(max(range(12), key=lambda other, probe=probe: float(probe @ gallery[other] / gallery[other].norm())) == number for number, view in enumerate(views) for probe in view[4:])
    assert right >= 20  # of 24; chance is 2
