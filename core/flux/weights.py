"""The transformer's weights on disk, by diffusers' names: a folder of shards, or the single file people have for ComfyUI.

The single file has Black Forest Labs' names (black-forest-labs/flux, model.py), q, k and v in one matrix, and may be fp8 with a scale per tensor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.errors import UserError
from core.flux.header import COPY_AGAIN, read_safetensors_header, weight_files
from core.flux.single_file import CHOOSE_DEV, COMFY_PREFIX, DTYPES, MARKER, UNREAD, USE_ANOTHER, WEIGHT_SCALES, transformer_entries

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
class Stored:
    """A tensor as it lies on disk; `name` is its name in `file`."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class WeightSource:
    """Weights on disk by the names of their layout; read one at a time, so that no file stays in memory. `width` is the model's."""

    place: Path
    stored: Mapping[str, Stored]
    single_file: bool
    width: int

    def require(self, wanted: Mapping[str, tuple[int, ...]]) -> None:
        """Raises UserError naming weights that are missing, surplus, misshapen or stored in a way that is not read, given diffusers names and shapes."""
        expected: dict[str, list[int]] = {}
        for name, shape in wanted.items():
            sides = expected.setdefault(self._stored_name(name), [0, *shape[1:]])
            sides[0] += shape[0]
        extras = {f"{name.rpartition('.')[0]}.{kind}" for name in expected for kind in (*WEIGHT_SCALES, *UNREAD)} | {MARKER} if self.single_file else set()
        _refuse("The model lacks the weight {}.", (name for name in expected if name not in self.stored), self.place, COPY_AGAIN)
        _refuse("FLUX.1-dev has no weight {}.", sorted(self.stored.keys() - expected.keys() - extras), self.place, CHOOSE_DEV)
        shapes = {name: (self.stored[name].shape, tuple(sides)) for name, sides in expected.items()}
        _refuse("The weight {}.", (f"{name} has shape {found} instead of {sides}" for name, (found, sides) in shapes.items() if found != sides), self.place, CHOOSE_DEV)
        _refuse("The weight {}, which is not read here.", (f"{name} is stored as {self.stored[name].dtype}" for name in expected if self.stored[name].dtype not in DTYPES), self.place, USE_ANOTHER)

    def read(self, name: str, device: torch.device, dtype: torch.dtype) -> Tensor:
        """The parameter of that diffusers name in memory of its own. Raises UserError when the file cannot be read."""
        stored = self.stored[self._stored_name(name)]
        rows = _rows_of(name.rpartition(".")[0], self.width) if self.single_file else (slice(None),)
        try:
            with safe_open(stored.file, "pt") as opened:
                pieces = [opened.get_slice(stored.name)[piece] for piece in rows]
                scale = self._scale_of(stored, opened)
        except (OSError, SafetensorError) as error:
            raise UserError(f"The weights cannot be read: {error}", str(stored.file), COPY_AGAIN) from None
        on_disk = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        moved = on_disk.to(device)
        tensor = (moved if scale is None else moved.float() * scale.to(device).float()).to(dtype)
        return tensor.clone() if tensor.data_ptr() == pieces[0].data_ptr() else tensor

    def _stored_name(self, name: str) -> str:
        if not self.single_file:
            return name
        module, kind = name.rsplit(".", 1)
        theirs = their_name(module)
        return f"{theirs}.{'scale' if theirs.endswith('_norm') else kind}"

    def _scale_of(self, stored: Stored, opened: safe_open) -> Tensor | None:
        """What an fp8 weight was divided by, or None."""
        stem, _, kind = stored.name.rpartition(".")
        names = [f"{stem}.{scale}" for scale in WEIGHT_SCALES if kind == "weight" and f"{stem}.{scale}".removeprefix(COMFY_PREFIX) in self.stored]
        return opened.get_tensor(names[0]) if self.single_file and names else None


def folder_source(folder: Path, width: int) -> WeightSource:
    """A `transformer` folder in diffusers layout, whole or in shards."""
    stored = {name: Stored(file, name, tuple(entry["shape"]), entry["dtype"]) for file in weight_files(folder) for name, entry in read_safetensors_header(file)[0].items()}
    return WeightSource(folder, stored, False, width)


def file_source(file: Path, width: int) -> WeightSource:
    """One .safetensors file in Black Forest Labs' names; names may carry ComfyUI's prefix, and other parts of a checkpoint are left alone."""
    header, _ = read_safetensors_header(file)
    entries = transformer_entries(header)
    prefix = "" if entries.keys() <= header.keys() else COMFY_PREFIX
    return WeightSource(file, {name: Stored(file, prefix + name, tuple(entry["shape"]), entry["dtype"]) for name, entry in entries.items()}, True, width)


def their_name(module: str) -> str:
    """Black Forest Labs' name of a diffusers module. Raises KeyError for a module they do not have."""
    block = re.match(r"(single_)?transformer_blocks\.(\d+)\.(.+)", module)
    if block is None:
        return _TOP[module]
    single, number, rest = block.groups()
    return f"single_blocks.{number}.{SINGLE[rest]}" if single else f"double_blocks.{number}.{DOUBLE[rest]}"


def _rows_of(module: str, width: int) -> tuple[slice, ...]:
    """The rows of the stored matrix that are this module's, in its order: scale and shift of the last norm stand the other way round."""
    if module == "norm_out.linear":
        return slice(width, None), slice(0, width)
    third = PLACE_IN_JOINT.get(module.rpartition(".")[2])
    if third is None:
        return (slice(None),)
    return (slice(third * width, None if third == 3 else (third + 1) * width),)


def _refuse(sentence: str, problems: Iterable[str], place: Path, fix: str) -> None:
    found = list(problems)
    if found:
        more = f" {len(found) - 1} more like it." if len(found) > 1 else ""
        raise UserError(sentence.format(found[0]) + more, str(place), fix)
