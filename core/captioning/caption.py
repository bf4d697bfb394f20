"""Captions photos: what was measured of them, and with a model its words about them, becomes proposals that somebody accepts or rejects."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path

from core.captioning.phrases import caption_from, says_how_it_is_seen
from core.captioning.proposals import Proposal, drop_proposals, propose
from core.captioning.request import CaptionRequest, photos_of, text_of, unread
from core.captioning.template import is_alike, template_caption
from core.dataset.folder import Dataset, Sample, open_dataset
from core.errors import UserError
from core.events import Phase, RunEvent, RunFinished, RunStarted, RunStopped, Warned
from core.identity.faces import Face
from core.loading import loading_for_a_job

Faces = Mapping[str, Face | None]
# Reads the faces of photos with their light in words, by photo name; photos that cannot be read are not among them.
ReadFaces = Callable[[Sequence[Sample]], Generator[Phase, None, Faces]]
ShouldStop = Callable[[], bool]


def caption(request: CaptionRequest, read_faces: ReadFaces, should_stop: ShouldStop) -> Iterator[RunEvent]:
    """Propose a caption for each photo the request means; no caption is changed. What was proposed before a stop stays proposed.

    Raises Refused when no photo is meant or the captioner is not there, UserError when it cannot run.
    """
    began = time.monotonic()
    folder = Path(request.folder)
    yield RunStarted(job="caption", name=folder.name)
    dataset = open_dataset(folder)
    samples = photos_of(request, dataset)
    drop_proposals(folder, [sample.name for sample in samples])
    faces = yield from _faces_of(request, dataset, samples, read_faces)
    told = _captions_that_stay(dataset, samples)
    proposed = 0
    for event in _answers(request, samples, faces, should_stop):
        if isinstance(event, Warned | Phase):
            yield event
            continue
        sample, answer = event
        text = _worded(request, sample, answer, faces, told)
        if not text:
            yield Warned(what=f"The model said nothing useful about {sample.name}, and nothing was measured of it.")
            continue
        propose(folder, Proposal(photo=sample.name, before=text_of(sample), after=text, by=request.captioner))
        told.append(text)
        proposed += 1
        yield Phase(what="Captioning", done=proposed, total=len(samples))
    seconds = time.monotonic() - began
    yield RunStopped(step=proposed, seconds=seconds) if should_stop() else RunFinished(seconds=seconds)


def with_what_was_measured(request: CaptionRequest, dataset: Dataset, read_faces: ReadFaces) -> dict[str, str]:
    """New captions by photo name: the words that are there, then what was measured, so that no two are alike. Photos that cannot be read are left out."""
    samples = photos_of(request, dataset)
    reading = _faces_of(request, dataset, samples, read_faces)
    faces: Faces = {}
    try:
        while True:
            next(reading)
    except StopIteration as ended:
        faces = ended.value
    told, captions = _captions_that_stay(dataset, samples), {}
    for sample in samples:
        if sample.name in faces:
            begin = text_of(sample).rstrip(" .,") or f"{request.trigger_word} {request.class_word}"
            captions[sample.name] = template_caption(sample.name, faces[sample.name], begin, told)
            told.append(captions[sample.name])
    return captions


def _faces_of(request: CaptionRequest, dataset: Dataset, samples: Sequence[Sample], read_faces: ReadFaces) -> Generator[RunEvent, None, Faces]:
    """All photos in use are read, not only those that are captioned: the light of one is told by the others. A model goes on without."""
    names = {sample.name for sample in dataset.samples}
    try:
        return (yield from read_faces([*dataset.samples, *(sample for sample in samples if sample.name not in names)]))
    except UserError as error:
        if not request.uses_a_model:
            raise
        yield Warned(what=f"{error.what} {error.fix}")
        return {}


def _answers(request: CaptionRequest, samples: Sequence[Sample], faces: Faces, should_stop: ShouldStop) -> Iterator[Warned | Phase | tuple[Sample, str]]:
    """What is said of each photo: by a model where one was asked for, else nothing, so that what was measured must do."""
    if request.uses_a_model:
        yield Phase(what="Loading the caption model")
        with loading_for_a_job():
            from core.captioning.by_model import model_answers

        yield from model_answers(request, samples, should_stop)
        return
    for sample in samples:
        if should_stop():
            return
        yield (sample, "") if sample.name in faces else unread(sample)


def _worded(request: CaptionRequest, sample: Sample, answer: str, faces: Faces, told: Sequence[str]) -> str:
    """The caption made of an answer and what was measured: that is added where the answer does not say how the person is seen, or is like another."""
    text = caption_from(answer, request.trigger_word, request.class_word)
    face = faces.get(sample.name)
    is_enough = says_how_it_is_seen(text) or face is None
    if sample.name not in faces or (text and is_enough and not is_alike(text, told)):
        return text
    return template_caption(sample.name, face, text or f"{request.trigger_word} {request.class_word}", told)


def _captions_that_stay(dataset: Dataset, samples: Sequence[Sample]) -> list[str]:
    names = {sample.name for sample in samples}
    return [text_of(sample) for sample in dataset.samples if sample.name not in names and text_of(sample)]
