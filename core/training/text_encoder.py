"""CLIP with a LoRA: trained beside the transformer, then frozen into one pooled embedding per text. T5 is never trained.

Shapes: B texts, D width of the pooled embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from core.flux.encode import clip_ids
from core.flux.lora import add_dropout, add_encoder_lora, lora_weights, set_lora_weights
from core.flux.model_folder import ModelFolder
from core.flux.models import Hardware, load_clip
from core.settings import Settings

# CLIP gives FLUX one vector per prompt: more rank than this has nothing to say there.
HIGHEST_RANK = 16
# Names of its LoRA weights begin with this, those of the transformer's never do.
NAME_PREFIX = "encoder."


@dataclass
class TextEncoder:
    """CLIP-L in float32 with its LoRA and an AdamW of its own."""

    tokenizer: CLIPTokenizer
    clip: CLIPTextModel
    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer

    def pooled(self, texts: list[str]) -> Tensor:
        """(B, D) float32 on CLIP's device, with gradient to the LoRA where gradients are on."""
        return self.clip(clip_ids(self.tokenizer, texts).to(self.clip.device)).pooler_output

    @torch.no_grad()
    def pooled_by_text(self, texts: list[str]) -> dict[str, Tensor]:
        """(1, D) on the CPU for each text, without dropout."""
        self.clip.eval()
        return {text: self.pooled([text]).cpu() for text in texts}

    def weights(self) -> dict[str, Tensor]:
        return lora_weights(self.clip)

    def set_weights(self, weights: dict[str, Tensor]) -> None:
        """Raises ValueError when names or shapes differ."""
        set_lora_weights(self.clip, weights)


def build_text_encoder(model: ModelFolder, hardware: Hardware, settings: Settings) -> TextEncoder:
    """CLIP with a LoRA that changes nothing yet; rank at most 16, at the scale (alpha / rank) of the transformer's."""
    tokenizer, clip = load_clip(model, hardware)
    rank = encoder_rank(settings)
    parameters = add_encoder_lora(clip, rank, rank * settings.lora.alpha / settings.lora.rank, settings.train.seed)
    if settings.lora.dropout:
        add_dropout(clip, settings.lora.dropout)
    optimizer = torch.optim.AdamW(parameters, settings.optimizer.learning_rate, weight_decay=settings.optimizer.weight_decay)
    return TextEncoder(tokenizer, clip, parameters, optimizer)


def encoder_rank(settings: Settings) -> int:
    return min(settings.lora.rank, HIGHEST_RANK)
