import random
import struct
import tracemalloc
import zipfile

import pytest
from PIL import Image

from core.dataset import archive as archive_module
from core.dataset.archive import LARGEST_PHOTO
from core.dataset.arrivals import Arrival
from core.dataset.intake import take_in
from tests.core.archives import DEVICE, LINK, damaged, encrypted, overlapping, pack, png, png_that_claims


@pytest.fixture
def bring(tmp_path):
    """Take an archive into the dataset `set`, and prove that nothing was written anywhere else."""
    (tmp_path / "work").mkdir()

    def take(file):
        before = {path for path in tmp_path.rglob("*")}
        receipts = list(take_in([Arrival(file.name, file)], tmp_path / "set", tmp_path / "work"))
        written = {path for path in tmp_path.rglob("*")} - before
        assert all(path == tmp_path / "set" or path.parent == tmp_path / "set" for path in written)
        assert not any(path.is_symlink() or path.is_dir() for path in written if path != tmp_path / "set")
        return receipts, sorted(path.name for path in written if path != tmp_path / "set")

    return take


def test_photos_and_captions_in_folders_arrive_flat(bring, tmp_path):
    receipts, names = bring(pack(tmp_path / "x.zip", ("sub/b.txt", b"ohwx b"), ("a.png", png()), ("a.txt", b"ohwx a"), ("sub/", b""), ("sub/b.png", png("blue")), ("__MACOSX/._a.png", b"x"), (".DS_Store", b"x"), ("sub/Thumbs.db", b"x")))
    assert names == ["a.png", "a.txt", "b.png", "b.txt"] and [receipt.outcome for receipt in receipts] == ["added"] * 4
    assert (tmp_path / "set" / "b.txt").read_text() == "ohwx b\n"


def test_the_guides_layout_keeps_captions_with_their_photos(bring, tmp_path):
    _, names = bring(pack(tmp_path / "x.zip", ("set/images/a.png", png()), ("set/captions/a.txt", b"ohwx a")))
    assert names == ["a.png", "a.txt"]


def test_equal_names_of_two_folders_are_two_photos_with_their_own_captions(bring, tmp_path):
    _, names = bring(pack(tmp_path / "x.zip", ("one/a.png", png()), ("one/a.txt", b"first"), ("two/a.png", png("blue")), ("two/a.txt", b"second"), ("two/A.PNG", png("green"))))
    assert names == ["A-3.png", "a-2.png", "a-2.txt", "a.png", "a.txt"] and (tmp_path / "set" / "a-2.txt").read_text() == "second\n"
    assert Image.open(tmp_path / "set" / "a-2.png").getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (("../../evil.png", png()), "leads out"),
        (("/tmp/evil.png", png()), "leads out"),
        (("..\\..\\evil.png", png()), "leads out"),
        (("C:\\evil.png", png()), "leads out"),
        (("c:evil.png", png()), "leads out"),
        (("\\\\server\\evil.png", png()), "leads out"),
        (("a/../../evil.png", png()), "leads out"),
        (("..", b""), "leads out"),
        (("link.png", b"/etc/passwd", LINK), "a link"),
        (("folder", b"/etc", LINK), "a link"),
        (("tty.png", b"", DEVICE), "a device"),
        (("inner.zip", b"PK"), "archive inside"),
        (("inner.tar.gz", b"x"), "archive inside"),
        (("page.html", b"<script>"), "neither a photo"),
        (("run.sh", b"id"), "neither a photo"),
        (("x.svg", b"<svg onload='alert(1)'/>"), "neither a photo"),
        (("noname", b"x"), "neither a photo"),
        (("IMG_1.HEIC", b"x"), "Most Compatible"),
        (("script.png", b"<script>alert(1)</script>"), "no JPG, PNG or WebP"),
        (("huge.png", png_that_claims(60000, 60000)), "pixels"),
        (("empty.png", b""), "it is empty"),
        (("bomb.png", bytes(8 << 20)), "ZIP bomb"),
        (("long.txt", b"word " * 30000), "bytes"),
        (("half.txt", b"\xff\xfe\x00bad\xd8"), "UTF-16"),
    ],
)
def test_a_hostile_member_is_refused_by_name_and_its_neighbour_is_taken(bring, tmp_path, member, reason):
    receipts, names = bring(pack(tmp_path / "x.zip", member, ("good.png", png("green"))))
    refused = [receipt for receipt in receipts if receipt.outcome == "refused"]
    assert names == ["good.png"] and len(refused) == 1 and reason in refused[0].what
    assert member[0].replace("\\", "/") in refused[0].name and refused[0].name.startswith("x.zip: ")


