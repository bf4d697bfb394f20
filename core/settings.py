"""Settings of a run: every field declared once, with its range, its title and what it does; form, files, variables and docs derive from here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from core.durable import is_text
from core.errors import UserError

POCKET_FLUX = "presets/pocket-flux"
RUN_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


def setting(default: Any, title: str, help: str, variable: str | None = None, place: str | None = None, **limits: Any) -> Any:
    """Declare one setting; `variable` is the guide's environment variable that overrides it.

    `place` marks a path (dataset, model, output, lora, regularization, evaluator): the page offers a listing for it, never free text.
    """
    return Field(default, title=title, description=help, json_schema_extra={"variable": variable, "place": place}, **limits)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @field_validator("*")
    @classmethod
    def _can_be_sent(cls, value: Any) -> Any:
        """Half a character (a lone surrogate) fits into a run's record, but into no answer: it would end every look at that run."""
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not is_text(text):
                raise ValueError("it holds half a character, such as a cut emoji; delete it and write it again")
        return value


class RunSettings(Section):
    """Run: what it is called, where its files go, what it starts from."""

    name: str = setting("", "Run name", "Letters, digits, dot, dash, underscore; names the LoRA file. Empty: the preset and the date.", "RUN_NAME", pattern=r"^$|" + RUN_NAME_PATTERN)
    output: str = setting("output", "Output folder", "Where LoRA files, samples and runs are written.", "OUT_DIR", place="output", min_length=1)
    price_per_hour: float = setting(0.0, "Price per hour", "What this machine costs an hour, in your currency. 0: no money is spoken of.", "PRICE_PER_HOUR", ge=0, le=1000)
    warm_start: str = setting("", "Start from LoRA", "A LoRA file made here whose weights are the starting point of a new run (same model, rank and targets).", "RESUME_FROM", place="lora")


class ModelSettings(Section):
    """Model: which FLUX.1-dev, at which precision."""

    path: str = setting(POCKET_FLUX, "Base model", "FLUX.1-dev or a model made from it: folder in diffusers layout, downloaded hub id, or single .safetensors file of the transformer. The shipped pocket FLUX needs no GPU and no download.", "MODEL_PATH", place="model", min_length=1)
    precision: Literal["auto", "bf16", "fp32"] = setting("auto", "Precision", "auto: bf16 on a GPU that has it, float32 on a CPU. LoRA weights are float32 always; fp16 overflows in FLUX and is not offered.")
    base: Literal["auto", "full", "int8"] = setting("auto", "Frozen base", "auto: 8 bits only where full precision does not fit or would be slower. int8 halves the base model's memory; rounding costs about 1 %.")
    int8_products: bool = setting(False, "8-bit products", "Multiplies in 8 bits too, where the base is 8-bit: faster on cards such as the RTX 4090, a little less exact.")
    compile: Literal["auto", "on", "off"] = setting("auto", "Compile", "Compiles the blocks after some steps: one or two minutes, then shorter steps. auto: on one GPU, when enough steps are left to pay for it. Either way it is undone when the steps did not become shorter.")
    gradient_checkpointing: Literal["auto", "none", "all"] = setting("auto", "Gradient checkpointing", "Recomputes blocks in the backward pass to save memory, for up to 45 % more time. auto: as few blocks as fit.")
    text_length: int = setting(512, "T5 tokens", "Length every caption is padded to for T5. 512 is what diffusers uses, 256 what ComfyUI uses. Capped by the model's own tokenizer.", ge=16, le=512)


