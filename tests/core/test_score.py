"""A drawn grid is judged against the person's photos: what repeats one of them, and what only obeys."""

import random
from pathlib import Path

import pytest
from PIL import ImageOps

from core.evaluation.grid import GridCell, GridRequest, StrengthGrid, evaluations_folder
from core.evaluation.score import score_grid
from core.evaluation.scores import GridScores
from core.pocket.demo import demo_scenes, write_photos
from core.pocket.drawing import draw
from core.pocket.people import random_identity, scene_caption
from core.settings import POCKET_FLUX

TRIGGER, ELSEWHERE = "ohwx", "ohwx woman, wearing a green coat, on a ship"


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Twice the mirror image of the first photo at strength 1 and another scene at 0: once for the words of that photo, once for others."""
    output = tmp_path_factory.mktemp("output")
    person, scenes = random_identity(random.Random("scored")), demo_scenes("scored", 6)
    photos = output / "photos"
    photos.mkdir()
    write_photos(photos, person, scenes[:5], f"{TRIGGER} {person.gender}", 128)
    asked = scene_caption(scenes[0], f"{TRIGGER} {person.gender}")
    request = GridRequest(
        lora="x.safetensors", model_path=POCKET_FLUX, prompts=(asked, ELSEWHERE), kinds=("front", "clothes"), dataset=str(photos), trigger_word=TRIGGER, class_word=person.gender, strengths=(0.0, 1.0), width=128, height=128
    )
    cells = tuple(GridCell(row=row, seed=request.rows[row].seed, strength=strength, file=f"{row}-{strength}.png") for row in (0, 1) for strength in (0.0, 1.0))
    grid = StrengthGrid(name="scored", request=request, cells=cells)
    folder: Path = evaluations_folder(output) / grid.name
    folder.mkdir(parents=True)
    copy, other = ImageOps.mirror(draw(person, scenes[0], 128)), draw(random_identity(random.Random("somebody")), scenes[5], 128)
    for cell in cells:
        (copy if cell.strength else other).save(folder / cell.file)
    *_, scores = score_grid(grid, output, lambda: False, output / "cache")
    assert isinstance(scores, GridScores)
    return scores


def test_a_picture_that_looks_like_a_photo_is_a_copy_unless_the_prompt_describes_that_photo(scored):
    obeyed, unasked = (score for score in scored.scores if score.strength)
    assert obeyed.asks_for_a_photo and not {"composition", "picture"} & set(obeyed.copied)
    assert not unasked.asks_for_a_photo and {"composition", "picture"} <= set(unasked.copied) and unasked.copy_of == "photo-01"
    assert all(score.copied == () for score in scored.scores if not score.strength)


def test_photos_of_the_same_head_angle_are_counted(scored):
    assert all(score.photos_at_angle is not None and 0 <= score.photos_at_angle <= 5 for score in scored.scores)
    assert max(score.photos_at_angle for score in scored.scores if score.strength) >= 1
