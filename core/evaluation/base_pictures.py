"""The base model's pictures, kept by what they were drawn from: every grid and every checkpoint compares with the same ones."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from core.evaluation.grid import GridRequest


@dataclass(frozen=True)
class BasePictures:
    """A folder in data/cache; may be deleted at any time. `model` and `dtype` tell what draws."""

    folder: Path
    model: str
    dtype: str

    def find(self, request: GridRequest, prompt: str, seed: int) -> Path | None:
        """The picture of this prompt and seed at strength 0, or None. A file that is no whole picture counts as missing."""
        file = self.file_of(request, prompt, seed)
        try:
            with Image.open(file) as picture:
                picture.load()
                return file if picture.size == (request.width, request.height) else None
        except OSError:
            return None

    def keep(self, request: GridRequest, prompt: str, seed: int, drawn: Path) -> None:
        """A disk that is full costs the next grid its speed, nothing else."""
        file = self.file_of(request, prompt, seed)
        hidden = file.with_name(f".{file.name}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(drawn, hidden)
            hidden.replace(file)
        except OSError:
            hidden.unlink(missing_ok=True)

    def file_of(self, request: GridRequest, prompt: str, seed: int) -> Path:
        parts = (self.model, self.dtype, request.width, request.height, request.num_inference_steps, request.guidance_scale, request.text_length, seed, prompt)
        return self.folder / f"{hashlib.sha256(chr(31).join(map(str, parts)).encode()).hexdigest()[:32]}.png"
