import errno

import numpy as np
import pytest
from PIL import Image

from core.dataset import intake as intake_module
from core.dataset.arrivals import Arrival
from core.dataset.folder import open_dataset
from core.dataset.intake import check_name, take_in
from core.errors import Refused


@pytest.fixture
def bring(tmp_path):
    """Take files into the dataset `set`: (name, picture or bytes) each."""
    (tmp_path / "incoming").mkdir()
    (tmp_path / "work").mkdir()

    def take(*files):
        arrivals = []
        for number, (name, content) in enumerate(files):
            file = tmp_path / "incoming" / str(number)
            if isinstance(content, bytes):
                file.write_bytes(content)
            else:
                content.save(file, {"png": "PNG", "webp": "WEBP"}.get(name.lower().rpartition(".")[2], "JPEG"))
            arrivals.append(Arrival(name, file))
        return list(take_in(arrivals, tmp_path / "set", tmp_path / "work"))

    return take


def photo(colour="red", size=(20, 16)):
    return Image.new("RGB", size, colour)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_photos_and_captions_arrive_in_the_layout(bring, tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "captions").mkdir()
    receipts = bring(("a.txt", b"ohwx a"), ("a.jpg", photo()))
    assert [(receipt.outcome, receipt.saved) for receipt in receipts] == [("added", "a.jpg"), ("added", "a.txt")]
    assert open_dataset(tmp_path / "set").samples[0].caption.text == "ohwx a" and names(tmp_path / "set" / "captions") == ["a.txt"]


def test_bad_files_are_named_and_good_ones_kept(bring, tmp_path):
    receipts = bring(("good.png", photo()), ("bad.jpg", b"no photo"), ("x.heic", b"x"), ("run.sh", b"rm"), ("big.rar", b"x"), ("cut.jpg", b"\xff\xd8\xff\xe0" + bytes(50)))
    refused = {receipt.name: receipt.what for receipt in receipts if receipt.outcome == "refused"}
    assert names(tmp_path / "set") == ["good.png"] and set(refused) == {"bad.jpg", "x.heic", "run.sh", "big.rar", "cut.jpg"}
    assert "Most Compatible" in refused["x.heic"] and "Pack the photos as ZIP" in refused["big.rar"]
    assert all(str(tmp_path) not in what for what in refused.values())


def test_the_same_photo_again_is_there_already(bring, tmp_path):
    bring(("a.jpg", photo()))
    before = (tmp_path / "set" / "a.jpg").read_bytes()
    assert [(receipt.outcome, receipt.saved) for receipt in bring(("a.jpg", photo()))] == [("already there", "a.jpg")]
    assert names(tmp_path / "set") == ["a.jpg"] and (tmp_path / "set" / "a.jpg").read_bytes() == before


def test_a_photo_that_was_copied_in_with_its_metadata_is_recognised(bring, tmp_path):
    (tmp_path / "set").mkdir()
    photo().save(tmp_path / "set" / "a.jpg", comment=b"as the camera wrote it")
    before = (tmp_path / "set" / "a.jpg").read_bytes()
    assert bring(("a.jpg", before))[0].outcome == "already there" and (tmp_path / "set" / "a.jpg").read_bytes() == before


def test_a_photo_that_was_cropped_here_is_recognised(bring, tmp_path):
    bring(("a.jpg", photo()))
    (tmp_path / "set" / ".studio" / "originals").mkdir(parents=True)
    (tmp_path / "set" / "a.jpg").rename(tmp_path / "set" / ".studio" / "originals" / "a.jpg")
    photo("red", (8, 8)).save(tmp_path / "set" / "a.jpg")
    assert bring(("a.jpg", photo()))[0].outcome == "already there"


