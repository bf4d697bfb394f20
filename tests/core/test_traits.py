"""Permanent traits in captions: found where they are claimed, and taken out without breaking the sentence."""

import time

import pytest

from core.dataset.traits import gender_of_person, traits_in, without_traits

CLAIMS = [
    ("ohwx, a woman with blonde hair in a red dress", [("hair colour", "blond")], "ohwx, a woman in a red dress"),
    ("ohwx, a woman with long brown hair on a beach", [("hair colour", "brown")], "ohwx, a woman on a beach"),
    ("a photo of a brunette woman", [("hair colour", "brown")], "a photo of a woman"),
    ("ohwx woman with blue eyes and long blond hair, wearing a coat", [("eye colour", "blue"), ("hair colour", "blond")], "ohwx woman, wearing a coat"),
    ("ohwx man with green eyes and a hat", [("eye colour", "green")], "ohwx man with a hat"),
    ("ohwx man, short curly dark brown hair, pale skin, in a park", [("hair colour", "brown"), ("skin", "light")], "ohwx man, in a park"),
    ("ohwx, an old woman next to an old car", [("age", "old")], "ohwx, a woman next to an old car"),
    ("ohwx woman with dark hair tied back, in a red dress", [("hair tone", "dark")], "ohwx woman with hair tied back, in a red dress"),
    ("ohwx woman with long brown hair in a ponytail and a hat", [("hair colour", "brown")], "ohwx woman with hair in a ponytail and a hat"),
    ("ohwx woman at a desk, her hair is dark brown", [("hair colour", "brown")], "ohwx woman at a desk"),
    ("ohwx man, his eyes are blue, smiling", [("eye colour", "blue")], "ohwx man, smiling"),
    ("ohwx woman in her late forties on a sofa", [("age in years", "there")], "ohwx woman on a sofa"),
    ("ohwx man with salt-and-pepper hair and a tanned face", [("hair colour", "gray"), ("skin", "tanned")], "ohwx man"),
    ("ohwx man with a scar on the left cheek in a park", [("marks", "there")], "ohwx man in a park"),
    ("ohwx woman with freckles across her nose and a hat", [("freckles", "there")], "ohwx woman with a hat"),
    ("ohwx, a blonde in a park", [("hair colour", "blond")], "ohwx in a park"),
    ("ohwx person, a square jaw, thick eyebrows and a receding hairline, on a beach", [("jaw", "there"), ("eyebrows", "there"), ("hairline", "there")], "ohwx person, on a beach"),
    ("ohwx woman with deep brown eyes and full lips in a car", [("eye colour", "brown"), ("lips", "there")], "ohwx woman in a car"),
    ("ohwx, an Asian person with olive-toned skin, of about thirty, with sandy hair", [("origin", "Asian"), ("skin", "tanned"), ("age in years", "there"), ("hair colour", "blond")], "ohwx, a person"),
    ("ohwx man, aged 52, at a desk", [("age in years", "there")], "ohwx man, at a desk"),
    ("ohwx man beside a tree, a scar on the cheek", [("marks", "there")], "ohwx man beside a tree"),
    ("a middle-aged man reading", [("age", "middle-aged")], "a man reading"),
]
SILENT = ["ohwx, a woman in a black hat and brown coat", "ohwx, a woman, no blonde hair", "ohwx, white shirt, dark background, golden hour light", "ohwx in a blue room", "ohwx under a bald eagle", "ohwx with a white hair clip", "ohwx beside a statue of an old man", "ohwx with a scarf and wrinkles in the shirt", "ohwx before a portrait of an old man", "ohwx and a black cat with green eyes", "ohwx talking to an Asian woman", "ohwx in a group of about thirty people", "ohwx with a square jar", ""]


@pytest.mark.parametrize(("text", "claims", "rest"), CLAIMS)
def test_traits_are_found_and_taken_out(text, claims, rest):
    assert [(trait.kind, trait.value) for trait in traits_in(text)] == claims
    assert without_traits(text) == rest and not traits_in(rest)


@pytest.mark.parametrize("text", SILENT)
def test_clothes_light_and_denials_are_no_traits(text):
    assert traits_in(text) == () and without_traits(text) == text


def test_a_text_full_of_traits_takes_time_by_its_length_not_by_its_square():
    """Such a caption, from somebody's archive, held the page up for half a minute with each look at it."""

    def seconds(count):
        began = time.thread_time()
        assert len(traits_in("long blond hair, " * count)) == count
        return time.thread_time() - began

    assert min(seconds(2000) for _ in range(2)) < 8 * min(seconds(500) for _ in range(3))


def test_only_what_stands_near_a_trait_denies_it():
    assert traits_in(f"no {'x' * 400} blond hair") and not traits_in(f"no {'x' * 200} blond hair") and not traits_in("NO blond hair")


@pytest.mark.parametrize(
    ("text", "gender"),
    [
        ("ohwx, a woman beside a lady", "woman"), ("portrait of ohwx man talking to a young woman", "man"), ("ohwx and two women on a bench", ""), ("ohwx between a man and a girl", ""),
        ("a person beside a statue of an old man", ""), ("ohwx person, a man in rain", "man"), ("", ""),
    ],
)  # fmt: skip
def test_only_the_person_has_a_gender_not_who_stands_beside(text, gender):
    assert gender_of_person(text) == gender
