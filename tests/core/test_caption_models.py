"""Caption models: found, refused, loaded, asked and gone again, on tiny random ones of the real classes; no weights are fetched."""

import gc
import json
import shutil
import weakref

import pytest
import torch
from huggingface_hub import constants
from PIL import Image

import core.captioning.by_model as by_model
import core.captioning.vision as vision_module
from core.caption_tasks import download_caption_model, is_here, public_hub
from core.captioning.model_place import is_caption_model, open_caption_model
from core.captioning.request import CAPTION_MODELS, CaptionModel, CaptionRequest
from core.captioning.vision import VisionModel, answers, load_vision_model, open_shown
from core.dataset.folder import Sample
from core.errors import Refused, UserError
from core.events import RunFinished
from core.flux.download import Hub
from core.flux.models import Hardware
from core.runs import RunStore
from tests.core.caption_models import qwen_processor, save_florence, tiny_qwen
from tests.core.hub import HUB_ID, SmallHub, serving

CPU = Hardware(torch.device("cpu"), torch.float32)
PICTURES = [Image.effect_noise((64, 64), 90).convert("RGB"), Image.linear_gradient("L").convert("RGB").resize((128, 64))]


@pytest.fixture(scope="module")
def florence(tmp_path_factory):
    return save_florence(tmp_path_factory.mktemp("models") / "florence")


@pytest.fixture(autouse=True)
def few_words(monkeypatch):
    monkeypatch.setattr(vision_module, "MOST_NEW_TOKENS", 6)


def test_florence_answers_each_picture_by_itself_as_together(florence):
    vision = load_vision_model(open_caption_model(str(florence)), "man", CPU)
    assert type(vision.model).__name__ == "Florence2ForConditionalGeneration" and vision.at_once == 1
    inputs = vision.prepare(PICTURES)
    asked = vision.decode(inputs["input_ids"])
    assert all("What does the image describe?" in text for text in asked) and inputs["pixel_values"].shape[0] == 2
    together = answers(vision, PICTURES)
    assert len(together) == 2 and together == [answers(vision, [picture])[0] for picture in PICTURES] and all(isinstance(text, str) for text in together)


def test_qwen_answers_pictures_of_several_sizes_together_as_alone():
    """The real processor and chat template but for the video part, which torchvision would bring."""
    processor = qwen_processor()
    vision = VisionModel(tiny_qwen(len(processor.tokenizer)), vision_module._prepare_chat(processor, "Describe the man."), lambda tokens: processor.batch_decode(tokens, skip_special_tokens=True), CPU)
    inputs = vision.prepare(PICTURES)
    assert inputs["attention_mask"][:, 0].tolist() == [0, 1] and inputs["image_grid_thw"].shape == (2, 3)
    assert "Describe the man." in processor.decode(inputs["input_ids"][0])
    together = answers(vision, PICTURES)
    assert together == [answers(vision, [picture])[0] for picture in PICTURES] and not any("Describe" in text for text in together)


def test_out_of_memory_halves_the_pictures_at_once(monkeypatch):
    seen = []

    def generate(vision, images):
        seen.append(len(images))
        if len(images) > 1:
            raise torch.OutOfMemoryError("full")
        return [f"{images[0].width}"]

    monkeypatch.setattr(vision_module, "_generate", generate)
    assert answers(None, [*PICTURES, PICTURES[0]]) == ["64", "128", "64"] and seen == [3, 1, 2, 1, 1]


def test_a_photo_is_shown_small_and_upright(tmp_path):
    Image.new("RGB", (3000, 1500)).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
    assert open_shown(tmp_path / "a.jpg").size == (384, 768)


def test_the_model_is_gone_from_memory_when_the_answers_end(florence, tmp_path, monkeypatch):
    held = []

    def load(*arguments):
        vision = load_vision_model(*arguments)
        held.append(weakref.ref(vision.model))
        return vision

    monkeypatch.setattr(by_model, "load_vision_model", load)
    PICTURES[0].save(tmp_path / "a.png")
    samples = [Sample(name, tmp_path / "a.png", tmp_path / "a.txt", None) for name in "abc"]
    request = CaptionRequest(folder=str(tmp_path), trigger_word="ohwx", class_word="man", model_path="x", captioner=str(florence))
    assert [sample.name for sample, _ in by_model.model_answers(request, samples, lambda: False)] == ["a", "b", "c"]
    stopped = by_model.model_answers(request, samples, iter([False, True]).__next__)
    assert [sample.name for sample, _ in stopped] == ["a"]
    broken_off = by_model.model_answers(request, samples, lambda: False)
    next(broken_off)
    broken_off.close()
    gc.collect()
    assert len(held) == 3 and all(model() is None for model in held)


