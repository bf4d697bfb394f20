import pytest

from core.dataset.captions import compose, has_trigger, normalised, read_caption, similarity, word_count, write_caption
from core.errors import UserError

TEXT = "ohwx, café, smiling"


@pytest.mark.parametrize(("encoding", "said"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "cp1252")])
def test_usual_encodings_are_read_and_named(tmp_path, encoding, said):
    file = tmp_path / "a.txt"
    file.write_bytes(TEXT.encode(encoding))
    caption = read_caption(file)
    assert (caption.text, caption.encoding) == (TEXT, said)


def test_bytes_of_no_encoding_are_still_read(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"ohwx \x81\x8d")
    assert read_caption(tmp_path / "a.txt").encoding == "latin-1"


def test_line_breaks_and_nul_become_one_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"ohwx,\r\n a  man\x00\n")
    assert read_caption(tmp_path / "a.txt").text == "ohwx, a man"


def test_a_huge_file_is_no_caption(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x" * 200_000)
    with pytest.raises(UserError, match="200000 bytes"):
        read_caption(tmp_path / "a.txt")


def test_what_is_written_is_read_back(tmp_path):
    write_caption(tmp_path / "a.txt", " ohwx, \n日本 ")
    assert read_caption(tmp_path / "a.txt").text == "ohwx, 日本"


@pytest.mark.parametrize(
    ("text", "trigger", "found"),
    [("ohwx, a man", "ohwx", True), ("a man, ohwx", "ohwx", True), ("ohwxy man", "ohwx", False), ("Ohwx man", "ohwx", False), ("p(x) man", "p(x)", True), ("ohwx's hat", "ohwx", True), ("", "ohwx", False)],
)
def test_the_trigger_is_a_whole_word_in_its_own_case(text, trigger, found):
    assert has_trigger(text, trigger) is found


def test_captions_that_differ_in_commas_are_the_same():
    assert normalised("ohwx, a Man.") == normalised("ohwx a man")
    assert similarity("a b c d", "a b c e") == pytest.approx(3 / 5)


def test_damaged_utf16_is_said_instead_of_guessed(tmp_path):
    (tmp_path / "a.txt").write_bytes("ohwx, a man".encode("utf-16")[:-1])
    with pytest.raises(UserError, match="UTF-16"):
        read_caption(tmp_path / "a.txt")


def test_both_ways_to_write_an_accent_are_one_trigger():
    assert has_trigger("zoe\u0308, smiling", "zo\u00eb") and has_trigger("zo\u00eb, smiling", "zoe\u0308")


@pytest.mark.parametrize("trigger", ["c++", "<ohwx>", "a.b", "[x]", "$me", "o\\w", "小明"])
def test_any_character_may_stand_in_a_trigger(trigger):
    assert has_trigger(f"photo of {trigger}, outdoors", trigger) and not has_trigger("photo of axb, outdoors", trigger)


def test_words_are_counted_as_people_count_them():
    assert word_count("ohwx - a man's T-shirt, it’s blue") == 6
    assert word_count("") == word_count(" , . - ") == 0


def test_a_composed_caption_begins_with_trigger_and_class_word():
    assert compose("ohwx", "man", " on a\nbeach, ") == "ohwx man, on a beach"
    assert compose("ohwx", "man", "") == "ohwx man"


def test_a_caption_that_cannot_be_written_leaves_the_old_one(tmp_path):
    write_caption(tmp_path / "a.txt", "ohwx old")
    with pytest.raises(UnicodeEncodeError):
        write_caption(tmp_path / "a.txt", "ohwx \ud800")
    assert read_caption(tmp_path / "a.txt").text == "ohwx old" and [file.name for file in tmp_path.iterdir()] == ["a.txt"]
