"""Which base models open and which are refused, at the true size of FLUX.1-dev, and what loading one takes of the machine's memory."""

import json
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import T5EncoderModel

from core.errors import UserError
from core.flux.header import require_whole
from core.flux.lora_check import inspect
from core.flux.lora_file import read_lora_header
from core.flux.model_folder import open_model_folder
from core.flux.models import Hardware, free_memory, load_text_encoders, load_transformer
from core.flux.single_file import COMFY_PREFIX, require_flux_dev_file
from core.flux.weights import file_source, folder_source
from core.settings import POCKET_FLUX
from tests.core.base_models import FLUX_DEV_CONFIG, flux_dev_in_their_names, model_of_holes, shapes_of, write_holes

CPU = torch.device("cpu")
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def copied(tmp_path):
    """A pocket FLUX of one's own, to change."""
    return Path(shutil.copytree(POCKET_FLUX, tmp_path / "flux"))


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def change_json(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_the_real_config_has_the_real_number_of_parameters():
    assert sum(torch.Size(shape).numel() for shape in shapes_of(FLUX_DEV_CONFIG).values()) == 11_901_408_320


def test_a_full_size_folder_of_three_shards_opens_and_has_every_weight(tmp_path):
    model = open_model_folder(model_of_holes(tmp_path / "dev", FLUX_DEV_CONFIG, 3))
    source = folder_source(model.path / "transformer", model.hidden)
    source.require(shapes_of(FLUX_DEV_CONFIG))
    assert (model.hidden, model.double_blocks, model.single_blocks, len(source.stored)) == (3072, 19, 38, len(shapes_of(FLUX_DEV_CONFIG)))


@pytest.mark.parametrize(("dtype", "prefix"), [("BF16", ""), ("F16", COMFY_PREFIX), ("F8_E4M3", "")])
def test_a_full_size_single_file_opens_and_has_every_weight(tmp_path, dtype, prefix):
    folder = model_of_holes(tmp_path / "dev", FLUX_DEV_CONFIG, 1)
    shapes = flux_dev_in_their_names()
    write_holes(folder / "flux1-dev.safetensors", {prefix + name: shape for name, shape in shapes.items()}, dtype)
    model = open_model_folder(folder / "flux1-dev.safetensors")
    file_source(model.transformer_file, model.hidden).require(shapes_of(FLUX_DEV_CONFIG))
    assert len(shapes) == 780 and model.hidden == 3072


def test_a_single_file_takes_its_other_parts_from_the_downloaded_model(tmp_path, monkeypatch):
    commit = "c" * 40
    cached = tmp_path / "hub" / "models--black-forest-labs--FLUX.1-dev"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    shutil.copytree(POCKET_FLUX, cached / "snapshots" / commit)
    (cached / "snapshots" / commit / "transformer" / WEIGHTS).unlink()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    write_holes(tmp_path / "merge.safetensors", flux_dev_in_their_names(), "BF16")
    model = open_model_folder(tmp_path / "merge.safetensors")
    assert model.path == cached / "snapshots" / commit and model.transformer_file == tmp_path / "merge.safetensors"


def test_another_model_of_the_same_shape_has_another_fingerprint(copied):
    before = open_model_folder(copied).fingerprint
    file = copied / "transformer" / WEIGHTS
    save_file({name: tensor * 1.01 for name, tensor in load_file(file).items()}, file)
    assert open_model_folder(copied).fingerprint != before


def test_a_copy_elsewhere_has_the_same_fingerprint(copied):
    assert open_model_folder(copied).fingerprint == open_model_folder(Path(POCKET_FLUX)).fingerprint


@pytest.mark.parametrize(
    ("pipeline", "words"), [("FluxKontextPipeline", "Kontext"), ("FluxFillPipeline", "Fill"), ("FluxControlPipeline", "Depth or Canny"), ("Flux2Pipeline", "another architecture"), ("ChromaPipeline", "ChromaPipeline")]
)
def test_a_folder_made_for_other_work_is_refused_with_the_reason(copied, pipeline, words):
    change_json(copied / "model_index.json", _class_name=pipeline)
    with pytest.raises(UserError, match=words):
        open_model_folder(copied)


def test_a_quantised_folder_is_refused_with_its_format(copied):
    change_json(copied / "transformer" / "config.json", quantization_config={"quant_method": "bitsandbytes"})
    with pytest.raises(UserError, match="bitsandbytes"):
        open_model_folder(copied)


@pytest.mark.parametrize("part", ["text_encoder", "text_encoder_2", "transformer", "vae"])
def test_a_copy_that_broke_off_is_refused_by_its_file(copied, part):
    file = next((copied / part).glob("*.safetensors"))
    with open(file, "r+b") as opened:
        opened.truncate(file.stat().st_size - 1)
    with pytest.raises(UserError, match=f"{file.name} is cut short"):
        open_model_folder(copied)


def test_a_git_lfs_pointer_is_named_as_one(copied):
    (copied / "vae" / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(UserError, match="Git LFS pointer"):
        open_model_folder(copied)


def test_a_missing_shard_is_named(tmp_path):
    folder = model_of_holes(tmp_path / "dev", FLUX_DEV_CONFIG, 3)
    (folder / "transformer" / "diffusion_pytorch_model-00002-of-00003.safetensors").unlink()
    with pytest.raises(UserError, match="00002-of-00003"):
        open_model_folder(folder)


@pytest.mark.parametrize(
    ("changes", "others", "words"),
    [
        ({"img_in.weight": (3072, 384)}, {}, "FLUX.1 Fill"),
        ({"img_in.weight": (3072, 128)}, {}, "Depth or Canny"),
        ({}, {"txt_in.weight": ("U8", (3072, 4096))}, "stored as U8"),
        ({}, {"txt_in.weight": ("F8_E5M2", (3072, 4096))}, "stored as F8_E5M2"),
        ({}, {"txt_in.scale_weight": ("F32", (3072,))}, "parts of a weight"),
        ({"transformer_blocks.0.attn.to_q.weight": (1, 1)}, {}, "diffusers' names"),
        ({"lora_unet_single_blocks_0_linear1.lora_down.weight": (1, 1)}, {}, "is a LoRA"),
    ],
)
def test_a_single_file_of_another_kind_is_refused_with_the_reason(tmp_path, changes, others, words):
    file = tmp_path / "other.safetensors"
    shapes = {name: shape for name, shape in (flux_dev_in_their_names() | changes).items() if name not in others}
    write_holes(file, shapes, "BF16", others)
    with pytest.raises(UserError, match=words):
        open_model_folder(file)


def test_kontext_as_a_single_file_is_refused_by_what_it_says_of_itself(copied):
    save_file({name: torch.zeros(1, 64) for name in ("img_in.weight", "single_blocks.0.linear1.weight", "guidance_in.in_layer.weight")}, copied / "k.safetensors", {"modelspec.architecture": "flux-1-kontext-dev"})
    with pytest.raises(UserError, match="Kontext"):
        open_model_folder(copied / "k.safetensors")


@pytest.mark.parametrize(("name", "words"), [("flux1-dev-Q8_0.gguf", "GGUF"), ("flux1-dev.ckpt", "pickle")])
def test_files_of_other_formats_are_refused_by_their_name(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(UserError, match=words):
        open_model_folder(tmp_path / name)


WEIGHT = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
UNSOUND = {
    "no dtype": {"dtype": None}, "no offsets": {"data_offsets": None}, "one offset": {"data_offsets": [0]}, "offsets in words": {"data_offsets": [0, "x"]}, "before the begin": {"data_offsets": [-5, -1]},
    "a shape in words": {"shape": ["a", 2]}, "a shape of nothing": {"shape": [None, 2]}, "a negative shape": {"shape": [-1, 2]}, "no shape": {"shape": None},
}  # fmt: skip


def write_header(file: Path, header: dict) -> Path:
    raw = json.dumps(header).encode()
    file.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(16))
    return file


@pytest.mark.parametrize("name", ["img_in.weight", "transformer.transformer_blocks.0.attn.to_q.lora_A.weight"])
@pytest.mark.parametrize("entry", UNSOUND.values(), ids=UNSOUND)
def test_a_header_that_breaks_its_format_is_refused_by_every_reader(tmp_path, name, entry):
    file = write_header(tmp_path / "x.safetensors", {name: WEIGHT | entry, "single_blocks.0.x": WEIGHT, "guidance_in.x": WEIGHT} if name == "img_in.weight" else {name: WEIGHT | entry})
    for read in (require_whole, require_flux_dev_file, read_lora_header, inspect):
        with pytest.raises(UserError):
            read(file)


def test_weights_without_dimensions_are_no_model_and_no_lora(tmp_path):
    nothing = WEIGHT | {"shape": []}
    with pytest.raises(UserError, match="no FLUX"):
        require_flux_dev_file(write_header(tmp_path / "x.safetensors", {"img_in.weight": nothing, "single_blocks.0.x": WEIGHT, "guidance_in.x": WEIGHT}))
    with pytest.raises(UserError, match="no FLUX"):
        read_lora_header(write_header(tmp_path / "y.safetensors", {"transformer.transformer_blocks.0.attn.to_q.lora_A.weight": nothing}))


def test_json_that_is_nested_without_end_is_a_damaged_file(copied, tmp_path):
    """Deeper than the interpreter goes, which it answers with an error of its own kind."""
    deep = '{"a":' * 100_000
    lora = write_header(tmp_path / "x.safetensors", {"transformer.transformer_blocks.0.attn.to_q.lora_A.weight": WEIGHT, "__metadata__": {"identity_lora_studio": deep}})
    assert read_lora_header(lora).own == {}
    for place in ("model_index.json", "vae/config.json", "transformer/config.json", f"transformer/{WEIGHTS}.index.json"):
        kept = (copied / place).read_text() if (copied / place).exists() else None
        (copied / place).write_text(deep)
        with pytest.raises(UserError, match="cannot be read"):
            open_model_folder(copied)
        (copied / place).unlink() if kept is None else (copied / place).write_text(kept)


def test_a_hub_id_that_was_not_downloaded_says_how_to_get_it(empty_cache):
    with pytest.raises(UserError, match="no download") as raised:
        open_model_folder(Path("black-forest-labs/FLUX.1-Krea-dev"))
    assert "download_model.py black-forest-labs/FLUX.1-Krea-dev" in raised.value.fix


def test_opening_a_model_imports_no_torch():
    code = f"import sys; from pathlib import Path; from core.flux.model_folder import open_model_folder; open_model_folder(Path('{POCKET_FLUX}')); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120).stdout.strip() == "False"


def test_in_bf16_every_weight_is_rounded_as_diffusers_rounds_it():
    ours = load_transformer(open_model_folder(Path(POCKET_FLUX)), Hardware(CPU, torch.bfloat16)).state_dict()
    theirs = FluxTransformer2DModel.from_pretrained(Path(POCKET_FLUX) / "transformer", torch_dtype=torch.bfloat16).state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_loaded_model_does_not_change_with_its_file(copied):
    transformer = load_transformer(open_model_folder(copied), Hardware(CPU, torch.float32))
    before = transformer.x_embedder.weight.clone()
    file = copied / "transformer" / WEIGHTS
    with open(file, "r+b") as opened:
        opened.seek(8 + int.from_bytes(opened.read(8), "little"))
        opened.write(bytes(file.stat().st_size - opened.tell()))
    assert before.abs().max() > 0 and torch.equal(transformer.x_embedder.weight, before)


@pytest.mark.parametrize("scale_name", ["scale_weight", "weight_scale"])
def test_each_part_of_a_joint_fp8_weight_gets_the_one_scale(tmp_path, scale_name):
    generator = torch.Generator().manual_seed(0)
    stored = torch.randn(6, 4, generator=generator).to(torch.float8_e4m3fn)
    name = "double_blocks.0.img_attn.qkv"
    save_file({f"{name}.weight": stored, f"{name}.{scale_name}": torch.tensor(0.25), f"{name}.input_scale": torch.tensor(9.0)}, tmp_path / "fp8.safetensors")
    source = file_source(tmp_path / "fp8.safetensors", 2)
    parts = [source.read(f"transformer_blocks.0.attn.{part}.weight", CPU, torch.float32) for part in ("to_q", "to_k", "to_v")]
    assert torch.equal(torch.cat(parts), stored.float() * 0.25)


def test_t5_in_shards_loads_whole_and_all_of_it_in_bf16(copied):
    folder = copied / "text_encoder_2"
    whole = T5EncoderModel.from_pretrained(folder, dtype=torch.bfloat16)
    (folder / "model.safetensors").unlink()
    whole.save_pretrained(folder, max_shard_size="200KB")
    t5 = load_text_encoders(open_model_folder(copied), Hardware(CPU, torch.bfloat16), 32).t5
    assert len(list(folder.glob("model-*.safetensors"))) > 1 and {parameter.dtype for parameter in t5.parameters()} == {torch.bfloat16}
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(t5.state_dict().values(), whole.state_dict().values(), strict=True))


def test_the_text_encoders_leave_nothing_behind():
    encoders = load_text_encoders(open_model_folder(Path(POCKET_FLUX)), Hardware(CPU, torch.bfloat16), 32)
    left = [weakref.ref(encoders.t5.shared.weight), weakref.ref(encoders.clip), weakref.ref(encoders.t5)]
    del encoders
    free_memory()
    assert [reference() for reference in left] == [None, None, None]


MEASURE = """
import json, sys
from pathlib import Path
import torch
from core.flux.int8 import quantize_linears
from core.flux.header import require_whole
from core.flux.lora_check import inspect
from core.flux.lora_file import read_lora_header
from core.flux.model_folder import open_model_folder
from core.flux.models import Hardware, load_text_encoders, load_transformer

def status(key):
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith(key))) * 1024

def measured(load):
    before = status("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    model = load()
    return model, status("VmHWM") - before

hardware = Hardware(torch.device("cpu"), torch.bfloat16)
pocket = open_model_folder(Path("presets/pocket-flux"))
load_transformer(pocket, hardware, quantize_linears), load_text_encoders(pocket, hardware, 32)
model = open_model_folder(Path(sys.argv[1]))
quantised, in_8_bits = measured(lambda: load_transformer(model, hardware, quantize_linears))
size = sum(parameter.numel() for parameter in quantised.parameters())
block = max(sum(parameter.numel() for parameter in block.parameters()) for block in [*quantised.transformer_blocks, *quantised.single_transformer_blocks])
final = sum(tensor.numel() * tensor.element_size() for tensor in [*quantised.parameters(), *quantised.buffers()])
del quantised
_, in_bf16 = measured(lambda: load_transformer(model, hardware))
t5, t5_peak = measured(lambda: load_text_encoders(model, hardware, 32).t5)
t5_size = sum(parameter.numel() for parameter in t5.parameters()) * 2
print(json.dumps(dict(parameters=size, block=block * 2, final=final, in_8_bits=in_8_bits, in_bf16=in_bf16, t5=t5_peak, t5_size=t5_size)))
"""


def measure(folder):
    # Every tensor in a mapping of its own: what is resident is then what is alive.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    result = subprocess.run([sys.executable, "-c", MEASURE, str(folder)], env=environment, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """Peaks in bytes of loading a model of 1+12 blocks at width 768 and a T5 of 65 million parameters."""
    config = {**FLUX_DEV_CONFIG, "num_attention_heads": 6, "num_layers": 1, "num_single_layers": 12, "joint_attention_dim": 128, "pooled_projection_dim": 96}
    folder = model_of_holes(tmp_path_factory.mktemp("sized") / "flux", config, 2)
    t5 = folder / "text_encoder_2"
    change_json(t5 / "config.json", d_model=768, d_ff=2048, d_kv=64, num_heads=12, num_layers=8)
    from transformers import T5Config

    with torch.device("meta"):
        shapes = {name: tuple(parameter.shape) for name, parameter in T5EncoderModel(T5Config.from_pretrained(t5)).named_parameters()}
    write_holes(t5 / "model.safetensors", shapes, "BF16", None)
    return measure(folder)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is read from /proc")
class TestHostMemory:
    SLACK = 40 * 2**20

    def test_in_8_bits_the_peak_is_the_final_model_and_one_block(self, memory):
        assert memory["in_8_bits"] <= memory["final"] + memory["block"] + self.SLACK < 2 * memory["parameters"]

    def test_in_bf16_the_peak_is_the_model(self, memory):
        assert memory["in_bf16"] <= 2 * memory["parameters"] + self.SLACK

    def test_t5_is_never_there_twice(self, memory):
        assert memory["t5"] <= memory["t5_size"] + self.SLACK < 1.5 * memory["t5_size"]


@pytest.mark.slow
def test_one_full_width_block_of_each_kind_loads_key_by_key_and_stays_within_memory(tmp_path):
    folder = model_of_holes(tmp_path / "dev", {**FLUX_DEV_CONFIG, "num_layers": 1, "num_single_layers": 1}, 2)
    memory = measure(folder)
    shutil.rmtree(folder)
    assert memory["parameters"] > 5 * 10**8 and memory["in_bf16"] <= 1.1 * 2 * memory["parameters"] and memory["in_8_bits"] <= memory["final"] + memory["block"] + 2**28
