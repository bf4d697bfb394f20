"""Whether a picture shows what its prompt says, by CLIP or SigLIP from a local folder."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from core.errors import UserError
from core.evaluation.flexibility import AdherenceScale

# ViT-L/14's cosine; differences to the base model on the same noise. Heuristic, after FLUX adapters' published CLIP scores (docs/EVAL_PROTOCOL.md, sources).
CLIP_SCALE = AdherenceScale("CLIP", good=-0.015, least=-0.03)
# SigLIP was trained with a sigmoid, so its probability is what means something. Heuristic, not calibrated.
SIGLIP_SCALE = AdherenceScale("SigLIP", good=-0.10, least=-0.20)
SIGLIP_TYPES = frozenset({"siglip", "siglip2"})
CLIP_LENGTH, SIGLIP_LENGTH = 77, 64


class TextImage:
    """In float32 on the GPU where there is one; `scale` depends on the kind of network."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoConfig, AutoModel, AutoProcessor

        fix = "Choose a folder with a CLIP or SigLIP model and its processor files."
        try:
            kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
            if kind != "clip" and kind not in SIGLIP_TYPES:
                raise UserError(f"This is a {kind} model, not CLIP or SigLIP.", str(folder), fix)
            self._processor = AutoProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
            self._model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        except (OSError, ValueError) as error:
            raise UserError(f"The network for prompt adherence cannot be loaded: {str(error).splitlines()[0][:200]}", str(folder), fix) from None
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self._is_sigmoid = kind in SIGLIP_TYPES
        self.scale = SIGLIP_SCALE if self._is_sigmoid else CLIP_SCALE

    @torch.no_grad()
    def score(self, image: Image.Image, prompt: str) -> float:
        """CLIP: cosine. SigLIP: probability that they belong together."""
        length = SIGLIP_LENGTH if self._is_sigmoid else CLIP_LENGTH
        inputs = self._processor(text=[prompt], images=[image], return_tensors="pt", truncation=True, padding="max_length", max_length=length).to(self._model.device)
        found = self._model(**inputs)
        if self._is_sigmoid:
            return torch.sigmoid(found.logits_per_image)[0, 0].item()
        return torch.nn.functional.cosine_similarity(found.image_embeds, found.text_embeds).item()