class DatasetSettings(Section):
    """Dataset: the photos, their captions and the sizes they are trained at."""

    folder: str = setting("data/subject", "Dataset folder", "Photos with captions beside them, or in images/ and captions/.", "DATA_DIR", place="dataset", min_length=1)
    trigger_word: str = setting("ohwx", "Trigger word", "A made-up word that stands in every caption and later calls the person up in a prompt.", pattern=r"^\S{1,40}$")
    class_word: str = setting("person", "Class word", "What the subject is: man, woman, person.", pattern=r"^[^\n,]{1,40}$")
    resolution: int = setting(512, "Resolution", "Photos are trained at about resolution x resolution pixels, in the shape of each photo.", "RESOLUTION", ge=64, le=2048, multiple_of=16)
    min_bucket_resolution: int = setting(256, "Shortest bucket side", "No photo is trained with a side shorter than this.", "MIN_BUCKET_RESO", ge=64, le=2048, multiple_of=16)
    max_bucket_resolution: int = setting(768, "Longest bucket side", "No photo is trained with a side longer than this.", "MAX_BUCKET_RESO", ge=64, le=4096, multiple_of=16)
    bucket_step: int = setting(64, "Bucket step", "Bucket sides are multiples of this. FLUX needs a multiple of 16.", ge=16, le=256, multiple_of=16)
    caption_dropout: float = setting(0.0, "Caption dropout", "Share of steps whose caption is cut down to trigger and class word. Keeps the trigger always.", ge=0, le=0.9)
    flip: bool = setting(False, "Mirror photos", "Shows half of the steps a mirrored photo. Faces are not symmetric: leave it off for a person.")
    hold_out: bool = setting(True, "Hold photos out", "From 15 photos on, 2 or 3 that the others cover best are kept aside, so that memorising shows in a loss of its own. Off: every photo is trained on.")

    @model_validator(mode="after")
    def _bucket_range_holds_the_resolution(self) -> DatasetSettings:
        if not self.min_bucket_resolution <= self.resolution <= self.max_bucket_resolution:
            raise ValueError(f"resolution {self.resolution} lies outside the bucket range {self.min_bucket_resolution}-{self.max_bucket_resolution}; move one of them")
        return self


class LoraSettings(Section):
    """LoRA: how much the adapter can hold and where it attaches."""

    rank: int = setting(32, "Rank", "Capacity of the LoRA. 16-32 for a first look, 64 for the final run.", "RANK", ge=1, le=256)
    alpha: float = setting(32, "Alpha", "Scale of the LoRA is alpha / rank. Keep it equal to the rank, so that learning rates carry over.", "ALPHA", gt=0, le=512)
    dropout: float = setting(0.0, "Dropout", "Share of the LoRA's inner units switched off at each step (between A and B). Holds back memorising.", ge=0, le=0.9)
    targets: Literal["attn", "attn-mlp", "blocks"] = setting("attn-mlp", "Target layers", "attn: attention only. attn-mlp: every linear layer of the blocks but the modulation. blocks: those too.")


class OptimizerSettings(Section):
    """Optimizer: AdamW and the course of its learning rate."""

    kind: Literal["adamw", "adamw8bit"] = setting("adamw", "Optimizer", "adamw8bit keeps AdamW's memory of past gradients in 8 bits: a third less memory for the LoRA, each step a little slower.")
    learning_rate: float = setting(1e-4, "Learning rate", "Step size of AdamW on the transformer's LoRA. Halve it when the loss turns to NaN.", "UNET_LR", gt=0, le=0.1)
    lr_scheduler: Literal["constant", "constant_with_warmup", "linear", "cosine"] = setting("constant_with_warmup", "Scheduler", "Course of the learning rate: constant, constant after a warmup, falling in a line, falling along a cosine.")
    warmup_steps: int = setting(100, "Warmup", "Optimizer steps over which the learning rate rises from zero. Has no effect with scheduler constant.", ge=0, le=100_000)
    weight_decay: float = setting(0.01, "Weight decay", "Pull of AdamW toward zero.", ge=0, le=1)
    max_grad_norm: float = setting(1.0, "Gradient clipping", "Longest gradient of the LoRA that is taken as it is. 0 switches clipping off.", ge=0, le=1000)


