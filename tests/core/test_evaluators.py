"""Networks of one's own: tiny random models of the real classes load from folders and measure; what is missing or of another kind is said."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    BitImageProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
    T5Tokenizer,
)

from core.errors import UserError
from core.evaluation.grid import GridRequest
from core.evaluation.image_vectors import DinoVectors
from core.evaluation.open_readers import open_readers
from core.evaluation.text_image import CLIP_SCALE, SIGLIP_SCALE, TextImage
from core.identity.faces import FACE_WEIGHTS
from core.identity.onnx_faces import LICENCE_NOTICE, OnnxFaces
from core.identity.photo_faces import PhotoFaces, upright_crop
from core.settings import POCKET_FLUX

PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 255, (48, 40, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(f"{POCKET_FLUX}/tokenizer")
    text = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}), tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("siglip")
    torch.manual_seed(0)
    tokenizer = T5Tokenizer.from_pretrained(f"{POCKET_FLUX}/tokenizer_2")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    SiglipModel(SiglipConfig(text_config={**sizes, "vocab_size": len(tokenizer), "projection_size": 32}, vision_config={**sizes, "image_size": 32, "patch_size": 16})).save_pretrained(folder)
    SiglipProcessor(SiglipImageProcessor(size={"height": 32, "width": 32}), tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dino")
    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16)).save_pretrained(folder)
    BitImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_clip_gives_the_cosine_of_its_own_features(clip):
    judge = TextImage(clip)
    model, processor = CLIPModel.from_pretrained(clip), CLIPProcessor.from_pretrained(clip, backend="pil")
    found = model(**processor(text=["a red shirt"], images=[PICTURE], return_tensors="pt", padding="max_length", max_length=77))
    expected = (found.logits_per_image / model.logit_scale.exp()).item()
    assert judge.score(PICTURE, "a red shirt") == pytest.approx(expected, abs=1e-5) and judge.scale == CLIP_SCALE


def test_siglip_gives_the_probability_of_its_own_logit(siglip):
    judge = TextImage(siglip)
    model, processor = SiglipModel.from_pretrained(siglip), SiglipProcessor.from_pretrained(siglip, backend="pil")
    found = model(**processor(text=["a red shirt"], images=[PICTURE], return_tensors="pt", padding="max_length", max_length=64))
    image, text = (torch.nn.functional.normalize(part) for part in (found.image_embeds, found.text_embeds))
    expected = 1 / (1 + np.exp(-((image @ text.T).item() * np.exp(model.logit_scale.item()) + model.logit_bias.item())))
    assert judge.score(PICTURE, "a red shirt") == pytest.approx(expected, abs=1e-5) and judge.scale == SIGLIP_SCALE


def test_dino_gives_unit_vectors_that_tell_pictures_apart(dino):
    vectors = DinoVectors(dino)
    one, other = vectors.vector(PICTURE), vectors.vector(Image.new("RGB", (40, 40), (200, 30, 30)))
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5) and one @ vectors.vector(PICTURE) == pytest.approx(1, abs=1e-5) and one @ other < 0.999


@pytest.mark.parametrize("opener", [TextImage, DinoVectors])
def test_a_folder_that_is_no_such_model_is_refused_with_the_reason(opener, tmp_path, clip, dino):
    with pytest.raises(UserError, match="cannot be loaded"):
        opener(tmp_path)
    with pytest.raises(UserError, match="This is a"):
        opener(dino if opener is TextImage else clip)


@pytest.mark.parametrize("opener", [TextImage, DinoVectors])
def test_code_that_lies_beside_a_model_is_never_run_whatever_is_answered(opener, tmp_path, monkeypatch):
    """transformers asks in the terminal whether to run it."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "of-my-own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Model"}}))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nfrom transformers import PretrainedConfig\nclass Own(PretrainedConfig):\n    model_type = 'dinov2'\n")
    asked = []
    monkeypatch.setattr("builtins.input", lambda *_: asked.append(1) or "y")
    with pytest.raises(UserError):
        opener(tmp_path)
    assert not asked and not (tmp_path / "ran").exists()


def test_a_face_network_that_is_missing_or_cannot_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="not there"):
        OnnxFaces(PhotoFaces(FACE_WEIGHTS), tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(UserError, match=r"onnxruntime is not installed|cannot be loaded"):
        OnnxFaces(PhotoFaces(FACE_WEIGHTS), tmp_path / "broken.onnx")


def test_an_onnx_network_sees_the_aligned_face_in_its_range(tmp_path):
    """A network that returns its own input, squeezed to the mean of each quarter: the numbers are those of the aligned crop."""
    pytest.importorskip("onnxruntime", reason="optional: pip install onnxruntime")
    onnx = pytest.importorskip("onnx", reason="only to make the tiny network: pip install onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [helper.make_node("AveragePool", ["x"], ["small"], kernel_shape=[56, 56], strides=[56, 56]), helper.make_node("Flatten", ["small"], ["y"])]
    graph = helper.make_graph(nodes, "tiny", [helper.make_tensor_value_info("x", kinds.FLOAT, [1, 3, 112, 112])], [helper.make_tensor_value_info("y", kinds.FLOAT, [1, 12])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "tiny.onnx")
    photo = Image.open("tests/photos/obama.jpg").convert("RGB")
    faces = OnnxFaces(PhotoFaces(FACE_WEIGHTS), tmp_path / "tiny.onnx")
    face = faces.find(photo)[0]
    crop = (upright_crop(photo, face).astype(float) - 127.5) / 127.5
    quarters = crop.reshape(2, 56, 2, 56, 3).mean(axis=(1, 3)).transpose(2, 0, 1).flatten()
    request = GridRequest(lora="a.safetensors", model_path="none", prompts=("a",), face_model=str(tmp_path / "tiny.onnx"))
    readers = open_readers(request, [photo], tmp_path)
    assert readers.notes == (LICENCE_NOTICE,) and "tiny.onnx" in readers.names[0]
    assert open_readers(request.model_copy(update={"face_model": ""}), [photo], tmp_path).notes == ()
    assert np.allclose(faces.embed(photo, face), quarters / np.linalg.norm(quarters), atol=1e-4)
