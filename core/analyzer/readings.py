"""What a caption may say of photos: their largest face with a word for its light, from the measures that are kept anyway."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from core.analyzer.analyze import faces_for
from core.analyzer.face_checks import FEWEST_LIT_FACES
from core.analyzer.measure import measure_all
from core.analyzer.photo import Measures
from core.dataset.folder import Problem, Sample
from core.errors import UserError
from core.events import Phase
from core.identity.face_pixels import Light
from core.identity.faces import Face

# Distance from the median of the set, in L* and b*, from which light is called dim, bright, warm or cool: skin tells nothing by itself, so sets too small for a
# median get no such word. Two stops less or more light move L* by 12 to 20; the room light of a lamp moves b* by 8 and more. Heuristic.
UNUSUAL_LIGHTNESS, UNUSUAL_WARMTH = 10.0, 7.0
# (left - right) / (left + right) of a face that looks ahead; varied sets have a deviation of .04 to .12. A turned head has hair and background on one side.
LIT_FROM_ONE_SIDE = 0.12


def read_faces(samples: Sequence[Sample], model_path: Path, cache: Path, should_stop: Callable[[], bool]) -> Generator[Phase, None, dict[str, Face | None]]:
    """Yields progress and returns `faces_in_words` by photo name; photos that cannot be read, and those after a stop, are not in it.

    Raises UserError with the reason when faces cannot be read at all.
    """
    faces = faces_for(samples, model_path)
    if faces.reader is None:
        raise UserError("Nothing can be measured of the photos.", "faces", faces.reason)
    read: dict[str, Measures] = {}
    for done, (sample, measured) in enumerate(zip(samples, measure_all(samples, faces.reader, cache), strict=True)):
        yield Phase(what="Reading photos", done=done, total=len(samples))
        if should_stop():
            break
        if not isinstance(measured, Problem):
            read[sample.name] = measured
    return dict(zip(read, faces_in_words(list(read.values())), strict=True))


def faces_in_words(measured: Sequence[Measures]) -> list[Face | None]:
    """The largest face of each photo with its light in words where one was measured; None where there is no face, or the photo lies on its side."""
    lights = [measures.person.light for measures in measured if measures.person and measures.person.light]
    usual = _median(lights) if len(lights) >= FEWEST_LIT_FACES else None
    return [_face_in_words(measures, usual) for measures in measured]


def _face_in_words(measures: Measures, usual: Light | None) -> Face | None:
    if not measures.faces or measures.turn:
        return None
    face = measures.faces[0]
    light = measures.person.light if measures.person else None
    return face if light is None else face.model_copy(update={"light": _light_in_words(light, usual, face)})


def _light_in_words(light: Light, usual: Light | None, face: Face) -> str | None:
    """The one thing that is most unusual about the light, or None."""
    found = {"light from the left" if light.side > 0 else "light from the right": abs(light.side) / LIT_FROM_ONE_SIDE} if face.angle == "front view" else {}
    if usual:
        brighter, warmer = light.lightness - usual.lightness, light.warmth - usual.warmth
        found["bright light on the face" if brighter > 0 else "dim light on the face"] = abs(brighter) / UNUSUAL_LIGHTNESS
        found["warm light on the face" if warmer > 0 else "cool light on the face"] = abs(warmer) / UNUSUAL_WARMTH
    word = max(found, key=lambda each: found[each], default=None)
    return word if word and found[word] >= 1 else None


def _median(lights: Sequence[Light]) -> Light:
    return Light(**{name: statistics.median(getattr(light, name) for light in lights) for name in Light.model_fields})