def test_another_photo_of_the_name_gets_a_number_and_its_caption_follows(bring, tmp_path):
    bring(("a.jpg", photo()), ("a.txt", b"first"))
    before = (tmp_path / "set" / "a.jpg").read_bytes()
    for _ in range(2):
        receipts = bring(("a.txt", b"second"), ("A.png", photo("blue")), ("A.txt", b"second"))
        assert receipts[0].saved == "A-2.png" and receipts[1].saved in ("a.txt", "") and receipts[2].saved == "A-2.txt"
    assert receipts[0].outcome == "already there"
    assert names(tmp_path / "set") == ["A-2.png", "A-2.txt", "a.jpg", "a.txt"] and (tmp_path / "set" / "a.jpg").read_bytes() == before
    assert (tmp_path / "set" / "a.txt").read_text() == "first\n"


def test_the_receipt_says_the_new_name_and_why(bring):
    bring(("a.jpg", photo()))
    receipt = bring(("a.jpg", photo("blue")))[0]
    assert receipt.outcome == "renamed" and receipt.saved == "a-2.jpg" and receipt.what == "another photo is called 'a'"
    assert bring(("b.jpeg", photo()))[0].outcome == "added"
    assert bring(("../../c?.JPG", photo()))[0].saved == "c_.jpg"


def test_two_photos_never_share_a_caption(bring, tmp_path):
    receipts = bring(("a.jpg", photo()), ("a.png", photo("blue")), ("a.webp", photo("green")))
    assert [receipt.saved for receipt in receipts] == ["a.jpg", "a-2.png", "a-3.webp"] and open_dataset(tmp_path / "set").problems == ()


def test_a_caption_is_never_replaced(bring, tmp_path):
    bring(("a.jpg", photo()), ("a.txt", b"mine"))
    again, other = bring(("a.txt", b"mine\n")), bring(("a.txt", b"theirs"))
    assert again[0].outcome == "already there" and other[0].outcome == "refused" and "kept" in other[0].what
    assert (tmp_path / "set" / "a.txt").read_text() == "mine\n"


def test_a_caption_may_come_before_its_photo(bring, tmp_path):
    assert "no photo of this name yet" in bring(("a.txt", "ohwx café".encode("utf-16")))[0].what
    bring(("a.jpg", photo()))
    assert open_dataset(tmp_path / "set").samples[0].caption.text == "ohwx café"


def test_nothing_is_written_through_a_link(bring, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "images").symlink_to(tmp_path / "elsewhere")
    receipts = bring(("a.png", photo()), ("b.png", photo()))
    assert len(receipts) == 2 and "leads out" in receipts[0].what and list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_written_is_upright_and_bare(bring, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    (tmp_path / "turned.jpg").touch()
    photo(size=(40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    receipt = bring(("turned.jpg", (tmp_path / "turned.jpg").read_bytes()))[0]
    written = Image.open(tmp_path / "set" / "turned.jpg")
    assert written.size == (20, 40) and not written.getexif() and "upright" in receipt.what


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_for_each_file_and_leaves_nothing(bring, tmp_path, monkeypatch, code):
    def full(path, data):
        raise OSError(code, "no space")

    monkeypatch.setattr(intake_module, "write_atomic", full)
    receipts = bring(("a.png", photo()), ("b.png", photo("blue")))
    assert [receipt.outcome for receipt in receipts] == ["refused"] * 2 and "no space left" in receipts[0].what and names(tmp_path / "set") == []


@pytest.mark.parametrize("name", ["a.heic", "a.cr2", "a", "a.7z", "a.jpg.exe", ".jpg", "a.mov"])
def test_what_can_never_be_taken_is_refused_before_it_is_sent(name):
    with pytest.raises(Refused, match=r"is not read here|archives are not read|neither a photo"):
        check_name(name)


def test_names_in_any_script_keep_their_pixels_and_captions(bring, tmp_path):
    picture = Image.fromarray(np.arange(20 * 16 * 3, dtype=np.uint8).reshape(16, 20, 3))
    for name in ("שלום", "صورة", "😀", "con", "x" * 300):
        photo_receipt, caption_receipt = bring((f"{name}.png", picture), (f"{name}.txt", name[:20].encode()))
        stem = photo_receipt.saved.removesuffix(".png")
        assert caption_receipt.saved == f"{stem}.txt" and np.array_equal(Image.open(tmp_path / "set" / f"{stem}.png"), picture)
    assert len(open_dataset(tmp_path / "set").samples) == 5
