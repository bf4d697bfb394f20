"""What a picture shows as one vector, by DINOv2 from a local folder: for diversity and whole-picture copies, never for identity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.errors import UserError


class DinoVectors:
    """The class token of the last layer, a unit vector."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoConfig, AutoImageProcessor, AutoModel

        fix = "Choose a folder with a DINOv2 model and its preprocessor_config.json."
        try:
            kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
            if not kind.startswith("dino"):
                raise UserError(f"This is a {kind} model, not DINOv2.", str(folder), fix)
            self._processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
            self._model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        except (OSError, ValueError) as error:
            raise UserError(f"The network for diversity cannot be loaded: {str(error).splitlines()[0][:200]}", str(folder), fix) from None
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.name = f"DINOv2 ({folder.name})"

    @torch.no_grad()
    def vector(self, image: Image.Image) -> np.ndarray:
        inputs = self._processor(images=[image], return_tensors="pt").to(self._model.device)
        token = self._model(**inputs).last_hidden_state[0, 0].float().cpu().numpy()
        return token / np.linalg.norm(token)
