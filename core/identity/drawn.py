"""The judge of drawn people: an embedding of who it is, and what the scene shows, from one small network.

It serves the pocket FLUX as a face network serves photos. It looks at the whole picture, not at a detected face.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from core.durable import write_atomic
from core.errors import UserError

INPUT_SIZE = 128
EMBEDDING_WIDTH = 64


class DrawnJudge(nn.Module):
    """(B, 3, 128, 128) in [-1, 1] -> unit embeddings (B, 64) and, per attribute, logits over its values."""

    def __init__(self, attributes: Mapping[str, Sequence[str | bool]]) -> None:
        super().__init__()
        self.attributes = attributes
        widths = (3, 24, 48, 72, 96)
        layers: list[nn.Module] = []
        for narrow, wide in itertools.pairwise(widths):
            layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), nn.GroupNorm(8, wide), nn.SiLU()]
        layers += [nn.Conv2d(96, 96, 3, padding=1), nn.GroupNorm(8, 96), nn.SiLU(), nn.AvgPool2d(2)]
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.identity = nn.Linear(96 * 16, EMBEDDING_WIDTH)
        self.scene = nn.Linear(96 * 16, sum(map(len, attributes.values())))

    def forward(self, pixels_BCHW: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        features = self.trunk(pixels_BCHW)
        logits = self.scene(features).split([len(values) for values in self.attributes.values()], dim=1)
        return F.normalize(self.identity(features), dim=1), dict(zip(self.attributes, logits, strict=True))

    @torch.no_grad()
    def embed(self, images: list[Image.Image]) -> Tensor:
        """Unit embeddings of pictures of any size, (B, 64)."""
        return self(pixels_of(images))[0]

    @torch.no_grad()
    def describe(self, images: list[Image.Image]) -> dict[str, Tensor]:
        """Index of the most likely value of each attribute, (B,) each."""
        return {name: logits.argmax(dim=1) for name, logits in self(pixels_of(images))[1].items()}

    @torch.no_grad()
    def certainty(self, images: list[Image.Image]) -> Tensor:
        """Probability of the most likely value, mean over attributes, (B,). Where somebody who looks ahead faces cannot be known."""
        return torch.stack([logits.softmax(dim=1).amax(dim=1) for name, logits in self(pixels_of(images))[1].items() if name != "facing"]).mean(dim=0)


def pixels_of(images: list[Image.Image]) -> Tensor:
    arrays = [np.asarray(image.convert("RGB").resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.LANCZOS)) for image in images]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 127.5 - 1


def save_judge(judge: DrawnJudge, file: Path) -> None:
    weights = {name: tensor.contiguous() for name, tensor in judge.state_dict().items()}
    write_atomic(file, safetensors.torch.save(weights, metadata={"attributes": json.dumps(judge.attributes)}))


def load_judge(file: Path) -> DrawnJudge:
    if not file.is_file():
        raise UserError("The network that recognises drawn people is missing.", str(file), "Restore presets/ from the repository.")
    with safetensors.safe_open(file, "pt") as opened:
        judge = DrawnJudge(json.loads(opened.metadata()["attributes"]))
        weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
    judge.load_state_dict(weights)
    return judge.eval().requires_grad_(False)
