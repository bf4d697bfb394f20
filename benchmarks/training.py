"""What benchmarks train: FLUX.1-dev's architecture with random weights at full or toy size, and the trainer's own parts around it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from core.flux.encode import LatentMoments, PromptEmbeds
from core.flux.forward import checkpoint_blocks
from core.flux.int8 import quantize_linears
from core.flux.lora import add_lora, keep_gelu
from core.flux.models import Hardware
from core.flux.modulation import move_modulation_to_host
from core.runs import RunStore
from core.settings import POCKET_FLUX, parse_settings
from core.training.layout import new_optimizer
from core.training.memory import MemoryPlan, ModelShape
from core.training.prepare import Material, Photo
from core.training.state import TrainState
from core.training.step import Parts
from core.training.world import World

ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Size:
    """Sizes of all parts of a FLUX.1-dev; `text` is the length of a caption in T5 tokens."""

    transformer: dict[str, object]
    clip: dict[str, int]
    t5: dict[str, int]
    vae: dict[str, object]
    text: int
    image: int


FULL = Size(
    {"num_layers": 19, "num_single_layers": 38, "attention_head_dim": 128, "num_attention_heads": 24, "joint_attention_dim": 4096, "pooled_projection_dim": 768, "axes_dims_rope": (16, 56, 56)},
    {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}, {"d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64},
    {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "norm_num_groups": 32}, 512, 1024,
)  # fmt: skip
TOY = Size(
    {"num_layers": 2, "num_single_layers": 2, "attention_head_dim": 32, "num_attention_heads": 4, "joint_attention_dim": 64, "pooled_projection_dim": 48, "axes_dims_rope": (8, 12, 12)},
    {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 2}, {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 1, "num_heads": 4},
    {"block_out_channels": (8, 8, 8, 8), "layers_per_block": 1, "norm_num_groups": 8}, 32, 128,
)  # fmt: skip


def size_here() -> Size:
    """Full where there is a GPU."""
    return FULL if torch.cuda.is_available() else TOY


def hardware_here() -> Hardware:
    on_gpu = torch.cuda.is_available()
    return Hardware(torch.device("cuda" if on_gpu else "cpu"), torch.bfloat16 if on_gpu or torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32)


@contextlib.contextmanager
def made_on(hardware: Hardware) -> Iterator[None]:
    """Inside, models are made on the device in its own precision, never twice in memory."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(hardware.dtype)
    try:
        with hardware.device:
            yield
    finally:
        torch.set_default_dtype(before)


def random_transformer(size: Size, hardware: Hardware, seed: int = 1) -> FluxTransformer2DModel:
    torch.manual_seed(seed)
    with made_on(hardware):
        return FluxTransformer2DModel(in_channels=64, guidance_embeds=True, **size.transformer).requires_grad_(False)


def random_encoders(size: Size, hardware: Hardware) -> tuple[CLIPTextModel, T5EncoderModel]:
    """CLIP-L and T5-XXL for the pocket FLUX's tokenizers."""
    config = json.loads((ROOT / POCKET_FLUX / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    tokens = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id", "vocab_size")}
    with made_on(hardware):
        clip = CLIPTextModel(CLIPTextConfig(**size.clip, **tokens, projection_dim=size.clip["hidden_size"]))
        t5 = T5EncoderModel(T5Config(**size.t5, vocab_size=32128, feed_forward_proj="gated-gelu", tie_word_embeddings=False))
    return clip.eval().requires_grad_(False), t5.eval().requires_grad_(False)


def model_shape(transformer: FluxTransformer2DModel) -> ModelShape:
    config = transformer.config
    shape = ModelShape(config.num_layers, config.num_single_layers, config.num_attention_heads * config.attention_head_dim, config.num_attention_heads, 0)
    return dataclasses.replace(shape, other_parameters=sum(parameter.numel() for parameter in transformer.parameters()) - shape.linear_parameters)


def lay_out(transformer: FluxTransformer2DModel, plan: MemoryPlan, int8_products: bool = False) -> None:
    """Before a LoRA is attached."""
    for block in [*transformer.transformer_blocks, *transformer.single_transformer_blocks]:
        if plan.modulation_on_host:
            move_modulation_to_host(block)
        if plan.int8_base:
            quantize_linears(block, int8_products)


def training_of(transformer: FluxTransformer2DModel, plan: MemoryPlan, hardware: Hardware, rank: int, side: int, text: int, accumulation: int) -> tuple[TrainState, Parts]:
    """The trainer's state and parts for random pictures of `side` pixels, encoders already cached."""
    with tempfile.TemporaryDirectory() as folder:
        settings = parse_settings({"run.output": folder, "run.name": "bench", "lora.rank": rank, "lora.alpha": rank, "lora.dropout": 0.0, "train.gradient_accumulation_steps": accumulation})
        run = RunStore(Path(folder)).create(settings)
    parameters = add_lora(transformer, rank, rank, "attn-mlp", seed=0)
    checkpoint_blocks(transformer, plan.checkpointed)
    keep_gelu(transformer, plan.keeps_gelu)
    generator = torch.Generator().manual_seed(2)
    latents = torch.randn(1, 16, side // 8, side // 8, generator=generator)
    photos = tuple(Photo(str(i), "one", LatentMoments(latents.roll(i, 3), torch.zeros_like(latents)), "caption") for i in range(8))
    config = transformer.config
    embeds = {"caption": PromptEmbeds(torch.randn(1, text, config.joint_attention_dim, generator=generator), torch.randn(1, config.pooled_projection_dim, generator=generator))}
    return TrainState(transformer, parameters, new_optimizer(parameters, settings), plan), Parts(run, None, hardware, Material(photos, (), (), embeds), World())


def write_model_folder(folder: Path, size: Size, hardware: Hardware) -> Path:
    """A model folder in diffusers layout with random weights; tokenizers and scheduler are the pocket FLUX's. Does nothing when it is there."""
    if (folder / "model_index.json").exists():
        return folder
    pocket = ROOT / POCKET_FLUX
    for part in ("scheduler", "tokenizer", "tokenizer_2"):
        shutil.copytree(pocket / part, folder / part, dirs_exist_ok=True)
    tokenizer = folder / "tokenizer_2" / "tokenizer_config.json"
    tokenizer.write_text(json.dumps(json.loads(tokenizer.read_text()) | {"model_max_length": size.text}))
    for part, encoder in zip(("text_encoder", "text_encoder_2"), random_encoders(size, hardware), strict=True):
        encoder.save_pretrained(folder / part)
    del encoder
    vae = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=16, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, sample_size=size.image,
        use_quant_conv=False, use_post_quant_conv=False, scaling_factor=0.3611, shift_factor=0.1159, **size.vae,
    )  # fmt: skip
    vae.save_pretrained(folder / "vae")
    random_transformer(size, hardware).save_pretrained(folder / "transformer", max_shard_size="5GB")
    shutil.copy(pocket / "model_index.json", folder / "model_index.json")
    return folder
