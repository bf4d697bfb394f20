"""Each check on measured facts written down by hand, at its thresholds and one step beyond."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.analyzer import caption_checks, checks
from core.analyzer.photo import GRAY_SIDE, Look, Measures, Photo
from core.dataset.buckets import Bucket, Placement, place
from core.dataset.captions import Caption
from core.dataset.folder import Problem

SQUARE = (Bucket(512, 512),)


def gray(seed):
    return np.random.default_rng(seed).integers(0, 200, GRAY_SIDE * GRAY_SIDE, dtype=np.uint8).tobytes()


def photo(number, **changes):
    """A photo unlike every other `number`; changes are of the photo or of its measures."""
    hashes = np.random.default_rng(number + 1000).integers(0, 2**63, 4)
    measures = Measures(
        format="JPEG", width=512, height=512, digest=str(number), look=look(int(hashes[0]), int(hashes[1]), gray(number)), mirrored=look(int(hashes[2]), int(hashes[3]), gray(number + 500))
    )
    of_measures = {name: value for name, value in changes.items() if name in Measures.model_fields}
    plain = Photo(name=f"p{number}", suffix=".jpg", measures=measures.model_copy(update=of_measures), placement=place(512, 512, SQUARE), caption=Caption(f"ohwx person, scene {number}", "utf-8"))
    return dataclasses.replace(plain, **{name: value for name, value in changes.items() if name not in of_measures})


def look(phash, dhash, gray_bytes):
    return Look(phash=phash, dhash=dhash, gray=gray_bytes)


def captioned(*texts):
    return [photo(number, caption=Caption(text, "utf-8")) for number, text in enumerate(texts)]


def severities(findings):
    return [finding.severity for finding in findings]


def flip(value, bits):
    """The hash with its lowest `bits` bits turned over."""
    return value ^ ((1 << bits) - 1)


@pytest.mark.parametrize(("count", "severity"), [(0, ["error"]), (14, ["error"]), (15, []), (30, []), (31, ["note"]), (60, ["note"]), (61, ["warning"])])
def test_the_number_of_photos_is_judged_as_the_guide_says(count, severity):
    assert severities(checks.check_count([photo(number) for number in range(count)])) == severity


def test_copies_of_a_photo_count_once():
    fourteen = [photo(number) for number in range(14)]
    (finding,) = checks.check_count([*fourteen, photo(20, digest="1"), photo(21, digest="1")])
    assert finding.value == 14 and finding.severity == "error"


@pytest.mark.parametrize(("scale", "severity"), [(0.4, []), (1.0, []), (1.01, ["warning"]), (1.25, ["warning"]), (1.26, ["error"])])
def test_blowing_up_is_a_warning_then_an_error(scale, severity):
    blown_up = photo(1, placement=Placement(Bucket(512, 512), (0, 0, 512, 512), scale))
    assert severities(checks.check_resolution([blown_up])) == severity


@pytest.mark.parametrize(("height", "found"), [(512, 0), (568, 0), (570, 1)])
def test_more_than_a_tenth_cut_away_is_a_warning(height, found):
    cut = photo(1, height=height, placement=place(512, height, SQUARE))
    assert severities(checks.check_crop([cut])) == ["warning"] * found


def test_all_copies_of_a_photo_are_one_finding():
    findings = list(checks.check_duplicates([photo(1), photo(2), photo(3, digest="1"), photo(4, digest="1")]))
    assert [(finding.severity, finding.photos) for finding in findings] == [("error", ("p1", "p3", "p4"))]


@pytest.mark.parametrize(("phash_bits", "dhash_bits", "found"), [(0, 30, 1), (10, 30, 1), (11, 30, 0), (11, 10, 1), (14, 10, 1), (14, 11, 0), (15, 0, 0)])
def test_near_duplicates_need_close_hashes(phash_bits, dhash_bits, found):
    one = photo(1)
    other = photo(2, look=look(flip(one.measures.look.phash, phash_bits), flip(one.measures.look.dhash, dhash_bits), one.measures.look.gray))
    assert severities(checks.check_duplicates([one, other])) == ["warning"] * found


def test_close_hashes_alone_make_no_near_duplicate():
    one = photo(1)
    assert not list(checks.check_duplicates([one, photo(2, look=one.measures.look.model_copy(update={"gray": gray(77)}))]))


def test_a_mirrored_copy_is_called_mirrored():
    one = photo(1)
    (finding,) = checks.check_duplicates([one, photo(2, mirrored=one.measures.look)])
    assert "mirrored" in finding.what and finding.photos == ("p1", "p2")


def test_gray_difference_sees_a_local_change_but_no_change_of_exposure():
    values = np.frombuffer(gray(1), dtype=np.uint8).reshape(GRAY_SIDE, GRAY_SIDE)
    darker = (values * 0.6 + 12).astype(np.uint8)
    patched = values.copy()
    patched[16:32, 16:32] = 255
    assert checks.gray_difference(values.tobytes(), values.tobytes()) == 0
    assert checks.gray_difference(values.tobytes(), darker.tobytes()) < 2
    assert checks.gray_difference(values.tobytes(), patched.tobytes()) > checks.SAME_GRAY


def test_flat_pictures_can_be_compared():
    flat = bytes([90]) * GRAY_SIDE**2
    assert checks.gray_difference(flat, flat) == 0 and np.isfinite(checks.gray_difference(flat, gray(1)))


def test_missing_empty_and_oddly_encoded_captions_and_orphans_are_named():
    photos = [photo(1, caption=None), photo(2, caption=Caption("", "utf-8")), photo(3, caption=Caption("ohwx", "cp1252")), photo(4), photo(5, caption=None)]
    findings = list(caption_checks.check_captions_present(photos, [Path("lost.txt")]))
    assert [(finding.check, finding.photos) for finding in findings] == [("caption", ("p1", "p5")), ("caption", ("p2",)), ("encoding", ("p3",)), ("orphan caption", ("lost.txt",))]
    assert "cp1252" in findings[2].what


def test_the_trigger_in_another_case_is_said_to_be_that():
    findings = list(caption_checks.check_trigger(captioned("ohwx, a", "Ohwx, a", "a person", "", "ohwxy"), "ohwx"))
    assert [(finding.photos, finding.value) for finding in findings] == [(("p2", "p4"), 2), (("p1",), 1)] and severities(findings) == ["error", "error"]
    assert "another case" in findings[1].what and "another case" not in findings[0].what


@pytest.mark.parametrize(("words", "severity"), [(40, []), (41, ["warning"]), (75, ["warning"]), (76, ["error"])])
def test_verbose_captions_are_a_warning_then_an_error(words, severity):
    assert severities(caption_checks.check_caption_length(captioned("word " * words))) == severity


def test_all_verbose_captions_are_one_finding_with_the_longest():
    (finding,) = caption_checks.check_caption_length(captioned("word " * 50, "ohwx", "word " * 60))
    assert (finding.photos, finding.value, finding.threshold, finding.remedy) == (("p0", "p2"), 60, 40, "shorten")


@pytest.mark.parametrize(("trigger_word", "severity"), [("ohwx", []), ("zwx_7", []), ("anna2", []), ("summer", ["warning"]), ("Anna", ["warning"]), ("emma rose", ["warning"]), ("Person", ["error"]), ("troll", ["error"])])
def test_a_trigger_word_that_means_something_already_is_named(trigger_word, severity):
    assert severities(caption_checks.check_trigger_word(captioned(f"{trigger_word} in a garden"), trigger_word, "troll")) == severity


def test_a_gender_word_contradicts_only_where_it_is_the_persons():
    beside = captioned("ohwx man beside a woman", "ohwx man, smiling", "ohwx and a lady")
    assert not list(caption_checks.check_traits(beside, "man"))
    (finding,) = caption_checks.check_traits(captioned("ohwx, a man in rain", "ohwx, a woman in rain"), "person")
    assert finding.check == "contradiction" and finding.photos == ("p0", "p1") and finding.remedy is None


def test_captions_are_compared_by_their_words():
    same = list(caption_checks.check_caption_variety(captioned("ohwx, a man.", "Ohwx a man", "ohwx a woman")))
    assert [(finding.check, finding.photos) for finding in same] == [("identical captions", ("p0", "p1"))]
    words = "one two three four five six seven eight nine ten"
    near = list(caption_checks.check_caption_variety(captioned(words, words + " eleven")))
    assert [finding.check for finding in near] == ["similar captions"]
    assert not list(caption_checks.check_caption_variety(captioned(words, words + " eleven twelve")))


def test_one_bucket_for_all_is_a_note_and_a_bucket_for_one_matters_to_larger_batches():
    fifteen = [photo(number) for number in range(15)]
    assert [(finding.check, finding.severity) for finding in checks.check_buckets(fifteen, 4)] == [("buckets", "note")]
    wide = photo(20, placement=place(800, 400, (Bucket(704, 320),)))
    assert not list(checks.check_buckets([*fifteen, wide], 1))
    assert [(finding.severity, finding.photos) for finding in checks.check_buckets([*fifteen, wide], 2)] == [("warning", ("p20",))]


def test_the_table_of_buckets_says_how_much_is_cut_at_most():
    rows = checks.bucket_rows([photo(1), photo(2, height=1024, placement=place(512, 1024, SQUARE)), photo(3, width=800, height=400, placement=place(800, 400, (Bucket(704, 320),)))])
    assert [(row.width, row.height, row.photos, row.loss) for row in rows] == [(512, 512, ("p1", "p2"), 0.5), (704, 320, ("p3",), 0.091)]


def test_odd_kinds_of_files_are_named_one_finding_a_kind():
    photos = [photo(1), photo(2, conversions=("CMYK", "profile")), photo(3, conversions=("profile",))]
    findings = list(checks.check_conversions(photos))
    assert [(finding.check, finding.severity, finding.photos) for finding in findings] == [("odd file", "note", ("p2",)), ("odd file", "note", ("p2", "p3"))]
    assert "CMYK" in findings[0].what and "sRGB" in findings[1].what


@pytest.mark.parametrize(("chroma", "caption", "found"), [(6, "ohwx in rain", 1), (7, "ohwx in rain", 0), (0, "black and white photo of ohwx", 0), (0, "ohwx, a B&W picture", 0), (0, "ohwx in a black and blue coat", 1)])
def test_a_photo_without_colour_is_named_unless_its_caption_says_so(chroma, caption, found):
    assert severities(checks.check_colour([photo(1, chroma=chroma, caption=Caption(caption, "utf-8"))])) == ["note"] * found


def test_a_wrong_suffix_is_a_note_and_a_phones_mpo_is_none():
    photos = [photo(1), photo(2, format="PNG"), photo(3, format="MPO"), photo(4, suffix=".png", format="PNG")]
    assert [(finding.severity, finding.photos) for finding in checks.check_formats(photos)] == [("note", ("p2",))]


def test_an_animation_is_a_note():
    assert [(finding.check, finding.severity, finding.photos, finding.value) for finding in checks.check_formats([photo(1), photo(2, frames=7)])] == [("animated", "note", ("p2",), 7)]


def test_a_file_that_cannot_be_used_is_an_error_with_its_fix():
    (finding,) = checks.check_problems([Problem(Path("a.heic"), "HEIC is not read here.", "Save it as JPG.")])
    assert finding.severity == "error" and "a.heic" in finding.what and finding.fix == "Save it as JPG."
