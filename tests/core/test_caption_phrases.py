"""What is kept of a model's answer: the scene, never the person, never markup or chatter; and what a model is told."""

import pytest

from core.captioning.phrases import MOST_WORDS, caption_from, is_english, prompt_for, says_how_it_is_seen
from core.dataset.captions import word_count
from core.dataset.traits import gender_of_person, traits_in

GOOD = {
    "A man in a dark blue suit, standing in an office, portrait framing, soft window light": "in a dark blue suit, standing in an office, portrait framing, soft window light",
    "head turned left, three-quarter view, navy blazer, blurred office background, soft daylight from the right": "head turned left, three-quarter view, navy blazer, blurred office background, soft daylight from the right",
    "The image shows a young man with short brown hair wearing a gray hoodie, standing in front of a brick wall.": "wearing a gray hoodie, standing in front of a brick wall",
    "<s>A woman with long blonde hair and blue eyes is smiling at the camera.</s>": "smiling at the camera",
    "**Caption:** *wearing a red jacket*, looking left, snowy mountain behind": "wearing a red jacket, looking left, snowy mountain behind",
    "Sure! Here is a caption:\n\n\"Wearing a white shirt, arms crossed, plain gray background, studio lighting.\"": "wearing a white shirt, arms crossed, plain gray background, studio lighting",
    "He is wearing a suit. His hair is brown. He has a beard. The background is a bookshelf. The lighting is warm.": "wearing a suit, the background is a bookshelf, the lighting is warm",
    "<think>The user wants a caption</think>seated on a bench in a park, jeans and t-shirt, bright daylight": "seated on a bench in a park, jeans and t-shirt, bright daylight",
    "<script>alert(1)</script><b>wearing a coat</b> in the rain &amp; wind, at night": "wearing a coat in the rain & wind, at night",
    "A bald man in his 40s with a white beard, wearing glasses and a black turtleneck against a dark backdrop": "wearing glasses and a black turtleneck against a dark backdrop",
    "A portrait of a middle-aged Asian man in a suit next to a woman in a red dress, suggesting a formal event.": "portrait, in a suit next to somebody in a red dress",
    "ohwx man, wearing a cap, in a car, looking out of the window": "wearing a cap, in a car, looking out of the window",
    "A close-up of a woman's face with freckles and green eyes, eye-level shot, natural light": "a close-up of the face, eye-level shot, natural light",
    "- wearing a leather jacket\n- standing on a bridge\n- city lights at night": "wearing a leather jacket, standing on a bridge, city lights at night",
    "wearing a blue shirt " * 40: "wearing a blue shirt",
    "The photo depicts an elderly gentleman with grey hair and wrinkles. He appears to be sitting at a desk. Overall, the mood is calm.": "sitting at a desk",
    "A smiling man in a suit and tie standing in front of an American flag.": "smiling in a suit and tie standing in front of an American flag",
    "a man wearing a hat and a scarf, slim build, brown skin, at the beach": "wearing a hat and a scarf, at the beach",
    '{"caption": "wearing a green sweater in a kitchen with morning light"}': "wearing a green sweater in a kitchen with morning light",
    "A black and white photo of a man in a suit.": "black and white photo, in a suit",
    "A tall, handsome man with olive skin, wearing a tuxedo": "wearing a tuxedo",
    "A girl with pink hair and a black hat is standing in front of a window": "with a black hat standing in front of a window",
    "There is a person sitting on a chair with a laptop, while two people stand behind.": "sitting on a chair with a laptop, while two people stand behind",
    "Eiffel Tower in the background, wearing a trench coat, overcast light": "Eiffel Tower in the background, wearing a trench coat, overcast light",
}  # fmt: skip
USELESS = [
    "", "   \n ", "man", "A man.", "a young woman", "```\n```", "<loc_12><loc_99>", "...", "I'm sorry, but I can't help with identifying people in images.", "I cannot describe the person in this photo.",
    "As an AI language model, I cannot see images.", "Ein Mann mit blauer Jacke steht vor einem Haus und lacht", "Un homme avec une veste dans la rue", "Un hombre con una chaqueta en la calle",
    "一位穿着西装的男士站在办公室里", "Мужчина в костюме стоит в офисе", "He has brown hair and blue eyes.", "a man with a beard", "\x00\x01", "\U0001f600 \U0001f600",
]  # fmt: skip
LONG = "wearing a long dark green woollen coat with brass buttons over a striped shirt, standing on the wide stone steps of an old library, rows of tall columns behind, late afternoon sun from the left, people far away"


@pytest.mark.parametrize("answer", list(GOOD))
def test_of_an_answer_the_scene_is_kept(answer):
    assert caption_from(answer, "ohwx", "man") == f"ohwx man, {GOOD[answer]}"


@pytest.mark.parametrize("answer", USELESS)
def test_where_nothing_useful_is_left_nothing_is_said(answer):
    assert caption_from(answer, "ohwx", "man") == ""


def test_enough_answers_were_tried():
    assert len(GOOD) >= 20 and len(USELESS) >= 15


@pytest.mark.parametrize("answer", [*GOOD, LONG, LONG.replace(",", "")])
def test_no_caption_is_long_or_speaks_of_the_person(answer):
    text = caption_from(answer, "ohwx", "man")
    assert word_count(text) <= MOST_WORDS + 2 and traits_in(text) == () and gender_of_person(text) == "man" and text.count("ohwx") == 1
    assert not set("<>*#`{}\"") & set(text) and not text.endswith((".", ","))


@pytest.mark.parametrize(
    "trait", ["with short brown hair", "with blue eyes", "with dark skin", "in his 30s", "with a full beard and a moustache", "with freckles", "aged about 40", "with a round face", "with wrinkles", "with long curly hair", "who is bald", "of slim build", "of African ethnicity", "with a pale complexion"]
)  # fmt: skip
@pytest.mark.parametrize("frame", ["A man {}, wearing a grey suit in an office.", "The image shows a man {} wearing a grey suit in an office.", "wearing a grey suit in an office, {}"])
def test_traits_go_in_every_form(trait, frame):
    text = caption_from(frame.format(trait), "ohwx", "man")
    assert not any(word in text for word in trait.split() if len(word) > 3 and word not in ("with", "about", "full")), text
    assert "grey suit in an office" in text


def test_the_model_is_told_what_to_leave_out_and_how_short_to_be():
    text = prompt_for("astronaut")
    assert "an astronaut" in text and "a woman" in prompt_for("woman")
    assert all(word in text for word in ("8 to 20", "hair", "eyes", "skin", "age", "body", "clothes", "pose", "light", "place"))


@pytest.mark.parametrize(("text", "claim"), [("in a suit, standing", False), ("portrait, in a suit", True), ("full-body, in a suit", True), ("facing left in a park", True), ("by a shoreline", False)])
def test_a_caption_says_how_the_person_is_seen_or_not(text, claim):
    assert says_how_it_is_seen(text) == claim


def test_names_with_accents_are_no_other_language():
    assert is_english("in a café in Málaga, wearing a blazer") and not is_english("trägt eine Jacke vor einem Café")


def test_an_endless_answer_takes_no_time():
    assert caption_from("a " * 50_000 + "<" * 50_000, "ohwx", "man") == ""
