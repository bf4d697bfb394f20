import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from core.dataset.clean import clean
from core.dataset.imaging import open_upright
from core.errors import UserError

SECRET = b"secret-of-the-camera"


def picture(mode="RGB", size=(96, 64)):
    """Smooth, so that encodings stay close, with a corner that shows which way is up."""
    x, y = np.meshgrid(np.linspace(40, 220, size[0]), np.linspace(30, 200, size[1]))
    image = Image.fromarray(np.stack([x, y, (x + y) / 2], axis=-1).astype(np.uint8))
    image.paste((250, 10, 10), (0, 0, 20, 10))
    return image.convert(mode)


def exif(orientation=1, position=True):
    block = Image.Exif()
    block[0x0112], block[0x010F] = orientation, SECRET.decode()
    if position:
        block.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0)})
    return block


def srgb():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def reopened(photo):
    return Image.open(io.BytesIO(photo.data))


def save(file, image=None, **options):
    (image or picture()).save(file, **options)
    return file


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 40}, {"restart_marker_blocks": 3}, {"subsampling": 0}, {"icc_profile": srgb()}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_upright_jpeg_keeps_its_very_pixels_and_nothing_else(tmp_path, mode, options):
    if mode == "L":
        options = {key: value for key, value in options.items() if key != "icc_profile"}
    file = save(tmp_path / "a.jpg", picture(mode), exif=exif(), comment=SECRET, xmp=b"<x>" + SECRET + b"</x>", **options)
    assert file.read_bytes().count(SECRET) == 3
    photo = clean(file)
    assert SECRET not in photo.data and not reopened(photo).getexif() and photo.suffix == ".jpg"
    assert np.array_equal(reopened(photo), Image.open(file)) and reopened(photo).quantization == Image.open(file).quantization
    assert photo.notes == ("its GPS position was removed",)


@pytest.mark.parametrize("name", ["a.png", "lossless.webp", "lossy.webp"])
def test_png_and_webp_keep_their_very_pixels_too(tmp_path, name):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    options = {"a.png": {"pnginfo": info}, "lossless.webp": {"lossless": True, "xmp": SECRET}, "lossy.webp": {"xmp": SECRET}}[name]
    file = save(tmp_path / name, exif=exif(), icc_profile=srgb(), **options)
    assert file.read_bytes().count(SECRET) == 2
    photo = clean(file)
    assert SECRET not in photo.data and np.array_equal(reopened(photo), Image.open(file)) and not reopened(photo).info.get("icc_profile")


def test_what_follows_the_first_image_of_a_phone_is_dropped(tmp_path):
    """An MPO carries a second image with an EXIF of its own; other phones append whole films."""
    file = save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[picture("L")], exif=exif())
    file.write_bytes(file.read_bytes() + SECRET)
    assert Image.open(file).n_frames == 2
    photo = clean(file)
    assert SECRET not in photo.data and reopened(photo).format == "JPEG" and np.array_equal(reopened(photo), Image.open(file))


def test_a_thumbnail_in_the_header_is_dropped(tmp_path):
    """JFIF 1.02 puts raw pixels behind its 14 bytes: a face that was cropped away would stay there."""
    data = save(tmp_path / "a.jpg").read_bytes()
    length = int.from_bytes(data[4:6])
    header = data[6 : 4 + length]
    with_thumbnail = header[:12] + bytes((4, 4)) + SECRET + bytes(48 - len(SECRET))
    (tmp_path / "a.jpg").write_bytes(data[:4] + (len(with_thumbnail) + 2).to_bytes(2) + with_thumbnail + data[4 + length :])
    assert SECRET in (tmp_path / "a.jpg").read_bytes()
    assert SECRET not in clean(tmp_path / "a.jpg").data


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_a_turned_photo_is_written_upright_and_looks_the_same(tmp_path, name, orientation):
    file = save(tmp_path / name, exif=exif(orientation, position=False))
    photo = clean(file)
    seen, wanted = np.asarray(reopened(photo), dtype=float), np.asarray(open_upright(file), dtype=float)
    assert photo.notes == ("it was turned upright",) and seen.shape == wanted.shape and not reopened(photo).getexif()
    assert 10 * np.log10(255**2 / max(1e-9, ((seen - wanted) ** 2).mean())) > 38