def test_two_members_of_one_name_are_one_photo_and_one_refusal(bring, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        pack(tmp_path / "x.zip", ("a.png", png()), ("a.png", png("blue")))
    receipts, names = bring(tmp_path / "x.zip")
    assert names == ["a.png"] and "two files of this name" in receipts[1].what


@pytest.mark.parametrize("name", ["a" * 300 + ".png", "<img src=x onerror=alert(1)>.png", "a\u202egnp.png", "con.png", "-rf.png", "n\nl.png", "trailing..png", "שלום.png", "😀.png", "=cmd().png"])
def test_odd_names_are_made_safe(bring, tmp_path, name):
    receipts, (saved,) = bring(pack(tmp_path / "x.zip", (name, png())))
    assert saved == receipts[0].saved and receipts[0].outcome in ("added", "renamed")
    assert len(saved) < 100 and saved[0] not in ".-=" and not set(saved) & set("<>\n\\/\u202e:\"'")


def test_encrypted_members_are_named(bring, tmp_path):
    receipts, names = bring(encrypted(tmp_path / "x.zip"))
    assert names == [] and "encrypted" in receipts[0].what and "password" in receipts[0].what


def test_a_damaged_member_is_named(bring, tmp_path):
    receipts, names = bring(damaged(tmp_path / "x.zip"))
    assert names == ["good.png"] and receipts[1].name == "x.zip: bad.png" and "cannot be unpacked" in receipts[1].what


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, 9, 93, 97])
def test_a_member_that_is_packed_otherwise_is_named_and_its_neighbours_are_taken(bring, tmp_path, method):
    """LZMA of damaged data ended the whole batch, with photos that had nothing to do with it."""
    data = bytearray(pack(tmp_path / "x.zip", ("good.png", png()), ("odd.png", png("blue")), ("other.png", png("green"))).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = data.index(mark, data.index(mark) + 4) + offset
        data[place : place + 2] = method.to_bytes(2, "little")
    (tmp_path / "x.zip").write_bytes(data)
    receipts, names = bring(tmp_path / "x.zip")
    refused = [receipt for receipt in receipts if receipt.outcome == "refused"]
    assert names == ["good.png", "other.png"] and [receipt.name for receipt in refused] == ["x.zip: odd.png"] and "not read here" in refused[0].what and "Deflate" in refused[0].what


def test_members_that_lie_over_each_other_are_a_bomb(bring, tmp_path):
    receipts, names = bring(overlapping(tmp_path / "x.zip"))
    assert names == [] and "lie over each other" in receipts[0].what


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(100), b"Rar!\x1a\x07\x00"])
def test_what_is_no_archive_is_said(bring, tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    receipts, names = bring(tmp_path / "x.zip")
    assert names == [] and len(receipts) == 1 and "no ZIP archive" in receipts[0].what


def test_an_archive_without_photos_says_so(bring, tmp_path):
    receipts, _ = bring(pack(tmp_path / "x.zip", ("__MACOSX/._a", b"x")))
    assert "no photo" in receipts[0].what


def test_too_many_members_are_refused_before_the_list_is_read(bring, tmp_path, monkeypatch):
    pack(tmp_path / "x.zip", *((f"{number}.txt", b"x") for number in range(5001)), compression=zipfile.ZIP_STORED)
    monkeypatch.setattr(archive_module.zipfile, "ZipFile", None)
    receipts, names = bring(tmp_path / "x.zip")
    assert names == [] and "more than 5000 files" in receipts[0].what


def test_a_list_of_files_as_long_as_the_archive_is_not_read(bring, tmp_path):
    """The archive says that nearly all of it is its list; zipfile took as much memory as that."""
    size = 1 << 28
    with open(tmp_path / "x.zip", "wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, 0, 0))
    tracemalloc.start()
    try:
        receipts, names = bring(tmp_path / "x.zip")
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert names == [] and "too long" in receipts[0].what


def test_sizes_are_limited_one_by_one_and_together(bring, tmp_path, monkeypatch):
    pack(tmp_path / "x.zip", ("a.png", png()), ("b.png", png("blue")))
    monkeypatch.setattr(archive_module, "LARGEST_PHOTO", 10)
    assert "10 is the limit" in bring(tmp_path / "x.zip")[0][0].what
    monkeypatch.setattr(archive_module, "LARGEST_PHOTO", LARGEST_PHOTO)
    monkeypatch.setattr(archive_module, "MOST_BYTES", len(png()) + 10)
    receipts, names = bring(tmp_path / "x.zip")
    assert names == [] and len(receipts) == 1 and "unpacks to" in receipts[0].what


def test_a_size_that_lies_writes_no_more_than_it_says(bring, tmp_path):
    """A member says 10 bytes and holds 8 MB: the checksum is wrong after 10 bytes, and no byte more is written."""
    data = bytearray(pack(tmp_path / "x.zip", ("a.png", bytes(8 << 20))).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        data[data.index(mark) + offset : data.index(mark) + offset + 4] = (10).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(data)
    receipts, names = bring(tmp_path / "x.zip")
    assert names == [] and "cannot be unpacked" in receipts[0].what


def test_random_damage_never_leaves_the_folder_and_never_crashes(tmp_path, bring):
    whole = pack(tmp_path / "whole.zip", ("a.png", png()), ("b/c.png", png("blue")), ("b/c.txt", b"ohwx"), compression=zipfile.ZIP_STORED).read_bytes()
    rng, refused = random.Random(5), 0
    for number in range(150):
        spoiled = bytearray(whole)
        for _ in range(rng.choice((1, 3, 9))):
            spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
        (tmp_path / f"{number}.zip").write_bytes(spoiled[: rng.choice((len(spoiled), rng.randrange(len(spoiled))))])
        receipts, _ = bring(tmp_path / f"{number}.zip")
        refused += any(receipt.outcome == "refused" for receipt in receipts)
    assert refused > 50
