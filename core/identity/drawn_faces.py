"""Faces of drawn people, read by the judge that comes with the pocket FLUX. It looks at the whole picture and locates no face."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from core.identity.drawn import load_judge
from core.identity.faces import Face

# Median over a set of the mean probability of what it sees: .98 and more for drawings, at most .966 for photographs (docs/experiments.md, truth).
SURE = 0.975
WHOLE_PICTURE = (0.0, 0.0, 1.0, 1.0)


class DrawnFaces:
    """One face a picture, whatever it shows: the judge has no word for an empty scene."""

    # Of 60 drawn people, 4 scenes each: mean cosine of different ones 0, 4 % of them and 98 % of the same ones above .6 (docs/experiments.md, faces).
    stranger = 0.0
    same_person = 0.6

    def __init__(self, file: Path) -> None:
        self._judge = load_judge(file)
        self.name = f"judge of drawings {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"

    def knows(self, pictures: Sequence[Image.Image]) -> bool:
        """Whether these are drawings of its kind: it is sure of what it sees in most of them."""
        return bool(pictures) and statistics.median(self._judge.certainty(list(pictures)).tolist()) >= SURE

    @property
    def attributes(self) -> Mapping[str, Sequence[str | bool]]:
        """What it has words for, and the values of each."""
        return self._judge.attributes

    def scene(self, image: Image.Image) -> dict[str, str | bool]:
        """What the picture shows, by attribute."""
        return {name: self._judge.attributes[name][index.item()] for name, index in self._judge.describe([image]).items()}

    def find(self, image: Image.Image) -> tuple[Face, ...]:
        seen = self.scene(image)
        return (Face(box=WHOLE_PICTURE, score=1.0, angle=seen["angle"], facing=seen["facing"], framing=seen["framing"], light=seen["light"]),)

    def turn_of(self, image: Image.Image, faces: Sequence[Face]) -> int:
        """Always 0: it was shown no drawing that lies on its side."""
        return 0

    def tilt_of(self, image: Image.Image, faces: Sequence[Face]) -> None:
        """Always None: it looks at the whole picture and locates no eyes."""

    def embed(self, image: Image.Image, face: Face) -> np.ndarray:
        """64 numbers."""
        return self._judge.embed([image])[0].numpy()
