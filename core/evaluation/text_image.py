"""Whether a picture shows what its prompt says, by CLIP or SigLIP from a local folder."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from core.evaluation.flexibility import AdherenceScale
from core.evaluation.networks import Wanted, load_network

# ViT-L/14's cosine; differences to the base model on the same noise. Heuristic, after FLUX adapters' published CLIP scores (docs/EVAL_PROTOCOL.md, sources).
CLIP_SCALE = AdherenceScale("CLIP", good=-0.015, least=-0.03)
# SigLIP was trained with a sigmoid, so its probability is what means something. Heuristic, not calibrated.
SIGLIP_SCALE = AdherenceScale("SigLIP", good=-0.10, least=-0.20)
SIGLIP_TYPES = frozenset({"siglip", "siglip2"})
CLIP_LENGTH, SIGLIP_LENGTH = 77, 64
ADHERENCE = Wanted("prompt adherence", "CLIP or SigLIP", lambda kind: kind == "clip" or kind in SIGLIP_TYPES, "AutoProcessor")


class TextImage:
    """`scale` depends on the kind of network."""

    def __init__(self, folder: Path) -> None:
        self._network = load_network(folder, ADHERENCE)
        self._is_sigmoid = self._network.kind in SIGLIP_TYPES
        self.scale = SIGLIP_SCALE if self._is_sigmoid else CLIP_SCALE

    @torch.no_grad()
    def score(self, image: Image.Image, prompt: str) -> float:
        """CLIP: cosine. SigLIP: probability that they belong together."""
        length = SIGLIP_LENGTH if self._is_sigmoid else CLIP_LENGTH
        inputs = self._network.processor(text=[prompt], images=[image], return_tensors="pt", truncation=True, padding="max_length", max_length=length).to(self._network.model.device)
        found = self._network.model(**inputs)
        if self._is_sigmoid:
            return torch.sigmoid(found.logits_per_image)[0, 0].item()
        return torch.nn.functional.cosine_similarity(found.image_embeds, found.text_embeds).item()
