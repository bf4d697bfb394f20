"""Loads the parts of a FLUX.1-dev one at a time, so that never two giants are in memory together."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from diffusers import FluxTransformer2DModel
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

from core.errors import UserError
from core.flux.model_folder import ModelFolder
from core.flux.weights import WeightSource, file_source, folder_source

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


@dataclass(frozen=True)
class Hardware:
    """Where tensors live and the precision of the frozen base; LoRA weights are float32 everywhere."""

    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True)
class TextEncoders:
    """Both tokenizers and encoders; `length` is what captions are padded to for T5."""

    clip_tokenizer: CLIPTokenizer
    clip: CLIPTextModel
    t5_tokenizer: T5Tokenizer
    t5: T5EncoderModel
    length: int


def choose_hardware(precision: str) -> Hardware:
    """auto: bf16 on a GPU that has it, else float32. Raises UserError for bf16 on a GPU without it."""
    if not torch.cuda.is_available():
        return Hardware(torch.device("cpu"), torch.bfloat16 if precision == "bf16" else torch.float32)
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and not has_bf16:
        raise UserError(f"{torch.cuda.get_device_name()} has no bf16.", "model.precision", "Use fp32, or rent a GPU of the Ampere generation or newer.")
    return Hardware(torch.device("cuda"), torch.bfloat16 if precision != "fp32" and has_bf16 else torch.float32)


def load_text_encoders(folder: ModelFolder, hardware: Hardware, text_length: int) -> TextEncoders:
    """Straight onto the device, tensor by tensor: T5-XXL is 9.5 GB in bf16, and a second copy of it in host memory would double that."""
    place = {"": hardware.device}
    clip_tokenizer = CLIPTokenizer.from_pretrained(folder.path / "tokenizer", local_files_only=True)
    t5_tokenizer = T5Tokenizer.from_pretrained(folder.path / "tokenizer_2", local_files_only=True)
    clip = CLIPTextModel.from_pretrained(folder.path / "text_encoder", dtype=hardware.dtype, device_map=place, use_safetensors=True, local_files_only=True)
    t5 = T5EncoderModel.from_pretrained(folder.path / "text_encoder_2", dtype=hardware.dtype, device_map=place, use_safetensors=True, local_files_only=True)
    length = min(text_length, t5_tokenizer.model_max_length)
    return TextEncoders(clip_tokenizer, _frozen(clip, hardware), t5_tokenizer, _frozen(t5, hardware), length)


def load_clip(folder: ModelFolder, hardware: Hardware) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """CLIP alone, in float32: small enough, and trained so."""
    tokenizer = CLIPTokenizer.from_pretrained(folder.path / "tokenizer", local_files_only=True)
    clip = CLIPTextModel.from_pretrained(folder.path / "text_encoder", dtype=torch.float32, use_safetensors=True, local_files_only=True)
    return tokenizer, _frozen(clip, hardware)


def load_vae(folder: ModelFolder, hardware: Hardware) -> AutoencoderKL:
    """In float32: latents are encoded once, and rounding there would stay in every step."""
    from diffusers import AutoencoderKL  # loads other libraries' code for a while, and a run whose photos are in the cache begins without it

    vae = AutoencoderKL.from_pretrained(folder.path / "vae", torch_dtype=torch.float32, use_safetensors=True, local_files_only=True)
    return _frozen(vae, hardware)


def empty_transformer(folder: ModelFolder) -> FluxTransformer2DModel:
    """Its layers on the meta device: sizes without weights."""
    config = FluxTransformer2DModel.load_config(folder.path / "transformer", local_files_only=True)
    with torch.device("meta"):
        return FluxTransformer2DModel.from_config(config)


def load_transformer(folder: ModelFolder, hardware: Hardware, finish_block: Callable[[nn.Module], None] = lambda block: None) -> FluxTransformer2DModel:
    """Block by block onto the device in its final precision: the peak is the finished model and one block.

    `finish_block` is called with each block as soon as its weights are there (to turn it into 8 bits). Raises UserError
    that names the weights that are missing, misshapen or unknown, before any is read.
    """
    transformer = empty_transformer(folder)
    source = file_source(folder.transformer_file, folder.hidden) if folder.transformer_file else folder_source(folder.path / "transformer", folder.hidden)
    source.require({name: tuple(parameter.shape) for name, parameter in transformer.named_parameters()})
    blocks = {f"{kind}.{number}": block for kind in ("transformer_blocks", "single_transformer_blocks") for number, block in enumerate(getattr(transformer, kind))}
    for prefix, block in blocks.items():
        _fill(block, prefix, source, hardware)
        finish_block(block.requires_grad_(False))
    for prefix, module in transformer.named_children():
        if prefix not in ("transformer_blocks", "single_transformer_blocks"):
            _fill(module, prefix, source, hardware)
    return _frozen(transformer, hardware)


def _fill(module: nn.Module, prefix: str, source: WeightSource, hardware: Hardware) -> None:
    """Give a module on the meta device its weights."""
    for name, _ in list(module.named_parameters()):
        parent, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(parent), leaf, nn.Parameter(source.read(f"{prefix}.{name}", hardware.device, hardware.dtype), requires_grad=False))


def free_memory() -> None:
    """Call after the last reference to a model is gone."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def memory_gib(hardware: Hardware) -> float:
    """Peak memory so far: of the GPU where there is one, else of this process."""
    if hardware.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    import psutil

    return psutil.Process().memory_info().rss / 2**30


def quiet_libraries() -> None:
    """Progress bars and notes of diffusers and transformers would fill the run's log."""
    import diffusers.utils.logging
    import transformers.utils.logging

    for logging in (diffusers.utils.logging, transformers.utils.logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def _frozen(model: torch.nn.Module, hardware: Hardware):
    return model.to(hardware.device).eval().requires_grad_(False)
