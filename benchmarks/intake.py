"""What taking photos in costs: `python benchmarks/intake.py` takes 15 upright and 15 turned JPEGs of 12 megapixels and prints time and fidelity."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.dataset.arrivals import Arrival
from core.dataset.imaging import open_upright
from core.dataset.intake import take_in

COUNT = 15
SIZE = (4032, 3024)
ORIENTATIONS = {"upright": 1, "turned": 6}


def photo(noise: int) -> Image.Image:
    """Soft shapes with the grain of a phone's camera: `noise` is the largest error of a pixel, of 255."""
    rng = np.random.default_rng(0)
    shapes = Image.fromarray(rng.integers(0, 256, (SIZE[1] // 50, SIZE[0] // 50, 3), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    grain = rng.integers(-noise, noise + 1, (SIZE[1], SIZE[0], 3), dtype=np.int16)
    return Image.fromarray((np.asarray(shapes, dtype=np.int16) + grain).clip(0, 255).astype(np.uint8))


def decibels(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio; inf for equal pixels."""
    error = float(((np.asarray(one, dtype=np.float32) - np.asarray(other, dtype=np.float32)) ** 2).mean())
    return 10 * np.log10(255**2 / error) if error else float("inf")


def main() -> None:
    image = photo(noise=12)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "work").mkdir()
        for words, orientation in ORIENTATIONS.items():
            exif = Image.Exif()
            exif[0x0112] = orientation
            source = folder / f"{words}.jpg"
            image.save(source, quality=97, exif=exif)
            began = time.process_time()
            list(take_in([Arrival(f"{words}{number}.jpg", source) for number in range(COUNT)], folder / "set", folder / "work"))
            seconds = (time.process_time() - began) / COUNT
            written = folder / "set" / f"{words}0.jpg"
            fidelity = decibels(open_upright(source), Image.open(written))
            print(f"{words}: {seconds:.2f} s a photo, {source.stat().st_size / 1e6:.1f} MB -> {written.stat().st_size / 1e6:.1f} MB, {fidelity:.1f} dB")
        turned = open_upright(folder / "turned.jpg")
    for quality, subsampling in ((90, 2), (95, 2), (95, 0), (98, 0)):
        buffer = io.BytesIO()
        turned.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
        print(f"turned at quality {quality}, {'4:2:0' if subsampling else '4:4:4'}: {buffer.tell() / 1e6:.1f} MB, {decibels(turned, Image.open(buffer)):.1f} dB")


if __name__ == "__main__":
    main()
