"""How long the analyzer takes: `python benchmarks/analyzer.py [--photos 30]` writes photos of 12 MP and prints seconds and memory, first and second look.

Where other work runs beside it, processor seconds tell more: two cores to itself take half of them, and a little.

The photos are the tests' photographs, enlarged to 3000 x 4000 with grain and each turned a little, so that decoding and faces cost what a phone's photos cost.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.analyzer.analyze import analyze
from core.settings import DatasetSettings, Settings

SOURCES = sorted(Path("tests/photos").glob("*.jpg"))


def write_photos(folder: Path, count: int) -> None:
    """Photos that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(0).integers(-10, 11, (4000, 3000, 3), dtype=np.int16)
    for number in range(count):
        file = folder / f"photo-{number:03d}.jpg"
        if not file.exists():
            image = Image.open(SOURCES[number % len(SOURCES)]).convert("RGB").rotate(number % 17 - 8, Image.Resampling.BICUBIC).resize((3000, 4000), Image.Resampling.BICUBIC)
            Image.fromarray((np.asarray(image) + np.roll(grain, number, axis=1)).clip(0, 255).astype(np.uint8)).save(file, quality=92)
            file.with_suffix(".txt").write_text(f"ohwx person, photo {number}")


def look(folder: Path, cache: Path, what: str) -> None:
    """In a process of its own, whose peak memory is then that of the analysis."""
    before, began, busy = peak_mib(), time.monotonic(), time.process_time()
    count = sum(1 for event in analyze(Settings(dataset=DatasetSettings(folder=str(folder)), model={"path": "models/none"}), cache / "report.json", "report.json", cache / "measures") if event.kind == "phase" and event.total)
    print(json.dumps({"look": what, "photos": count, "seconds": round(time.monotonic() - began, 1), "processor_seconds": round(time.process_time() - busy, 1), "peak_mib": peak_mib(), "libraries_mib": before}), flush=True)


def peak_mib() -> int:
    """Of this process; getrusage would tell the parent's before its start."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=30)
    parser.add_argument("--work", type=Path, default=Path("data/cache/analyzer-benchmark"))
    arguments = parser.parse_args()
    folder, cache = arguments.work / f"photos-{arguments.photos}", arguments.work / "cache"
    write_photos(folder, arguments.photos)
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    for what in ("first", "second"):
        process = multiprocessing.get_context("spawn").Process(target=look, args=(folder, cache, what))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
