"""Tiny random caption models of the very classes the product loads, with processors and tokenizers made here."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPImageProcessorPil,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
)
from transformers.processing_utils import ProcessorMixin

FLORENCE_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<image>"]
QWEN_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokenizer(specials: list[str]) -> Tokenizer:
    """A token per byte."""
    tokens = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return tokenizer


def save_florence(folder: Path) -> Path:
    tokenizer = byte_tokenizer(FLORENCE_SPECIALS)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>", extra_special_tokens={"image_token": "<image>"})
    image_processor = CLIPImageProcessorPil(size={"height": 64, "width": 64}, crop_size={"height": 64, "width": 64}, do_center_crop=False)
    image_processor.image_seq_length = 5
    config = Florence2Config(
        vision_config={"depths": [1, 1], "patch_size": [7, 3], "patch_stride": [4, 2], "patch_padding": [3, 1], "patch_prenorm": [False, True], "embed_dim": [8, 16], "num_heads": [1, 2], "num_groups": [1, 2], "window_size": 4, "projection_dim": 16, "max_position_embeddings": 8, "max_temporal_embeddings": 4},
        text_config={"model_type": "bart", "vocab_size": len(fast), "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 256, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2},
        image_token_id=4,
    )  # fmt: skip
    torch.manual_seed(1)
    model = Florence2ForConditionalGeneration(config)
    with torch.no_grad():
        seen = model.model.vision_tower(torch.zeros(1, 3, 64, 64)).last_hidden_state
        image_processor.image_seq_length = model.model.multi_modal_projector(seen).shape[1]
    model.save_pretrained(folder)
    Florence2Processor(image_processor=image_processor, tokenizer=fast).save_pretrained(folder)
    return folder


def qwen_processor() -> Qwen3VLProcessor:
    """The real one, but for its video part, which needs torchvision and is never asked for a photo."""

    class NoVideo:
        model_input_names = ()

    fast = PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer(QWEN_SPECIALS), eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=QWEN_SPECIALS[1:])
    checked = ProcessorMixin.check_argument_for_proper_class
    ProcessorMixin.check_argument_for_proper_class = lambda self, name, argument: type(argument)
    try:
        return Qwen3VLProcessor(image_processor=Qwen2VLImageProcessorPil(patch_size=16, merge_size=2, temporal_patch_size=2), tokenizer=fast, video_processor=NoVideo(), chat_template=CHAT)
    finally:
        ProcessorMixin.check_argument_for_proper_class = checked


def tiny_qwen(words: int) -> Qwen3VLForConditionalGeneration:
    config = Qwen3VLConfig(
        text_config={"vocab_size": words, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}},
        vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]},
        image_token_id=3, video_token_id=4, vision_start_token_id=5, vision_end_token_id=6,
    )  # fmt: skip
    torch.manual_seed(1)
    return Qwen3VLForConditionalGeneration(config).eval()