@pytest.mark.parametrize(
    ("mode", "options", "note"),
    [("RGBA", {}, "transparent"), ("P", {}, "RGB"), ("I;16", {}, "16 bits"), ("1", {}, "RGB"), ("LA", {}, "transparent")],
)
def test_other_kinds_of_png_become_plain_rgb(tmp_path, mode, options, note):
    image = Image.fromarray(np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)) if mode == "I;16" else picture().convert(mode)
    if mode == "RGBA":
        image.putalpha(100)
    photo = clean(save(tmp_path / "a.png", image, **options))
    assert reopened(photo).mode == "RGB" and note in " ".join(photo.notes)
    assert np.array_equal(reopened(photo), open_upright(tmp_path / "a.png"))


def test_sixteen_bit_colour_becomes_eight(tmp_path):
    """Pillow writes no 16-bit RGB: this one is put together by hand."""
    rows = b"".join(b"\0" + np.linspace(0, 65535, 24, dtype=">u2").tobytes() for _ in range(8))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks))
    photo = clean(tmp_path / "a.png")
    assert "16 bits" in photo.notes[0] and photo.data[24] == 8 and np.array_equal(reopened(photo), open_upright(tmp_path / "a.png"))


def test_print_colours_become_rgb(tmp_path):
    photo = clean(save(tmp_path / "a.jpg", picture("CMYK")))
    assert reopened(photo).mode == "RGB" and photo.notes == ("CMYK became RGB",)


def test_a_wide_profile_is_converted_and_srgb_under_another_name_is_not(tmp_path):
    wide = bytearray(srgb())
    names = {bytes(wide[p : p + 4]): p for p in range(132, 132 + 12 * 12, 12)}
    red, green = names[b"rXYZ"], names[b"gXYZ"]
    wide[red : red + 4], wide[green : green + 4] = b"gXYZ", b"rXYZ"
    file = save(tmp_path / "a.jpg", Image.new("RGB", (16, 16), (200, 60, 60)), icc_profile=bytes(wide), quality=95)
    photo = clean(file)
    assert "sRGB" in photo.notes[0] and "icc_profile" not in reopened(photo).info
    red, green, _ = reopened(photo).getpixel((8, 8))
    assert green > 150 > 100 > red
    plain = srgb()
    renamed = plain.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    assert renamed != plain and clean(save(tmp_path / "b.jpg", icc_profile=renamed)).notes == ()


def test_an_animation_is_refused_by_name(tmp_path):
    for name in ("a.webp", "a.png"):
        save(tmp_path / name, save_all=True, append_images=[picture().rotate(10), picture().rotate(20)], duration=100)
        with pytest.raises(UserError, match="animation of 3 pictures"):
            clean(tmp_path / name)


@pytest.mark.parametrize(("brand", "kind"), [(b"heic", "HEIC"), (b"mif1", "HEIC"), (b"avif", "AVIF")])
def test_phone_formats_under_another_name_are_named(tmp_path, brand, kind):
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(40))
    with pytest.raises(UserError, match=kind):
        clean(tmp_path / "a.jpg")


def test_the_suffix_is_what_the_content_says(tmp_path):
    assert clean(save(tmp_path / "a.jpg", format="PNG")).suffix == ".png"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_random_damage_is_refused_or_shows_what_pillow_shows(tmp_path, suffix):
    buffer = io.BytesIO()
    picture(size=(64, 48)).save(buffer, {"jpg": "JPEG"}.get(suffix, suffix.upper()), exif=exif())
    rng = random.Random(suffix)
    file = tmp_path / f"a.{suffix}"
    taken = refused = 0
    for _ in range(150):
        damaged = bytearray(buffer.getvalue())
        for _ in range(rng.choice((1, 4))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        file.write_bytes(damaged[: rng.choice((len(damaged), rng.randrange(len(damaged))))])
        try:
            photo = clean(file)
        except UserError:
            refused += 1
            continue
        taken += 1
        seen, wanted = reopened(photo).convert("RGB"), open_upright(file)
        assert seen.size == wanted.size and (photo.notes or np.array_equal(seen, wanted))
    assert taken > 5 and refused > 30