class TrainSettings(Section):
    """Training: how long, how much at a time, on which noise."""

    steps: int = setting(1500, "Steps", "Optimizer steps.", "MAX_STEPS", ge=1, le=1_000_000)
    batch_size: int = setting(1, "Batch size", "Photos per forward pass.", "BATCH_SIZE", ge=1, le=64)
    gradient_accumulation_steps: int = setting(1, "Gradient accumulation", "Forward passes per optimizer step.", "GRAD_ACCUM", ge=1, le=256)
    seed: int = setting(42, "Seed", "Same seed, same photos, same settings: same LoRA on the same machine.", "SEED", ge=0, le=2**31 - 1)
    noise_offset: float = setting(0.0, "Noise offset", "Adds a constant per channel to the noise. FLUX reaches pure noise by itself, so this only loosens brightness and contrast; too much gives waxy skin.", "NOISE_OFFSET", ge=0, le=0.5)
    snr_gamma: float = setting(0.0, "SNR gamma", "Caps the weight of nearly noise-free steps at gamma / SNR. On FLUX few steps are that clean, so 5 changes little. 0 switches it off.", ge=0, le=100)
    timestep_sampling: Literal["flux_shift", "sigmoid", "uniform"] = setting("flux_shift", "Noise levels", "How noise levels are drawn: flux_shift follows FLUX's own sampler at the photo's size.")
    ema_decay: float = setting(0.0, "EMA decay", "Keeps a moving average of the LoRA and saves that one. 0.99 smooths over about 100 steps. 0 switches it off.", ge=0, lt=1)
    save_every: int = setting(250, "Checkpoint every", "Steps between checkpoints a run can be resumed from.", ge=1, le=1_000_000)
    save_minutes: float = setting(10, "Checkpoint minutes", "A checkpoint is also saved when the last one is this old. 0: by steps only.", ge=0, le=1440)
    keep_checkpoints: int = setting(2, "Checkpoints kept", "Newest checkpoints kept, besides the one with the lowest held-out loss. Two at least, so that a damaged one costs little.", ge=2, le=1000)
    stop_early: bool = setting(False, "Stop early", "Ends the run when the likeness of the samples has stopped growing while the loss on held-out photos rises, and takes the LoRA of the best step. Needs 15 photos or more, and samples often: it waits three rounds.")
    validate_every: int = setting(100, "Fixed-noise loss every", "Steps between measurements of the loss on fixed photos, noise and noise levels: a curve without the noise of training. 0 switches it off.", ge=0, le=1_000_000)


class SamplingSettings(Section):
    """Samples: the pictures drawn while training."""

    every: int = setting(250, "Samples every", "Steps between sample pictures. 0 switches them off.", ge=0, le=1_000_000)
    prompts: tuple[str, ...] = setting(
        ("portrait photo of {trigger} {class}, neutral background", "{trigger} {class} riding a bicycle in the rain"),
        "Sample prompts",
        "One prompt per line; {trigger} and {class} are filled in. At least one should show what no photo shows.",
        max_length=16,
    )
    width: int = setting(0, "Sample width", "Pixels, a multiple of 16. 0: the training resolution.", ge=0, le=2048, multiple_of=16)
    height: int = setting(0, "Sample height", "Pixels, a multiple of 16. 0: the training resolution.", ge=0, le=2048, multiple_of=16)
    num_inference_steps: int = setting(20, "Sampler steps", "Denoising steps per picture.", ge=1, le=100)
    guidance_scale: float = setting(3.5, "Guidance", "Distilled guidance of FLUX.1-dev for pictures. Training itself uses 1.0.", ge=1, le=20)
    seed: int = setting(1234, "Sample seed", "Same seed, same noise: pictures of different steps can be compared.", ge=0, le=2**31 - 1)


