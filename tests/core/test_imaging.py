import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from core.dataset.buckets import Bucket, Placement, buckets_for, place
from core.dataset.imaging import fit, format_of, frame_count, open_reduced, open_upright, pixels, thumbnail, upright_size
from core.errors import UserError


def gradient(width=60, height=40):
    columns = np.linspace(0, 255, width, dtype=np.uint8)
    return Image.fromarray(np.stack([np.tile(columns, (height, 1))] * 3, axis=-1))


def test_exif_orientation_is_applied(tmp_path):
    image = gradient()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert upright_size(tmp_path / "a.jpg") == (40, 60)
    upright = open_upright(tmp_path / "a.jpg")
    assert upright.size == (40, 60) and upright.getpixel((20, 2))[0] < 30 < 225 < upright.getpixel((20, 57))[0]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    name = "a.jpg" if mode == "CMYK" else "a.png"
    gradient().convert(mode).save(tmp_path / name)
    image = open_upright(tmp_path / name)
    assert image.mode == "RGB" and image.getpixel((2, 20))[0] < 60 and image.getpixel((57, 20))[0] > 190


def test_sixteen_bits_keep_their_brightness(tmp_path):
    Image.fromarray(np.linspace(0, 65535, 64, dtype=np.uint16).reshape(1, 64).repeat(8, 0)).save(tmp_path / "a.png")
    image = open_upright(tmp_path / "a.png")
    assert image.getpixel((0, 0)) == (0, 0, 0) and image.getpixel((32, 4))[0] in range(125, 132)


def test_transparency_becomes_white(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert open_upright(tmp_path / "a.png").getpixel((4, 4)) == (255, 255, 255)


def truncated():
    buffer = io.BytesIO()
    gradient(200, 200).save(buffer, "JPEG")
    return buffer.getvalue()[:-400]


def huge_header(width=60000, height=60000):
    chunk = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + chunk + struct.pack(">I", zlib.crc32(b"IHDR" + chunk))
    return header + struct.pack(">I", 1000) + b"IDAT" + bytes(1000)


@pytest.mark.parametrize("content", [b"", b"not a photo", truncated(), huge_header(), b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe"])
def test_what_is_no_whole_photo_is_refused_by_name(tmp_path, content):
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(UserError) as raised:
        open_upright(tmp_path / "bad.jpg")
    assert "bad.jpg" in raised.value.where and raised.value.fix and ("it is empty" in raised.value.what) == (content == b"")


@pytest.mark.parametrize("where", [0.3, 0.5, 0.7])
def test_one_wrong_bit_in_a_png_is_found_at_any_size(tmp_path, where):
    file = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 9, (64, 64, 3), dtype=np.uint8)).save(file)
    data = bytearray(file.read_bytes())
    data[int(len(data) * where)] ^= 16
    file.write_bytes(data)
    for read in (open_upright, lambda file: open_reduced(file, 32)):
        with pytest.raises(UserError, match="cannot be read"):
            read(file)


def test_an_animation_has_frames_and_a_phones_second_picture_is_none(tmp_path):
    still, other = gradient(), ImageOps.mirror(gradient())
    still.save(tmp_path / "still.png")
    still.save(tmp_path / "moving.webp", save_all=True, append_images=[other])
    still.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[other])
    assert [frame_count(tmp_path / name) for name in ("still.png", "moving.webp", "phone.jpg")] == [1, 2, 1]


def test_the_format_is_what_the_content_says(tmp_path):
    gradient().save(tmp_path / "a.jpg", "PNG")
    assert format_of(tmp_path / "a.jpg") == "PNG"


def test_fit_and_pixels_give_the_bucket_in_model_range():
    image = fit(gradient(), Placement(Bucket(32, 16), (0, 10, 60, 40), 0.53))
    array = pixels(image)
    assert image.size == (32, 16) and array.shape == (3, 16, 32) and array.dtype == np.float32
    assert array.min() >= -1 and array.max() <= 1 and array[0, 8, 0] < -0.9 < 0.9 < array[0, 8, -1]


def test_a_thumbnail_is_small_and_webp(tmp_path):
    gradient(1000, 500).save(tmp_path / "a.png")
    image = Image.open(io.BytesIO(thumbnail(tmp_path / "a.png", 100)))
    assert image.format == "WEBP" and image.size == (100, 50)


