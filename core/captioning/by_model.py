"""What a caption model answers to each photo; the model is gone from memory when this ends, whatever ended it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from PIL import Image

from core.captioning.model_place import open_caption_model
from core.captioning.request import CaptionRequest, unread
from core.captioning.vision import VisionModel, answers, load_vision_model, open_shown
from core.dataset.folder import Sample
from core.errors import UserError
from core.events import Warned
from core.flux.models import choose_hardware, free_memory, quiet_libraries


def model_answers(request: CaptionRequest, samples: Sequence[Sample], should_stop: Callable[[], bool]) -> Iterator[Warned | tuple[Sample, str]]:
    """Raises Refused when the model is not there, UserError when it cannot be loaded."""
    quiet_libraries()
    folder = open_caption_model(request.captioner)
    vision = load_vision_model(folder, request.class_word, choose_hardware(request.precision))
    try:
        yield from _answers(vision, samples, should_stop)
    finally:
        del vision
        free_memory()


def _answers(vision: VisionModel, samples: Sequence[Sample], should_stop: Callable[[], bool]) -> Iterator[Warned | tuple[Sample, str]]:
    for begin in range(0, len(samples), vision.at_once):
        if should_stop():
            return
        read: list[tuple[Sample, Image.Image]] = []
        for sample in samples[begin : begin + vision.at_once]:
            try:
                read.append((sample, open_shown(sample.image)))
            except UserError:
                yield unread(sample)
        if read:
            yield from zip([sample for sample, _ in read], answers(vision, [picture for _, picture in read]), strict=True)