class TextEncoderSettings(Section):
    """Text encoder: frozen unless switched on."""

    enabled: bool = setting(False, "Train text encoder", "Adds a LoRA to CLIP-L. Frozen is right for a unique trigger word; use it with regularization when the identity stays weak.", "ENABLE_TE")
    two_phase: bool = setting(False, "Two-phase text encoder", "Trains the text encoder for the first half of the steps, then freezes it. Needs no other switch.", "TWO_PHASE_TE")
    learning_rate_scale: float = setting(0.4, "Text encoder learning rate", "Learning rate of the text encoder as a share of the transformer's.", gt=0, le=2)


class RegularizationSettings(Section):
    """Regularization: keeps the class from turning into the person."""

    enabled: bool = setting(False, "Regularization", "Teaches the LoRA to leave the class word alone. Without class photos the untouched model's own prediction is the teacher.", "USE_REG")
    folder: str = setting("", "Class photos", "Real photos of other people of the class, with captions. Empty: no class photos are needed.", "REG_DIR", place="regularization")
    weight: float = setting(4.0, "Regularization weight", "Weight of the class loss beside the loss on the person's photos. Below about 4 the person still leaks into the class; at 4 the person needs about twice the steps.", gt=0, le=10)


class EvaluationSettings(Section):
    """Evaluation: networks of your own that measure besides the shipped ones. They lie in models/ and are never downloaded."""

    face_model: str = setting("", "Face network", "An ArcFace-family .onnx file that tells who a face is instead of SFace; needs onnxruntime. The usual ones are licensed for non-commercial research only.", place="evaluator")
    text_image_model: str = setting("", "CLIP or SigLIP", "A folder with CLIP or SigLIP that tells whether a picture shows what its prompt says. CLIP ViT-L/14 is MIT, SigLIP 2 Apache 2.0.", place="evaluator")
    image_model: str = setting("", "DINOv2", "A folder with DINOv2 (Apache 2.0) that tells how different two pictures are. Without it their coarse colours do.", place="evaluator")
    card_grid: bool = setting(False, "Grid in the model card", "Puts the drawn grid beside the model card of a recommended LoRA and into it. Its pictures show the person. Off: the card has numbers only.")


