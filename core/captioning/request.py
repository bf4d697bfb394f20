"""What a captioning is asked for: whose photos, which of them, and who writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.captioning.machine import machine_written
from core.dataset.folder import Dataset, Sample, sample_named
from core.errors import Refused
from core.events import Warned

# Photos without a caption; also those whose caption was written here and not changed since; all, whoever wrote.
Which = Literal["missing", "machine", "all"]
TEMPLATE = "template"


@dataclass(frozen=True)
class CaptionModel:
    """A model on the hub that writes captions: what it is called here and there, what it is good for, and its size in GB."""

    name: str
    title: str
    about: str
    hub_id: str
    gigabytes: float


CAPTION_MODELS = (
    CaptionModel("qwen3-vl", "Qwen3-VL 4B", "Says clothing, pose, place and light, and does as it is told.", "Qwen/Qwen3-VL-4B-Instruct", 8.9),
    CaptionModel("florence-2", "Florence-2 base", "One plain sentence; what was measured is added.", "florence-community/Florence-2-base", 0.5),
)


class CaptionRequest(BaseModel):
    """`captioner` is 'template', the name of a caption model, or a folder that holds one. With `photos` only these are meant.

    `model_path` is the base model, whose kind of pictures decides how faces are read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    trigger_word: str = Field(min_length=1)
    class_word: str = Field(min_length=1)
    model_path: str
    captioner: str = TEMPLATE
    which: Which = "missing"
    photos: tuple[str, ...] = ()
    precision: str = "auto"

    @property
    def uses_a_model(self) -> bool:
        return self.captioner != TEMPLATE


def model_named(name: str) -> CaptionModel | None:
    """By its name here or on the hub."""
    return next((model for model in CAPTION_MODELS if name in (model.name, model.hub_id)), None)


def photos_of(request: CaptionRequest, dataset: Dataset) -> list[Sample]:
    """The photos the request means; excluded ones only when they are named. Raises Refused when there is none, UserError for a name of no photo."""
    meant = [sample_named(dataset, name) for name in request.photos] or list(dataset.samples)
    written_here = machine_written(dataset) if request.which == "machine" else frozenset()
    chosen = [sample for sample in meant if request.which == "all" or _has_none(sample) or sample.name in written_here]
    if not chosen:
        why = "Every photo has a caption." if request.which == "missing" else "Every photo has a caption that a person wrote or changed."
        raise Refused(why, str(Path(request.folder)), "Choose the photos whose caption shall be written anew; the old ones are shown beside the new ones first.")
    return chosen


def text_of(sample: Sample) -> str:
    return sample.caption.text if sample.caption else ""


def unread(sample: Sample) -> Warned:
    return Warned(what=f"{sample.image.name} cannot be read and gets no caption; the Analyzer says why.")


def _has_none(sample: Sample) -> bool:
    """A caption file that cannot be read is somebody's caption all the same."""
    return not text_of(sample) and not (sample.caption is None and sample.caption_file.exists())
