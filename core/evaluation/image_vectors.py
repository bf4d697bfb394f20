"""What a picture shows as one vector, by DINOv2 from a local folder: for diversity and whole-picture copies, never for identity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.evaluation.networks import Wanted, load_network

DINO = Wanted("diversity", "DINOv2", lambda kind: kind.startswith("dino"), "AutoImageProcessor")


class DinoVectors:
    """The class token of the last layer, a unit vector."""

    def __init__(self, folder: Path) -> None:
        self._network = load_network(folder, DINO)
        self.name = f"DINOv2 ({folder.name})"

    @torch.no_grad()
    def vector(self, image: Image.Image) -> np.ndarray:
        inputs = self._network.processor(images=[image], return_tensors="pt").to(self._network.model.device)
        token = self._network.model(**inputs).last_hidden_state[0, 0].float().cpu().numpy()
        return token / np.linalg.norm(token)
