"""Presets: equal to the guide's tables, and layered defaults < preset < variables < pairs."""

import re
from pathlib import Path

import pytest

from core.errors import UserError
from core.presets import guide_variables, load_preset, preset_names, resolve

GUIDE = Path("docs/TRAINING_GUIDE.md")
ROWS = {
    "Resolution": lambda v: {"dataset.resolution": int(v.split("x")[0])},
    "Steps": lambda v: {"train.steps": int(v)},
    "Rank/Alpha": lambda v: dict(zip(("lora.rank", "lora.alpha"), map(int, v.split("/")), strict=True)),
    "Dropout": lambda v: {"lora.dropout": float(v)},
    "LR": lambda v: {"optimizer.learning_rate": float(v)},
    "Scheduler": lambda v: {"optimizer.lr_scheduler": v},
    "Warmup": lambda v: {"optimizer.warmup_steps": int(v)},
    "Noise Offset": lambda v: {"train.noise_offset": float(v)},
    "SNR Gamma": lambda v: {"train.snr_gamma": float(v)},
    "Bucket Range": lambda v: dict(zip(("dataset.min_bucket_resolution", "dataset.max_bucket_resolution"), map(int, v.split("-")), strict=True)),
    "Text Encoder": lambda v: {"text_encoder.enabled": not v.startswith("Frozen")},
}


def table_of(heading: str) -> dict[str, object]:
    section = GUIDE.read_text().split(f"### {heading}")[1].split("**Command**")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)[1:]
    values = {}
    for name, value in rows:
        if not name.startswith("-"):
            values |= ROWS[name](value.strip())
    return values


@pytest.mark.parametrize(("heading", "preset", "rows", "accumulation"), [("Fast Iteration Profile", "fast", 11, 1), ("Final/Production Profile", "final", 13, 4)])
def test_presets_hold_exactly_the_guides_tables(heading, preset, rows, accumulation):
    expected = table_of(heading)
    assert len(expected) == rows
    assert load_preset(preset).differences == {**expected, "train.gradient_accumulation_steps": accumulation}


def test_every_shipped_preset_resolves():
    assert preset_names() == ["fast", "final", "demo"]
    for name in preset_names():
        assert resolve(name, {}).settings


def test_variables_lie_over_the_preset_and_pairs_over_variables():
    resolved = resolve("fast", {"RANK": "48", "MAX_STEPS": "9", "UNRELATED": "x"}, ["lora.rank=50"])
    assert (resolved.settings.lora.rank, resolved.settings.train.steps, resolved.settings.dataset.resolution) == (50, 9, 512)
    assert resolved.origins["lora.rank"] == "--set lora.rank" and resolved.origins["train.steps"] == "variable MAX_STEPS" and resolved.origins["dataset.resolution"] == "preset fast"


def test_an_empty_variable_is_no_variable():
    assert resolve("fast", {"RANK": ""}).settings.lora.rank == 32


@pytest.mark.parametrize(("environment", "pairs", "word"), [({"MAX_STEPS": "soon"}, [], "MAX_STEPS"), ({"ENABLE_TE": "maybe"}, [], "ENABLE_TE"), ({}, ["train.steps"], "key=value"), ({}, ["trian.steps=3"], "train.steps")])
def test_what_is_wrong_is_named_with_its_source(environment, pairs, word):
    with pytest.raises(UserError) as raised:
        resolve("fast", environment, pairs)
    assert word in str(raised.value)


def test_an_unknown_preset_suggests_the_nearest():
    with pytest.raises(UserError, match="fats") as raised:
        load_preset("fats")
    assert "fast" in raised.value.fix


@pytest.mark.parametrize("content", ["- a list", "settings: 3", "settings: {train: {stepps: 3}}", "a: [unclosed", "settings: {train: {steps: -1}}"])
def test_a_broken_preset_is_refused_in_words(tmp_path, content):
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(UserError):
        resolve("mine", {}, folder=tmp_path)


def test_nothing_but_the_guides_variables_travels_further():
    assert guide_variables({"RANK": "8", "HF_TOKEN": "secret", "PATH": "/bin"}) == {"RANK": "8"}
