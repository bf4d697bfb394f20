"""Remedies: what a click does about a finding, on the photos it names; every one can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.analyzer.analyze import faces_for
from core.analyzer.face_checks import counts_as_person
from core.analyzer.measure import measure_all
from core.analyzer.photo import Measures
from core.analyzer.report import Finding
from core.dataset import caption_edits, edits, level
from core.dataset.buckets import Bucket, buckets_for, place
from core.dataset.edits import TURNS, Box, QuarterTurns
from core.dataset.folder import Dataset, Problem, sample_named
from core.dataset.traits import without_traits
from core.errors import Refused, UserError
from core.identity.faces import Face
from core.settings import Settings

# Room that is left around the face, in shares of its box (left, above, right, below): hair and shoulders, or, where somebody is near, no less than the head.
WITH_SHOULDERS, HEAD_ONLY = (0.35, 0.45, 0.35, 0.6), (0.1, 0.3, 0.1, 0.15)
# Above the face, of the height that is free: heads stand in the upper half of a portrait.
SHARE_ABOVE = 0.4


def apply_remedy(finding: Finding, names: Sequence[str], dataset: Dataset, settings: Settings, cache: Path) -> None:
    """Do what the finding's remedy says to these of its photos. Raises Refused for other photos and where nothing can be done."""
    require_photos_of(finding, names)
    trigger_word, class_word = settings.dataset.trigger_word, settings.dataset.class_word
    match finding.remedy:
        case "exclude":
            edits.exclude(dataset, names)
        case "crop":
            edits.crop(dataset, crops_to_person(dataset, names, settings, cache))
        case "turn":
            edits.turn(dataset, names, _degrees(finding))
        case "straighten":
            edits.straighten(dataset, tilts_of(dataset, names, settings, cache))
        case "set trigger":
            _edit_captions(dataset, names, caption_edits.set_trigger(trigger_word, class_word), "set the trigger word")
        case "shorten":
            _edit_captions(dataset, names, caption_edits.shorten(), "shorten captions")
        case "remove traits":
            _edit_captions(dataset, names, without_traits, "remove permanent traits")
        case _:
            raise Refused("Nothing can be done about this with one click.", finding.check, finding.fix)


def require_photos_of(finding: Finding, names: Sequence[str]) -> None:
    """Raises Refused for names that are not the finding's, and for none."""
    strangers = [name for name in names if name not in finding.photos]
    if strangers or not names:
        raise Refused("These are not photos of that finding.", ", ".join(strangers)[:200], "Analyze again: the photos have changed.")


def crops_to_person(dataset: Dataset, names: Sequence[str], settings: Settings, cache: Path) -> dict[str, Box]:
    """A box for each photo with its largest face and nobody else's, in the shape of a bucket."""
    options = settings.dataset
    buckets = buckets_for(options.resolution, options.min_bucket_resolution, options.max_bucket_resolution, options.bucket_step)
    read = _measures_of(dataset, names, settings, cache)
    return {name: person_box(name, measures.faces, measures.width, measures.height, buckets) for name, measures in read.items()}


def tilts_of(dataset: Dataset, names: Sequence[str], settings: Settings, cache: Path) -> dict[str, float]:
    """Degrees each photo leans clockwise. Raises Refused where that cannot be told, or the face would lose a part with the corners."""
    tilts = {}
    for name, measures in _measures_of(dataset, names, settings, cache).items():
        if measures.tilt is None:
            raise Refused(f"How far {name} is tilted cannot be told.", name, "Analyze again: the photo may have changed.")
        if not level.keeps(measures.faces[0].box, (measures.width, measures.height), measures.tilt):
            raise Refused(f"The face in {name} is too near to an edge: straightening would cut into it.", name, "Leave it as it is, or straighten the original in a photo editor.")
        tilts[name] = measures.tilt
    return tilts


def person_box(name: str, faces: Sequence[Face], width: int, height: int, buckets: Sequence[Bucket]) -> Box:
    """The largest part of a photo of width x height pixels that holds its largest face and nobody else's, cut to the nearest bucket's shape.

    Raises Refused when there is no face, or another one is too close.
    """
    if not faces:
        raise Refused(f"No face is seen in {name}.", name, "Crop it by hand in the Dataset tab.")
    person = faces[0]
    region = (0.0, 0.0, 1.0, 1.0)
    for other in faces[1:]:
        if counts_as_person(other.score, other.area / person.area):
            region = _without(region, _edges(other), person, name)
    left, top, right, bottom = region
    kept = place(max(1, round((right - left) * width)), max(1, round((bottom - top) * height)), buckets).crop
    kept_width, kept_height = (kept[2] - kept[0]) / width, (kept[3] - kept[1]) / height
    x, y = person.box[0] + person.box[2] / 2, person.box[1] + person.box[3] / 2
    from_left = min(max(x - kept_width / 2, left), right - kept_width)
    from_top = min(max(y - kept_height * SHARE_ABOVE, top), bottom - kept_height)
    return (from_left, from_top, from_left + kept_width, from_top + kept_height)


def _measures_of(dataset: Dataset, names: Sequence[str], settings: Settings, cache: Path) -> dict[str, Measures]:
    """By photo name. Raises Refused when faces cannot be found at all, UserError for a photo that cannot be read."""
    samples = [sample_named(dataset, name) for name in names]
    faces = faces_for(dataset.samples, Path(settings.model.path))
    if faces.reader is None:
        raise Refused(f"Faces cannot be found. {faces.reason}", dataset.folder.name, "Crop by hand in the Dataset tab.")
    read = {}
    for sample, measures in zip(samples, measure_all(samples, faces.reader, cache), strict=True):
        if isinstance(measures, Problem):
            raise UserError(measures.what, str(measures.file), measures.fix)
        read[sample.name] = measures
    return read


def _without(region: Box, other: Box, person: Face, name: str) -> Box:
    """The largest part of the region on one side of the other face that still holds the person."""
    left, top, right, bottom = region
    beside = [(other[2], top, right, bottom), (left, top, other[0], bottom), (left, other[3], right, bottom), (left, top, right, other[1])]
    for room in (WITH_SHOULDERS, HEAD_ONLY):
        wanted = _with_room(person, room)
        holding = [part for part in beside if part[0] <= wanted[0] and part[1] <= wanted[1] and part[2] >= wanted[2] and part[3] >= wanted[3]]
        if holding:
            return max(holding, key=lambda part: (part[2] - part[0]) * (part[3] - part[1]))
    raise Refused(f"The faces in {name} are too close to cut between them.", name, "Leave it out, or crop it by hand in the Dataset tab.")


def _with_room(face: Face, room: Box) -> Box:
    left, top, width, height = face.box
    return (max(0.0, left - room[0] * width), max(0.0, top - room[1] * height), min(1.0, left + width * (1 + room[2])), min(1.0, top + height * (1 + room[3])))


def _edges(face: Face) -> Box:
    left, top, width, height = face.box
    return (left, top, left + width, top + height)


def _degrees(finding: Finding) -> QuarterTurns:
    for degrees in TURNS:
        if finding.value == degrees:
            return degrees
    raise Refused("The report does not say which way to turn.", ", ".join(finding.photos), "Turn the photo in the Dataset tab.")


def _edit_captions(dataset: Dataset, names: Sequence[str], edit: caption_edits.TextEdit, what: str) -> None:
    changed = caption_edits.after(caption_edits.preview(dataset, list(names), edit))
    if not changed:
        raise Refused("Nothing is left to change in these captions.", dataset.folder.name, "Analyze again.")
    edits.write_captions(dataset, changed, f"{what}: {edits.counted(list(changed))}")
