import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from core.dataset.buckets import Bucket, Placement
from core.dataset.imaging import fit, format_of, open_upright, pixels, thumbnail, upright_size
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


def huge_header():
    chunk = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + chunk + struct.pack(">I", zlib.crc32(b"IHDR" + chunk))


@pytest.mark.parametrize("content", [b"", b"not a photo", truncated(), huge_header(), b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe"])
def test_what_is_no_whole_photo_is_refused_by_name(tmp_path, content):
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(UserError) as raised:
        open_upright(tmp_path / "bad.jpg")
    assert "bad.jpg" in raised.value.where and raised.value.fix


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
