"""Caption models through transformers, from safetensors and without code of their own: pictures in, their answers out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoProcessor, Florence2ForConditionalGeneration, PreTrainedModel, Qwen3VLForConditionalGeneration

from core.captioning.model_place import CaptionModelFolder, Kind
from core.captioning.phrases import FLORENCE_TASK, MOST_NEW_TOKENS, prompt_for
from core.dataset.imaging import open_reduced
from core.errors import UserError
from core.flux.models import Hardware, free_memory

MODEL_CLASSES: dict[Kind, type[PreTrainedModel]] = {"qwen3_vl": Qwen3VLForConditionalGeneration, "florence2": Florence2ForConditionalGeneration}
# Pixels of the longer side that a model is shown: more costs time and memory and tells no more for one phrase.
SHOWN_SIDE = 768
# Pictures per forward on a GPU: there is little to gain beyond, and a stop waits for them. On a CPU there is nothing to gain.
AT_ONCE_ON_A_GPU = 4
# What Florence-2's own examples use.
FLORENCE_BEAMS = 3

Prepare = Callable[[Sequence[Image.Image]], Mapping[str, torch.Tensor]]
Decode = Callable[[torch.Tensor], list[str]]


@dataclass(frozen=True)
class VisionModel:
    """`prepare` makes the model's inputs of pictures (the prompt with them), `decode` turns rows of tokens into text."""

    model: PreTrainedModel
    prepare: Prepare
    decode: Decode
    hardware: Hardware

    @property
    def at_once(self) -> int:
        return AT_ONCE_ON_A_GPU if self.hardware.device.type == "cuda" else 1


def load_vision_model(folder: CaptionModelFolder, class_word: str, hardware: Hardware) -> VisionModel:
    """Straight onto the device. Raises UserError for a folder whose parts do not belong together."""
    try:
        processor = AutoProcessor.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)
        model, loading = MODEL_CLASSES[folder.kind].from_pretrained(folder.path, dtype=hardware.dtype, device_map={"": hardware.device}, use_safetensors=True, local_files_only=True, trust_remote_code=False, output_loading_info=True)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise UserError(f"The caption model cannot be loaded: {error}", str(folder.path), "Download it again, or choose another captioner.") from None
    if loading["missing_keys"]:
        raise UserError(f"The caption model lacks {len(loading['missing_keys'])} weights, such as {min(loading['missing_keys'])}.", str(folder.path), "Download it again; a repository made for remote code does not fit.")
    prepare = _prepare_chat(processor, prompt_for(class_word)) if folder.kind == "qwen3_vl" else _prepare_task(processor)
    return VisionModel(model.eval().requires_grad_(False), prepare, lambda tokens: processor.batch_decode(tokens, skip_special_tokens=True), hardware)


def open_shown(file: Path) -> Image.Image:
    """A photo at the size a model is shown it. Raises UserError for one that cannot be read."""
    return open_reduced(file, SHOWN_SIDE)[0]


@torch.no_grad()
def answers(vision: VisionModel, images: Sequence[Image.Image]) -> list[str]:
    """One answer per picture, the likeliest words, so that the same picture has the same answer. Out of memory halves the pictures per forward."""
    ran_out = False
    try:
        return _generate(vision, images)
    except torch.OutOfMemoryError:
        if len(images) == 1:
            raise
        ran_out = True
    assert ran_out  # outside the except block, whose traceback holds the tensors
    free_memory()
    half = len(images) // 2
    return [*answers(vision, images[:half]), *answers(vision, images[half:])]


def _generate(vision: VisionModel, images: Sequence[Image.Image]) -> list[str]:
    inputs = {name: _placed(value, vision.hardware) for name, value in vision.prepare(images).items()}
    beams = FLORENCE_BEAMS if vision.model.config.is_encoder_decoder else 1
    tokens = vision.model.generate(**inputs, max_new_tokens=MOST_NEW_TOKENS, do_sample=False, num_beams=beams)
    begin = 0 if vision.model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    return vision.decode(tokens[:, begin:])


def _placed(value: torch.Tensor, hardware: Hardware) -> torch.Tensor:
    """Pixels in the model's precision; ids and masks are whole numbers."""
    return value.to(hardware.device, hardware.dtype) if value.is_floating_point() else value.to(hardware.device)


def _prepare_task(processor) -> Prepare:
    """Florence-2 knows its task by a word; the pictures get the size it was trained on."""
    return lambda images: processor(images=list(images), text=[FLORENCE_TASK] * len(images), return_tensors="pt")


def _prepare_chat(processor, prompt: str) -> Prepare:
    """Prompts of pictures of different sizes differ in length; they are filled up on the left, where generation does not go on."""
    processor.tokenizer.padding_side = "left"

    def prepare(images: Sequence[Image.Image]) -> Mapping[str, torch.Tensor]:
        chats = [[{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}]}] for image in images]
        return processor.apply_chat_template(chats, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt", processor_kwargs={"padding": True})

    return prepare
