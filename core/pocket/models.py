"""The parts of the pocket FLUX before training: FLUX.1-dev's own classes and folder layout at a few million parameters."""

from __future__ import annotations

import collections
import re
import string

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

from core.pocket.recipe import Recipe

T5_WIDTH = 128
CLIP_WIDTH = 96
CLIP_TOKENS = 77
LATENT_CHANNELS = 16


def clip_tokenizer(captions: list[str]) -> CLIPTokenizer:
    """Byte-level BPE over the captions: any text has tokens, because every byte has one."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    plain = CLIPTokenizer()
    tokenizer.normalizer = plain._tokenizer.normalizer
    tokenizer.pre_tokenizer = plain._tokenizer.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(captions, trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False))
    merges = _merges_of(tokenizer)
    # The trainer numbers letters at the end of a word in an order that changes from call to call.
    pieces = [*alphabet, *(letter + "</w>" for letter in alphabet), *("".join(pair) for pair in merges), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=CLIP_TOKENS)


def _merges_of(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    import json

    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in merges]


def t5_tokenizer(captions: list[str], length: int) -> T5Tokenizer:
    """Unigram pieces: every word of the captions whole, and single characters for all other text."""
    words = collections.Counter(word for caption in captions for word in re.findall(r"[a-z-]+", caption))
    common = sorted(word for word, count in words.items() if count >= max(20, len(captions) // 2000))
    letters = string.ascii_letters + string.digits + string.punctuation + "".join(chr(code) for code in range(0xC0, 0x180))
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    pieces += [("▁" + word, -2.0) for word in common if len(word) > 1] + [("▁a", -2.0)]
    pieces += [(letter, -6.0) for letter in letters]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=length)


def text_encoders(clip: CLIPTokenizer, t5: T5Tokenizer, seed: int) -> tuple[CLIPTextModel, T5EncoderModel]:
    torch.manual_seed(seed)
    clip_config = CLIPTextConfig(
        vocab_size=len(clip), hidden_size=CLIP_WIDTH, intermediate_size=192, num_hidden_layers=2, num_attention_heads=3, max_position_embeddings=CLIP_TOKENS,
        projection_dim=CLIP_WIDTH, bos_token_id=clip.bos_token_id, eos_token_id=clip.eos_token_id, pad_token_id=clip.pad_token_id,
    )
    t5_config = T5Config(vocab_size=len(t5), d_model=T5_WIDTH, d_kv=32, d_ff=256, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu", dropout_rate=0.0, tie_word_embeddings=False)
    return CLIPTextModel(clip_config), T5EncoderModel(t5_config)


def autoencoder(recipe: Recipe) -> AutoencoderKL:
    torch.manual_seed(recipe.seed)
    vae = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=LATENT_CHANNELS, block_out_channels=recipe.vae_channels, layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, sample_size=recipe.image_size,
        use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=False, scaling_factor=1.0, shift_factor=0.0,
    )
    return vae.to(memory_format=torch.channels_last)


def transformer(recipe: Recipe) -> FluxTransformer2DModel:
    torch.manual_seed(recipe.seed + 1)
    return FluxTransformer2DModel(
        in_channels=4 * LATENT_CHANNELS, num_layers=recipe.double_blocks, num_single_layers=recipe.single_blocks,
        attention_head_dim=recipe.hidden // recipe.heads, num_attention_heads=recipe.heads, joint_attention_dim=T5_WIDTH,
        pooled_projection_dim=CLIP_WIDTH, guidance_embeds=True, axes_dims_rope=recipe.rope_axes,
    )


def scheduler() -> FlowMatchEulerDiscreteScheduler:
    """The values of FLUX.1-dev's scheduler_config.json."""
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096)
