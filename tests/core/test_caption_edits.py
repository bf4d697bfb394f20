"""Caption edits do what their names say and nothing else; live checks agree with the analyzer's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.caption_edits import checks_of, preview, put_in_front, replace, set_trigger, shorten
from core.dataset.captions import has_trigger, word_count, write_caption
from core.dataset.folder import open_dataset
from core.dataset.traits import without_traits
from core.errors import Refused


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a man in a red coat", "ohwx man in a red coat"),
        ("man, portrait, soft light", "ohwx man, portrait, soft light"),
        ("The man stands", "ohwx man stands"),
        ("portrait, soft light", "ohwx man, portrait, soft light"),
        ("Ohwx man, portrait", "ohwx man, portrait"),
        ("ohwx man, an ohwx in rain", "ohwx man, an in rain"),
        ("portrait of ohwx man", "portrait of ohwx man"),
        ("manual labour", "ohwx man, manual labour"),
        ("", "ohwx man"),
    ],
)
def test_the_trigger_word_is_set_once_in_front(before, after):
    assert set_trigger("ohwx", "man")(before) == after


@given(st.text(max_size=80))
def test_any_caption_has_the_trigger_after_it_was_set_and_stays_then(text):
    edit = set_trigger("ohwx", "man")
    edited = edit(text)
    assert has_trigger(edited, "ohwx") and edit(edited) == edited


def test_words_in_front_and_find_and_replace():
    assert put_in_front("ohwx man,  ")("in rain") == "ohwx man, in rain"
    assert replace("sks", "ohwx")("sks man, SKS hat") == "ohwx man, SKS hat"
    assert replace(", blurry", "")("ohwx, blurry") == "ohwx"
    assert replace("(", "[")("a (b") == "a [b"
    for refused in (lambda: put_in_front("  "), lambda: replace("", "x")):
        with pytest.raises(Refused):
            refused()


def test_a_long_caption_is_cut_between_phrases():
    text = "ohwx man in a long grey coat, walking along a wet street at night, neon signs behind him, rain on the lens, a passing yellow taxi, hands in his pockets"
    short = shorten(20)(text)
    assert short == "ohwx man in a long grey coat, walking along a wet street at night, neon signs behind him" and word_count(short) <= 20
    assert shorten(40)(text) == text
    assert word_count(shorten(10)("word " * 60)) == 10


@given(st.text(alphabet="ab ,.;-'", max_size=300))
def test_a_shortened_caption_is_a_beginning_of_the_caption(text):
    short = shorten(8)(text)
    assert word_count(short) <= 8 and text.split()[: len(short.split()) - 1] == short.split()[:-1]


def test_a_preview_names_what_would_change_and_changes_nothing(tmp_path):
    for name, text in (("a", "ohwx man, blond hair, in rain"), ("b", "ohwx man in sun"), ("c", "")):
        (tmp_path / f"{name}.jpg").write_bytes(b"")
        write_caption(tmp_path / f"{name}.txt", text)
    dataset = open_dataset(tmp_path)
    assert preview(dataset, ["a", "b", "c"], without_traits) == {"a": ("ohwx man, blond hair, in rain", "ohwx man, in rain")}
    assert preview(dataset, ["b"], without_traits) == {} and (tmp_path / "a.txt").read_text() == "ohwx man, blond hair, in rain\n"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("ohwx man in a red coat, outdoors", []),
        ("portrait of ohwx man", []),
        ("a man outdoors", ["is missing"]),
        ("Ohwx man", ["these very letters"]),
        ("ohwx man with blond hair and blue eyes", ["blond hair, blue eyes"]),
        ("ohwx " + "word " * 41, ["42 words"]),
        (" ", ["No caption"]),
    ],
)
def test_live_checks_name_the_fault(text, faults):
    found = [check.says for check in checks_of(text, "ohwx") if not check.is_good]
    assert len(found) == len(faults) and all(fault in said for fault, said in zip(faults, found, strict=True))
