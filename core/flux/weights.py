"""The transformer's weights on disk, by diffusers' names: a folder of shards, or the single file people have for ComfyUI.

The single file has Black Forest Labs' names (black-forest-labs/flux, model.py), q, k and v in one matrix, and may be fp8 with a scale per tensor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.errors import UserError

INDEX_FILE = "diffusion_pytorch_model.safetensors.index.json"
COMFY_PREFIX = "model.diffusion_model."
COPY_AGAIN = "Copy or download the model again."

_TOP = {
    "x_embedder": "img_in",
    "context_embedder": "txt_in",
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
    "proj_out": "final_layer.linear",
}
DOUBLE = {
    "norm1.linear": "img_mod.lin",
    "norm1_context.linear": "txt_mod.lin",
    "attn.to_q": "img_attn.qkv",
    "attn.to_k": "img_attn.qkv",
    "attn.to_v": "img_attn.qkv",
    "attn.add_q_proj": "txt_attn.qkv",
    "attn.add_k_proj": "txt_attn.qkv",
    "attn.add_v_proj": "txt_attn.qkv",
    "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm",
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "ff.net.0.proj": "img_mlp.0",
    "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2",
}
SINGLE = {
    "norm.linear": "modulation.lin",
    "attn.to_q": "linear1",
    "attn.to_k": "linear1",
    "attn.to_v": "linear1",
    "proj_mlp": "linear1",
    "attn.norm_q": "norm.query_norm",
    "attn.norm_k": "norm.key_norm",
    "proj_out": "linear2",
}
# Which rows of a joint matrix are a module's: the first, second or third of the model's width, then the rest.
PLACE_IN_JOINT = {"to_q": 0, "to_k": 1, "to_v": 2, "add_q_proj": 0, "add_k_proj": 1, "add_v_proj": 2, "proj_mlp": 3}


@dataclass(frozen=True)
class WeightSource:
    """Reads one tensor at a time; files stay memory-mapped. `files` maps a name in the files to the file that holds it."""

    files: Mapping[str, Path]
    single_file: bool
    width: int

    def read(self, name: str) -> Tensor:
        """The parameter of that diffusers name, on the CPU, in the file's dtype. Raises UserError when it is missing."""
        if not self.single_file:
            return self._tensor(name, name)
        module, kind = name.rsplit(".", 1)
        theirs = their_name(module)
        tensor = self._tensor(f"{theirs}.{'scale' if theirs.endswith('_norm') else kind}", name)
        if kind == "weight" and f"{theirs}.scale_weight" in self.files:
            tensor = tensor.float() * self._tensor(f"{theirs}.scale_weight", name).float()
        return _part_of(tensor, module, self.width)

    def surplus(self, wanted: set[str]) -> list[str]:
        """Names in the files that nobody asked for."""
        if not self.single_file:
            return sorted(self.files.keys() - wanted)
        used = set()
        for name in wanted:
            module, kind = name.rsplit(".", 1)
            theirs = their_name(module)
            used |= {f"{theirs}.{kind}", f"{theirs}.scale", f"{theirs}.scale_weight", f"{theirs}.scale_input", f"{theirs}.input_scale"}
        return sorted(name for name in self.files.keys() - used if name != "scaled_fp8")

    def _tensor(self, stored: str, wanted: str) -> Tensor:
        file = self.files.get(stored)
        if file is None:
            raise UserError(f"The model lacks the weight {wanted}.", str(next(iter(self.files.values()), "")), COPY_AGAIN)
        try:
            with safe_open(file, "pt") as opened:
                names = (stored, COMFY_PREFIX + stored)
                return opened.get_tensor(next(name for name in names if name in opened.keys()))  # noqa: SIM118 (not a dict)
        except (OSError, SafetensorError) as error:
            raise UserError(f"The weights cannot be read: {error}", str(file), COPY_AGAIN) from None


def folder_source(folder: Path, width: int) -> WeightSource:
    """A `transformer` folder in diffusers layout, whole or in shards."""
    index = folder / INDEX_FILE
    if index.exists():
        try:
            shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"The index of the shards cannot be read: {error}", str(index), COPY_AGAIN) from None
        return WeightSource({name: folder / Path(shard).name for name, shard in shards.items()}, False, width)
    file = folder / INDEX_FILE.removesuffix(".index.json")
    return WeightSource(dict.fromkeys(_names_in(file), file), False, width)


def file_source(file: Path, width: int) -> WeightSource:
    """One .safetensors file; names may carry ComfyUI's prefix, and other parts of a checkpoint are left alone."""
    names = _names_in(file)
    prefixed = [name.removeprefix(COMFY_PREFIX) for name in names if name.startswith(COMFY_PREFIX)]
    return WeightSource(dict.fromkeys(prefixed or names, file), True, width)


def their_name(module: str) -> str:
    """Black Forest Labs' name of a diffusers module. Raises KeyError for a module they do not have."""
    block = re.match(r"(single_)?transformer_blocks\.(\d+)\.(.+)", module)
    if block is None:
        return _TOP[module]
    single, number, rest = block.groups()
    return f"single_blocks.{number}.{SINGLE[rest]}" if single else f"double_blocks.{number}.{DOUBLE[rest]}"


def _part_of(tensor: Tensor, module: str, width: int) -> Tensor:
    """The rows of a joint matrix that are this module's; scale and shift of the last norm stand the other way round."""
    if module == "norm_out.linear":
        shift, scale = tensor.chunk(2)
        return torch.cat((scale, shift))
    third = PLACE_IN_JOINT.get(module.rsplit(".", 1)[-1])
    if third is None:
        return tensor
    return tensor[third * width :] if third == 3 else tensor[third * width : (third + 1) * width]


def _names_in(file: Path) -> list[str]:
    try:
        with safe_open(file, "pt") as opened:
            return list(opened.keys())
    except FileNotFoundError:
        raise UserError("The weights are not there.", str(file), COPY_AGAIN) from None
    except (OSError, SafetensorError) as error:
        raise UserError(f"The weights cannot be read: {error}", str(file), "Only .safetensors files are loaded. " + COPY_AGAIN) from None