def test_a_model_that_was_not_downloaded_is_refused_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for model in CAPTION_MODELS:
        assert not is_here(model.name)
        with pytest.raises(Refused, match="not on this machine") as raised:
            open_caption_model(model.name)
        assert f"download_model.py {model.hub_id}" in raised.value.fix and "GB" in raised.value.fix


def test_what_is_no_caption_model_is_refused(florence, tmp_path):
    def changed(name, **config):
        folder = shutil.copytree(florence, tmp_path / name)
        known = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(known | config))
        return folder

    cases = {
        "cannot caption": changed("other", model_type="bert"), "code of its own": changed("remote", auto_map={"AutoModel": "x.py"}), "cannot be read": tmp_path / "nowhere", "no .safetensors": changed("pickled"), "cut short": changed("cut"),
    }  # fmt: skip
    (cases["no .safetensors"] / "model.safetensors").rename(cases["no .safetensors"] / "pytorch_model.bin")
    whole = (cases["cut short"] / "model.safetensors").read_bytes()
    (cases["cut short"] / "model.safetensors").write_bytes(whole[:-100])
    for words, folder in cases.items():
        with pytest.raises(Refused, match=words):
            open_caption_model(str(folder))
    nested = changed("nested")
    (nested / "config.json").write_text('{"a":' * 100_000)  # such a folder must not end the page, which asks each when it lists them
    assert not is_caption_model(nested)
    assert is_caption_model(florence) and not is_caption_model(cases["cannot caption"]) and not is_caption_model(tmp_path)


def test_weights_of_another_layout_are_refused_by_name(florence, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(florence, tmp_path / "half")
    weights = load_file(folder / "model.safetensors")
    save_file({name: weight for name, weight in weights.items() if "decoder.layers" not in name}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lacks \d+ weights, such as model.language_model.decoder.layers"):
        load_vision_model(open_caption_model(str(folder)), "man", CPU)


def test_qwen_without_torchvision_is_refused_with_what_to_install(florence, tmp_path):
    folder = shutil.copytree(florence, tmp_path / "qwen")
    (folder / "config.json").write_text('{"model_type": "qwen3_vl"}')
    with pytest.raises(Refused, match="torchvision") as raised:
        open_caption_model(str(folder))
    assert "pip install torchvision" in raised.value.fix


def test_a_download_fetches_what_is_needed_and_the_model_opens(florence, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    small_hub = SmallHub()
    small_hub.add_folder(florence)
    small_hub.files |= {"pytorch_model.bin": b"x" * 20_000, "onnx/model.safetensors": b"x" * 20_000, "README.md": b"x"}
    model = CaptionModel("tiny", "", "", HUB_ID, 0.1)
    with serving(small_hub):
        events = list(download_caption_model(model, Hub(tmp_path / "hub", small_hub.endpoint), RunStore(tmp_path)))
    assert isinstance(events[-1], RunFinished) and events[-2].done == events[-2].total
    monkeypatch.setattr("core.captioning.model_place.model_named", lambda name: model)
    assert open_caption_model("tiny").kind == "florence2"
    assert small_hub.fetched("pytorch_model.bin") == small_hub.fetched("onnx/model.safetensors") == small_hub.fetched("README.md") == []
    assert {authorization for *_, authorization in small_hub.requests} == {""} and public_hub().token is None


def test_a_stopped_download_leaves_the_model_not_here_yet(florence, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("core.flux.download.SECONDS_BETWEEN_EVENTS", 0)
    small_hub, store = SmallHub(), RunStore(tmp_path)
    small_hub.add_folder(florence)
    (tmp_path / ".stop-captioning").touch()
    with serving(small_hub), pytest.raises(UserError, match="stopped"):
        list(download_caption_model(CaptionModel("tiny", "", "", HUB_ID, 0.1), Hub(tmp_path / "hub", small_hub.endpoint), store))
    monkeypatch.setattr("core.captioning.model_place.model_named", lambda name: CaptionModel("tiny", "", "", HUB_ID, 0.1))
    with pytest.raises(Refused, match="not on this machine"):
        open_caption_model("tiny")
