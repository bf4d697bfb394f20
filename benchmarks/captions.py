"""How true captions from what is measured are, on drawn people whose scenes are known, and how unlike each other: `python benchmarks/captions.py`."""

from __future__ import annotations

import itertools
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.analyzer.readings import read_faces
from core.captioning.caption import caption
from core.captioning.proposals import proposals_of
from core.captioning.request import CaptionRequest
from core.captioning.template import ANGLE_WORDS, FRAMING_WORDS
from core.dataset.captions import similarity
from core.dataset.folder import open_dataset
from core.pocket.demo import demo_scenes, write_photos
from core.pocket.people import Scene, random_identity
from core.settings import POCKET_FLUX

PEOPLE, PHOTOS = 10, 18
TESTED = Path(__file__).resolve().parent.parent / "tests" / "photos"


def captions_of(folder: Path, cache: Path) -> list[tuple[str, str]]:
    request = CaptionRequest(folder=str(folder), trigger_word="ohwx", class_word="person", model_path=POCKET_FLUX, which="all")
    for _ in caption(request, lambda samples: read_faces(samples, Path(POCKET_FLUX), cache, lambda: False), lambda: False):
        pass
    return [(proposal.photo, proposal.after) for proposal in proposals_of(open_dataset(folder))]


def truths(text: str, scene: Scene) -> dict[str, bool]:
    """Which parts of a caption are what was drawn."""
    angles = [words.format(side=scene.facing) for words in ANGLE_WORDS[scene.angle]]
    return {
        "framing": any(f", {words}," in text for words in FRAMING_WORDS[scene.framing]), "angle and side": any(f", {words}" in text for words in angles), "light": scene.light.split()[0] in text,
    }  # fmt: skip


def main() -> None:
    parts, alike = [], []
    with tempfile.TemporaryDirectory() as place:
        for person in range(PEOPLE):
            folder, scenes = Path(place) / f"person-{person}", demo_scenes(f"captions-{person}", PHOTOS)
            folder.mkdir()
            write_photos(folder, random_identity(random.Random(f"captions-{person}")), scenes, "x", 192)
            texts = [text for _, text in captions_of(folder, Path(place) / "cache")]
            parts += [truths(text, scene) for text, scene in zip(texts, scenes, strict=True)]
            alike.append(max(similarity(one, other) for one, other in itertools.combinations(texts, 2)))
        for name in parts[0]:
            print(f"{name}: {sum(part[name] for part in parts)} of {len(parts)}")
        print(f"all three: {sum(all(part.values()) for part in parts)} of {len(parts)}; most alike in a set: {max(alike):.2f}")
        photographs = Path(place) / "photographs"
        photographs.mkdir()
        for file in TESTED.rglob("*.jpg"):
            (photographs / file.name).write_bytes(file.read_bytes())
        for name, text in captions_of(photographs, Path(place) / "cache"):
            print(f"{name}: {text}")


if __name__ == "__main__":
    main()
