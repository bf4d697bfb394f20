"""The checks of faces: there, alone, the same person, sharp, well lit, and seen from enough sides and distances."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from core.analyzer.groups import grouped, listed
from core.analyzer.photo import Photo
from core.analyzer.report import Coverage, Finding
from core.identity.face_pixels import Sharpness

# Coverage is judged where there are enough photos to have any: the guide's least number.
FEWEST_PHOTOS = 15
# A couple's second face has .88 of the first one's area, passers-by .04 to .07; a profile beside one scored .76 (docs/experiments.md, faces).
SURE_SCORE, SECOND_FACE_AREA, UNSURE_SECOND_FACE_AREA = 0.8, 0.15, 0.3
# Laplacian variance and re-blur of sharp faces: above 165 and below .47 (19 of 20); blurred by a two-hundredth of the face: below 67 and above .53.
BLURRED_LAPLACIAN, BLURRED_REBLUR = 60.0, 0.55
SOFT_LAPLACIAN, SOFT_REBLUR = 110.0, 0.50
# L* of usual faces: 45 to 74, a dark-skinned one against the light 37; two stops under 34. Dark skin is told from little light by the rest of the set.
DARK, VERY_DARK, DARKER_THAN_USUAL, MUCH_DARKER_THAN_USUAL = 32.0, 25.0, 6.0, 12.0
# Share of the face with a clipped channel: usual up to .04, one stop over .21 to .81.
CLIPPED, BADLY_CLIPPED = 0.20, 0.40
# Deviations over the set of L*, side and warmth: varied sets have 3 to 7, .04 to .12, 2 to 9. Heuristic.
LEAST_LIGHTNESS_SPREAD, LEAST_SIDE_SPREAD, LEAST_WARMTH_SPREAD, FEWEST_LIT_FACES = 3.0, 0.04, 2.5, 5
# The guide asks for front, three-quarter and profile, portrait and mid or full body; the counts are heuristic.
FEWEST_THREE_QUARTER, FEWEST_PROFILE, MOST_FRONT = 3, 1, 0.70
FEWEST_MID_OR_FULL = 3
# Shares of the line above which two embeddings are one person: for SFace cosines of .33 and .42. In 3,000 drawn sets with one or two strangers
# every stranger but .3 % was found, without a false alarm.
OTHER_PERSON, PERHAPS_OTHER_PERSON, FEWEST_COMPARED = 0.9, 1.15, 4
LARGEST_JUDGED_YAW, SMALLEST_JUDGED_FACE = 60.0, 64
# Degrees. ISO/IEC 19794-5 lets heads lean by 8 in passport photos, and at ease they lean by more; the measure is off by 3. About twice the 8 is chosen, not measured:
# nothing tells a leaning head from a leaning camera, and straightening cuts much away.
TILTED = 15.0
TURN_WORDS = {90: "a quarter turn clockwise", 180: "a half turn", 270: "a quarter turn counterclockwise"}
# Crops to 80 % have a face cosine of .965 (19 of 20 above .915), different photos at most .892.
SAME_SHOT = 0.92


def check_faces(photos: Sequence[Photo]) -> Iterable[Finding]:
    for photo in photos:
        faces = photo.measures.faces
        if not faces:
            yield Finding(check="no face", severity="warning", photos=(photo.name,), what=f"No face is seen in {photo.name}.", fix="Leave it out, unless it shows the person from behind on purpose.", remedy="exclude")
        elif _has_second_person(photo):
            share = faces[1].area / faces[0].area
            yield Finding(check="several people", severity="warning", photos=(photo.name,), what=f"{photo.name} shows more than one person.", fix="Crop it to the person, or leave it out.", remedy="crop", value=round(share, 2), threshold=SECOND_FACE_AREA)


def check_not_judged(photos: Sequence[Photo]) -> Iterable[Finding]:
    """What the other checks pass over, so that their silence is no praise."""
    located = [photo for photo in photos if photo.measures.person and photo.measures.faces[0].landmarks]
    if len(located) < sum(1 for photo in photos if photo.measures.person):
        yield Finding(check="not judged", severity="note", what="Blur, exposure and tilt were not run: these are drawings, in which faces are not located.", fix="Everything else was checked.")
    beside = tuple(photo.name for photo in located if len(photo.measures.faces) > 1 and not _has_second_person(photo))
    if beside:
        yield Finding(check="passers-by", severity="note", photos=beside, what=f"Small faces in the background: {listed(beside)}.", fix="They rarely matter; crop them away where it is easy.", remedy="crop")
    unsharp = tuple(photo.name for photo in located if photo.measures.person.sharpness is None and photo.measures.person.face_pixels >= SMALLEST_JUDGED_FACE)
    if unsharp:
        yield Finding(check="not judged", severity="note", photos=unsharp, what=f"Whether the face is sharp was not judged, because it is small: {listed(unsharp)}.", fix="Look at it yourself at full size.")
    unsure = tuple(photo.name for photo in located if not _can_be_judged(photo))
    if unsure and len(located) >= FEWEST_COMPARED:
        yield Finding(check="not judged", severity="note", photos=unsure, what=f"Whether it is the same person was not judged, because the face is small or seen from the side: {listed(unsure)}.", fix="Look yourself whether it is the person.")


def check_face_size(photos: Sequence[Photo]) -> Iterable[Finding]:
    for photo in photos:
        person = photo.measures.person
        if person and person.face_pixels < SMALLEST_JUDGED_FACE:
            yield Finding(check="small face", severity="warning", photos=(photo.name,), what=f"The face in {photo.name} is {person.face_pixels} pixels high: too small to learn or to judge.", fix="Use the original, larger photo, or leave it out.", remedy="exclude", value=person.face_pixels, threshold=SMALLEST_JUDGED_FACE)


def check_sideways(photos: Sequence[Photo]) -> Iterable[Finding]:
    """A hint only: somebody who lies down looks the same. `value` is the turn in degrees clockwise."""
    for photo in photos:
        if photo.measures.turn:
            yield Finding(check="sideways", severity="warning", photos=(photo.name,), what=f"{photo.name} seems to be turned: its face is found better after {TURN_WORDS[photo.measures.turn]}.", fix="Turn it, unless the person lies down in it.", remedy="turn", value=photo.measures.turn)


def check_tilted(photos: Sequence[Photo]) -> Iterable[Finding]:
    """Faces that lean further than heads usually do, seen from the front or half of it, alone. `value` is in degrees clockwise."""
    for photo in photos:
        tilt = photo.measures.tilt
        if tilt is None or abs(tilt) < TILTED or photo.measures.faces[0].angle == "profile view" or _has_second_person(photo):
            continue
        side = "right" if tilt > 0 else "left"
        yield Finding(check="tilted", severity="note", photos=(photo.name,), what=f"{photo.name} is tilted: the face leans {abs(tilt):.0f} degrees to the {side}.", fix="Straighten it if the camera was held aslant; a head that leans is no fault.", remedy="straighten", value=tilt, threshold=TILTED)


def check_person(photos: Sequence[Photo], same_person: float) -> Iterable[Finding]:
    """A photo whose face is unlike the others'; `same_person` is the reader's line."""
    judged = [photo for photo in photos if photo.measures.person and _can_be_judged(photo)]
    if len(judged) < FEWEST_COMPARED:
        return
    cosines = _cosines(judged)
    np.fill_diagonal(cosines, np.nan)
    for photo, likeness in zip(judged, np.nanmedian(cosines, axis=1).tolist(), strict=True):
        if likeness < PERHAPS_OTHER_PERSON * same_person:
            other = likeness < OTHER_PERSON * same_person
            words, threshold = ("shows somebody else", OTHER_PERSON) if other else ("may show somebody else", PERHAPS_OTHER_PERSON)
            yield Finding(
                check="different person", severity="error" if other else "warning", photos=(photo.name,), what=f"{photo.name} {words}: the face is unlike the others.",
                fix="Leave it out if it is not the person.", remedy="exclude", value=round(likeness, 2), threshold=round(threshold * same_person, 2),
            )  # fmt: skip


def check_same_shot(photos: Sequence[Photo], known: Iterable[tuple[str, ...]]) -> Iterable[Finding]:
    """Crops and mirrored crops of one shot that hashes do not see; `known` are the duplicates they did see."""
    located = [photo for photo in photos if photo.measures.faces and photo.measures.faces[0].landmarks]
    seen = {frozenset(pair) for names in known for pair in itertools.combinations(names, 2)}
    if len(located) < 2:
        return
    cosines = _cosines(located)
    pairs = [(one.name, other.name, float(cosines[i, j])) for (i, one), (j, other) in itertools.combinations(enumerate(located), 2) if cosines[i, j] >= SAME_SHOT and frozenset((one.name, other.name)) not in seen]
    for names, likeness in grouped(pairs):
        yield Finding(check="same shot", severity="warning", photos=names, what=f"{listed(names)} look like crops of one shot.", fix="Keep the best one.", remedy="exclude", value=round(likeness, 3), threshold=SAME_SHOT)


def check_sharpness(photos: Sequence[Photo]) -> Iterable[Finding]:
    for photo in photos:
        sharpness = photo.measures.person.sharpness if photo.measures.person else None
        if sharpness is None:
            continue
        if sharpness.laplacian < BLURRED_LAPLACIAN or sharpness.reblur > BLURRED_REBLUR:
            yield Finding(check="blur", severity="warning", photos=(photo.name,), what=f"The face in {photo.name} is blurred.", fix="Leave it out: the LoRA learns the blur.", remedy="exclude", **_number(sharpness, BLURRED_REBLUR, BLURRED_LAPLACIAN))
        elif sharpness.laplacian < SOFT_LAPLACIAN or sharpness.reblur > SOFT_REBLUR:
            yield Finding(check="soft", severity="note", photos=(photo.name,), what=f"The face in {photo.name} is a little soft.", fix="Keep it only if its angle or light is rare.", remedy="exclude", **_number(sharpness, SOFT_REBLUR, SOFT_LAPLACIAN))


def check_exposure(photos: Sequence[Photo]) -> Iterable[Finding]:
    lit = [(photo, photo.measures.person.light) for photo in photos if photo.measures.person and photo.measures.person.light]
    usual = statistics.median([light.lightness for _, light in lit]) if lit else 0.0
    if len(lit) >= FEWEST_LIT_FACES and usual < VERY_DARK:
        dark = tuple(photo.name for photo, light in lit if light.lightness < VERY_DARK)
        yield Finding(check="dark set", severity="warning", photos=dark, what="Most faces are very dark.", fix="Brighten the photos in a photo editor: what cannot be seen cannot be learned.", value=usual, threshold=VERY_DARK)
    for photo, light in lit:
        below = usual - light.lightness
        if below > MUCH_DARKER_THAN_USUAL or (below > DARKER_THAN_USUAL and light.lightness < DARK):
            severity = "error" if light.lightness < VERY_DARK else "warning"
            yield Finding(check="dark", severity=severity, photos=(photo.name,), what=f"The face in {photo.name} is much darker than in the other photos.", fix="Brighten it in a photo editor, or leave it out.", remedy="exclude", value=light.lightness, threshold=round(usual - DARKER_THAN_USUAL, 1))
        if light.clipped > CLIPPED:
            severity, threshold = ("error", BADLY_CLIPPED) if light.clipped > BADLY_CLIPPED else ("warning", CLIPPED)
            yield Finding(check="overexposed", severity=severity, photos=(photo.name,), what=f"{light.clipped:.0%} of the face in {photo.name} is burnt out.", fix="Leave it out, or develop it darker.", remedy="exclude", value=light.clipped, threshold=threshold)


def check_light_variety(photos: Sequence[Photo]) -> Iterable[Finding]:
    lights = [photo.measures.person.light for photo in photos if photo.measures.person and photo.measures.person.light]
    words = [face.light for face in _first_faces(photos) if face.light]
    alike = len(words) >= FEWEST_LIT_FACES and len(set(words)) == 1
    if len(lights) >= FEWEST_LIT_FACES:
        spreads = [statistics.pstdev(values) for values in zip(*((light.lightness, light.side, light.warmth) for light in lights), strict=True)]
        alike = spreads[0] < LEAST_LIGHTNESS_SPREAD and spreads[1] < LEAST_SIDE_SPREAD and spreads[2] < LEAST_WARMTH_SPREAD
    if alike:
        yield Finding(check="light variety", severity="warning", what="The light is the same in all photos.", fix="Add photos by a window, outdoors and in the evening: else every picture gets this light.")


def check_angles(photos: Sequence[Photo]) -> Iterable[Finding]:
    faces = _first_faces(photos)
    if len(photos) < FEWEST_PHOTOS or not faces:
        return
    angles = Counter(face.angle for face in faces)
    sides = {face.facing for face in faces if face.angle == "three-quarter view"}
    lacking = []
    if angles["three-quarter view"] < FEWEST_THREE_QUARTER or len(sides) < 2:
        lacking.append(f"three-quarter views from both sides ({angles['three-quarter view']} there, {FEWEST_THREE_QUARTER} wanted)")
    if angles["profile view"] < FEWEST_PROFILE:
        lacking.append("a profile view")
    front = angles["front view"] / len(faces)
    if lacking or front > MOST_FRONT:
        what = f"Missing: {' and '.join(lacking)}." if lacking else f"{front:.0%} of the photos are front views."
        yield Finding(check="angles", severity="warning", what=what, fix="Add them: from sides it has not seen, the LoRA invents a face.", value=round(front, 2), threshold=MOST_FRONT)


def check_framing(photos: Sequence[Photo]) -> Iterable[Finding]:
    faces = _first_faces(photos)
    if len(photos) < FEWEST_PHOTOS or not faces:
        return
    framings = Counter(face.framing for face in faces)
    close, further = framings["close-up"] + framings["portrait"], framings["half body"] + framings["full body"]
    lacking = []
    if not close:
        lacking.append("portraits")
    if further < FEWEST_MID_OR_FULL or not framings["full body"]:
        lacking.append(f"photos to the waist and of the whole body ({framings['half body']} and {framings['full body']} there)")
    if lacking:
        yield Finding(check="framing", severity="warning", what=f"Missing: {' and '.join(lacking)}.", fix="Add some: a face learned only at one size is drawn badly at others.", value=further, threshold=FEWEST_MID_OR_FULL)


def coverage_of(photos: Sequence[Photo]) -> Coverage:
    """How many photos there are of each angle and framing, and their light."""
    cells = Counter((face.angle if face.angle == "front view" else f"{face.angle} {face.facing}", "portrait" if face.framing == "close-up" else face.framing) for face in _first_faces(photos))
    lights = [photo.measures.person.light for photo in photos if photo.measures.person and photo.measures.person.light]
    return Coverage(
        cells={f"{angle}, {framing}": count for (angle, framing), count in sorted(cells.items())},
        lightness=tuple(light.lightness for light in lights), side=tuple(light.side for light in lights), warmth=tuple(light.warmth for light in lights),
    )  # fmt: skip


def counts_as_person(score: float, area: float) -> bool:
    """Whether a further face is somebody beside the person rather than a passer-by; `area` is its share of the largest face's."""
    return area >= (SECOND_FACE_AREA if score >= SURE_SCORE else UNSURE_SECOND_FACE_AREA)


def _has_second_person(photo: Photo) -> bool:
    faces = photo.measures.faces
    return len(faces) > 1 and counts_as_person(faces[1].score, faces[1].area / faces[0].area)


def _first_faces(photos: Sequence[Photo]) -> list:
    return [photo.measures.faces[0] for photo in photos if photo.measures.faces]


def _number(sharpness: Sharpness, reblur: float, laplacian: float) -> dict[str, Any]:
    """That of the two measures which found it."""
    if sharpness.reblur > reblur:
        return {"value": sharpness.reblur, "threshold": reblur}
    return {"value": sharpness.laplacian, "threshold": laplacian, "measure": "fine detail"}


def _can_be_judged(photo: Photo) -> bool:
    yaw = photo.measures.faces[0].yaw
    return photo.measures.person.face_pixels >= SMALLEST_JUDGED_FACE and (yaw is None or abs(yaw) <= LARGEST_JUDGED_YAW)


def _cosines(photos: Sequence[Photo]) -> np.ndarray:
    embeddings = np.array([photo.measures.person.embedding for photo in photos])
    return embeddings @ embeddings.T