class Settings(Section):
    """All settings of one run."""

    run: RunSettings = RunSettings()
    model: ModelSettings = ModelSettings()
    dataset: DatasetSettings = DatasetSettings()
    lora: LoraSettings = LoraSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    train: TrainSettings = TrainSettings()
    sampling: SamplingSettings = SamplingSettings()
    text_encoder: TextEncoderSettings = TextEncoderSettings()
    regularization: RegularizationSettings = RegularizationSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @property
    def trains_text_encoder(self) -> bool:
        return self.text_encoder.enabled or self.text_encoder.two_phase

    @property
    def text_encoder_steps(self) -> int:
        """Optimizer steps during which the text encoder is trained: all, the first half (rounded up), or none."""
        if self.text_encoder.two_phase:
            return -(-self.train.steps // 2)
        return self.train.steps if self.text_encoder.enabled else 0


@dataclass(frozen=True)
class Declaration:
    """One declared setting: `key` is section.field, `variable` the environment variable or None."""

    key: str
    section_title: str
    field: FieldInfo

    @property
    def title(self) -> str:
        return self.field.title or self.key

    @property
    def help(self) -> str:
        return self.field.description or ""

    @property
    def variable(self) -> str | None:
        return self.field.json_schema_extra["variable"]  # type: ignore[index, return-value]

    @property
    def place(self) -> str | None:
        """What kind of path this is, or None for a setting that is none."""
        return self.field.json_schema_extra["place"]  # type: ignore[index, return-value]

    @property
    def default(self) -> Any:
        return self.field.default

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed values of a choice, empty for other kinds."""
        return get_args(self.field.annotation) if get_origin(self.field.annotation) is Literal else ()

    @property
    def limits(self) -> str:
        """The range in words, for help and docs."""
        names = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}
        parts = [f"{word} {getattr(m, name)}" for m in self.field.metadata for name, word in names.items() if getattr(m, name, None) is not None]
        return ", ".join(parts)


def declarations() -> Iterator[Declaration]:
    """Every setting, in the order of the sections."""
    for section_name, section in Settings.model_fields.items():
        section_type = section.annotation
        assert isinstance(section_type, type) and issubclass(section_type, Section)
        title = (section_type.__doc__ or section_name).split(":")[0]
        for field_name, field in section_type.model_fields.items():
            yield Declaration(f"{section_name}.{field_name}", title, field)


def declaration_of(key: str) -> Declaration:
    """Raises UserError naming the nearest setting when `key` is none."""
    known = {d.key: d for d in declarations()}
    if key in known:
        return known[key]
    fields = {name.split(".")[1]: name for name in known}
    near = difflib.get_close_matches(key, known, 1, 0.6) or [fields[n] for n in difflib.get_close_matches(key.split(".")[-1], fields, 1, 0.6)]
    raise UserError(f"There is no setting '{key}'.", "settings", f"Did you mean '{near[0]}'?" if near else "See docs/settings.md for all settings.")


def flatten(settings: Settings) -> dict[str, Any]:
    """section.field -> value."""
    return {d.key: value_of(settings, d.key) for d in declarations()}


def value_of(settings: Settings, key: str) -> Any:
    section, field = key.split(".")
    return getattr(getattr(settings, section), field)


def parse_settings(values: dict[str, Any], origins: dict[str, str] | None = None) -> Settings:
    """Build Settings from section.field -> value (missing ones take their default).

    Raises UserError that names every offending setting, where its value came from, and what is allowed.
    """
    nested: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        declaration_of(key)
        section, field = key.split(".")
        nested.setdefault(section, {})[field] = value
    try:
        return Settings.model_validate(nested)
    except ValidationError as error:
        raise _explain(error, origins or {}) from None


def _explain(error: ValidationError, origins: dict[str, str]) -> UserError:
    whats, wheres, fixes = [], [], []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"][:2])
        message = re.sub(r"^Value error, |^Input ", "", problem["msg"])
        whats.append(f"{key} = {problem['input']!r}: {message}." if "." in key else f"{message}.")
        wheres.append(origins.get(key, key))
        if "." in key:
            declaration = declaration_of(key)
            fixes.append(f"{declaration.title}: {declaration.limits or ', '.join(declaration.choices) or declaration.help}")
    return UserError(" ".join(whats), ", ".join(dict.fromkeys(wheres)), "; ".join(dict.fromkeys(fixes)) or "Change one of the two values.")


def warnings_of(settings: Settings) -> list[str]:
    """Settings that have no effect as they stand, in plain sentences."""
    found = []
    if settings.optimizer.lr_scheduler == "constant" and settings.optimizer.warmup_steps:
        found.append(f"Warmup {settings.optimizer.warmup_steps} has no effect: the scheduler 'constant' has none. Choose 'constant_with_warmup'.")
    if settings.optimizer.lr_scheduler != "constant" and settings.optimizer.warmup_steps >= settings.train.steps:
        found.append(f"Warmup {settings.optimizer.warmup_steps} is not shorter than the run ({settings.train.steps} steps): the learning rate never reaches {settings.optimizer.learning_rate:g}.")
    if settings.regularization.folder and not settings.regularization.enabled:
        found.append("The regularization folder has no effect: regularization is off (USE_REG=1).")
    if settings.trains_text_encoder and not settings.regularization.enabled:
        found.append("The text encoder is trained without regularization: the class word may turn into the person (USE_REG=1).")
    if settings.dataset.flip:
        found.append("Photos are mirrored: partings, moles and 'facing left' in captions will be taught both ways.")
    if settings.sampling.every and not settings.sampling.prompts:
        found.append("There are no sample prompts: no samples are drawn.")
    if settings.train.stop_early and not (settings.sampling.every and settings.sampling.prompts and settings.dataset.hold_out):
        found.append("Stopping early has no effect: it needs samples (sampling.every) and photos held out (dataset.hold_out).")
    return found