@pytest.mark.parametrize("size", [(3000, 5), (5, 3000), (16_000, 1), (1, 1)])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_strip_whose_short_side_rounds_to_nothing_has_a_thumbnail(tmp_path, size, suffix):
    file = tmp_path / f"strip{suffix}"
    Image.new("RGB", size, "red").save(file)
    reduced, full = open_reduced(file, 256)
    assert full == size and min(reduced.size) >= 1 and max(reduced.size) <= 256 and thumbnail(file, 64)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pil_turns_it(tmp_path, orientation):
    marked = gradient()
    marked.paste((255, 0, 0), (0, 0, 20, 10))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.png", "a.webp", "a.jpg"):
        marked.save(tmp_path / name, exif=exif)
        upright = open_upright(tmp_path / name)
        assert upright.size == upright_size(tmp_path / name)
        assert np.array_equal(upright, ImageOps.exif_transpose(Image.open(tmp_path / name)).convert("RGB"))


def test_damaged_exif_leaves_the_photo_as_it_is(tmp_path):
    gradient().save(tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert open_upright(tmp_path / "a.jpg").size == upright_size(tmp_path / "a.jpg") == (60, 40)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_profile_is_turned_into_srgb_whatever_the_mode(tmp_path, mode):
    """Under a profile whose red and green are exchanged, red must come out as green."""
    flat = Image.new("RGB", (8, 8), (200, 60, 60)).convert(mode, palette=Image.Palette.ADAPTIVE)
    flat.save(tmp_path / "plain.png")
    flat.save(tmp_path / "wide.png", icc_profile=swapped_profile())
    plain, wide = (open_upright(tmp_path / name).getpixel((4, 4)) for name in ("plain.png", "wide.png"))
    assert plain == (200, 60, 60) and wide[1] > 150 > 100 > wide[0]


def swapped_profile():
    """sRGB with red and green primaries exchanged in its tag table."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ", 128), data.index(b"gXYZ", 128)
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


@pytest.mark.parametrize("profile", [b"no profile at all", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()])
def test_a_profile_that_does_not_fit_leaves_the_photo_as_it_is(tmp_path, profile):
    Image.new("RGB", (8, 8), (200, 60, 60)).save(tmp_path / "a.png", icc_profile=profile)
    assert open_upright(tmp_path / "a.png").getpixel((4, 4)) == (200, 60, 60)


@pytest.mark.parametrize("sides", [(60000, 60000), (12001, 10000)])
def test_too_many_pixels_are_refused_from_the_header_in_plain_words(tmp_path, sides):
    (tmp_path / "huge.png").write_bytes(huge_header(*sides))
    for read in (open_upright, upright_size, format_of):
        with pytest.raises(UserError, match="claims") as raised:
            read(tmp_path / "huge.png")
        assert "120 million" in raised.value.fix


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_random_damage_is_a_user_error_or_a_photo(tmp_path, suffix):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    gradient(64, 48).save(buffer, {"jpg": "JPEG"}.get(suffix, suffix.upper()), exif=exif)
    rng = random.Random(suffix)
    file = tmp_path / f"a.{suffix}"
    refused = 0
    for _ in range(150):
        damaged = bytearray(buffer.getvalue())
        for _ in range(rng.choice((1, 4, 16))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        file.write_bytes(damaged[: rng.choice((len(damaged), rng.randrange(len(damaged))))])
        for read in (upright_size, open_upright):
            try:
                read(file)
            except UserError:
                refused += 1
    assert 30 < refused < 300


def test_a_placement_of_any_photo_can_be_cut(tmp_path):
    rng = random.Random(0)
    buckets = buckets_for(128, 64, 192, 16)
    for _ in range(100):
        width, height = rng.randint(20, 700), rng.randint(20, 700)
        placement = place(width, height, buckets)
        assert fit(Image.new("RGB", (width, height)), placement).size == (placement.bucket.width, placement.bucket.height)


def test_a_photo_of_its_buckets_size_is_not_resampled():
    image = gradient(64, 48)
    assert np.array_equal(fit(image, place(64, 48, (Bucket(64, 48),))), image)
