"""What the Evaluation tab shows of results on disk: recommendation, measures, copies, history; everything escaped, files served from listings only."""

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from core.durable import write_json
from core.evaluation.choice import CHOICE_FILE, Choice, first_look_name
from core.evaluation.compare import load_evaluation
from core.evaluation.coverage import covered, covered_words
from core.evaluation.grid import HTML_FILE, GridCell, GridRequest, StrengthGrid, evaluations_folder, save_grid
from core.evaluation.job import EvaluationJob, save_job
from core.evaluation.prompts import Prompt
from core.evaluation.recommend import recommend
from core.evaluation.scores import SCORES_FILE
from core.evaluation.sheet import draw_sheet, sheet_page
from core.events import Phase, RunFailed, RunStarted
from core.runs import RunStore
from core.settings import parse_settings
from core.tasks import grid_log
from tests.core.scores import picture, table
from ui.evaluation_cards import copied_photos, history_table, measures_card, recommendation_card
from ui.evaluation_tab import EvaluationTab
from ui.pictures import strength_grid
from ui.server.files import add_file_routes
from ui.settings_form import SettingsForm
from ui.studio import Studio

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def studio(tmp_path):
    (tmp_path / "output").mkdir()
    return Studio(RunStore(tmp_path / "output"), {})


def evaluated(studio, likeness, **fields):
    """A measured and recommended grid of four prompts, as the job leaves it."""
    output = studio.store.root
    request = GridRequest(lora="anna.safetensors", model_path="x", prompts=(EVIL, "b", "c", "d"), strengths=(0.0, 1.0), width=64, height=64)
    cells = tuple(GridCell(row=row, seed=1234 + row, strength=strength, file=f"row-{row}-{strength:g}.png") for row in range(4) for strength in (0.0, 1.0))
    grid = StrengthGrid(name="anna-1", request=request, cells=cells)
    save_grid(grid, output)
    folder = evaluations_folder(output) / grid.name
    for cell in cells:
        Image.new("RGB", (64, 64), (200, 30, 30)).save(folder / cell.file)
    scores = table({("final", 1.0): lambda p, s: picture(p, 1234 + p, "final", 1.0, likeness, **fields)}, seeds=1)
    write_json(folder / SCORES_FILE, scores.model_dump(mode="json"))
    (folder / HTML_FILE).write_text(sheet_page(grid, folder, scores))
    draw_sheet(grid, folder, scores).save(folder / "grid.png")
    return grid, scores, folder


def choose(folder, scores, file="anna.safetensors"):
    found = recommend(scores, {"final": 400})
    write_json(folder / CHOICE_FILE, Choice(lora="anna.safetensors", recommendation=found, file=file if found.chosen else "").model_dump(mode="json"))
    return found


def test_the_recommendation_says_step_strength_likeness_with_uncertainty_and_what_to_load(studio):
    grid, _, folder = evaluated(studio, 0.86, adherence=None)
    found = choose(folder, table({("final", 1.0): lambda p, s: picture(p, s, "final", 1.0, 0.86), ("final", 0.5): lambda p, s: picture(p, s, "final", 0.5, 0.6)}))
    card = recommendation_card(load_evaluation(grid.name, studio.store.root))
    assert "Step 400 (the last) at 1.0" in card and "likeness 0.86 &plusmn; 0.00" in card and "Runner-up: Step 400 (the last) at 0.5" in card
    assert 'href="lora/anna.safetensors"' in card and 'href="card/anna.safetensors"' in card and found.chosen.strength == 1.0


def test_the_grid_of_a_card_is_offered_where_it_was_asked_for(studio):
    grid, scores, folder = evaluated(studio, 0.86)
    choose(folder, scores)
    assert "Its grid" not in recommendation_card(load_evaluation(grid.name, studio.store.root))
    save_grid(grid.model_copy(update={"request": grid.request.model_copy(update={"card_grid": True})}), studio.store.root)
    assert f'<a href="pictures/evaluations/{grid.name}/grid.png" download="anna-grid.png">Its grid</a>' in recommendation_card(load_evaluation(grid.name, studio.store.root))


def test_none_is_good_enough_is_shown_with_its_reason(studio):
    grid, scores, folder = evaluated(studio, 0.2)
    choose(folder, scores)
    card = recommendation_card(load_evaluation(grid.name, studio.store.root))
    assert "None is good enough" in card and "The nearest fails: likeness" in card and "href" not in card


def test_measures_that_could_not_be_taken_are_shown_with_their_reason(studio):
    grid, _, _ = evaluated(studio, 0.9)
    shown = measures_card(load_evaluation(grid.name, studio.store.root))
    assert "not measured: no prompt asks for two people" in shown and "not measured: skin has no texture in drawings" in shown
    assert "<td class='good'" in shown and "0.90" in shown


def test_the_copied_photo_is_shown(studio):
    grid, _, _ = evaluated(studio, 0.9, copied=("picture",), copy_of="photo-3")
    shown = copied_photos(load_evaluation(grid.name, studio.store.root), {"photo-3": "photos?name=photo-3"})
    assert "photo-3" in shown and "photos?name=photo-3" in shown
    assert copied_photos(None, {}) == ""


def test_likeness_stands_under_each_cell_and_prompts_are_text(studio):
    grid, _, folder = evaluated(studio, 0.8612)
    kept = load_evaluation(grid.name, studio.store.root)
    for html in (strength_grid(grid, kept.scores), (folder / HTML_FILE).read_text(), history_table([kept])):
        assert "<img src=x" not in html and ("0.86" in html)


def test_the_html_sheet_needs_nothing_else(studio):
    _, _, folder = evaluated(studio, 0.9)
    page = (folder / HTML_FILE).read_text()
    assert page.count("data:image/webp;base64,") == 8 and "http" not in page.replace("http-equiv", "") and "<script" not in page


@pytest.mark.parametrize(
    ("address", "status"),
    [("/sheet/anna-1", 200), ("/card/anna.safetensors", 200), ("/sheet/../anna", 404), ("/sheet/nobody", 404), ("/card/berta.safetensors", 404), ("/card/secret", 404), ("/pictures/evaluations/anna-1/scores.json", 404)],
)
def test_sheets_and_cards_come_from_the_listings_and_are_downloads(studio, address, status):
    evaluated(studio, 0.9)
    (studio.store.root / "anna.safetensors").write_bytes(b"x")
    (studio.store.root / "anna.md").write_text("# anna")
    (studio.store.root / "secret.md").write_text("secret")
    app = FastAPI()
    add_file_routes(app, studio)
    answer = TestClient(app).get(address)
    assert answer.status_code == status
    assert status == 404 or "attachment" in answer.headers["content-disposition"]


def test_prompts_that_the_photos_answer_already_are_named():
    captions = {"photo-1": "ohwx woman, wearing a red shirt, on a beach, front view", "photo-2": "ohwx woman in a forest, soft light"}
    prompts = [Prompt("photo of {trigger} {class} on a beach in a red shirt, front view", "front"), Prompt("{trigger} {class} riding a bicycle in the rain", "clothes"), Prompt("{class} on a beach in a red shirt", "class"), Prompt("{trigger} {class} in a forest, front view, red shirt")]
    found = covered(prompts, captions, {}, "ohwx", "woman")
    assert [(one.prompt, one.photo, one.share) for one in found] == [(0, "photo-1", 1.0), (3, "photo-1", 0.8)]
    assert "photo-1" in covered_words(found[0], prompts[0])
    assert covered([Prompt("{trigger} {class}, profile view, in a forest")], captions, {"profile view left, portrait": 2}, "ohwx", "woman")[0].photo == ""
    assert covered(prompts, {}, {}, "ohwx", "woman") == []


def test_the_page_warns_of_prompts_inside_the_photos_and_names_the_photo(studio, tmp_path):
    """Through the handler of the button, with photos and captions on disk."""
    folder = tmp_path / "anna"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "photo-1.png")
    (folder / "photo-1.txt").write_text("ohwx woman, wearing a red shirt, on a beach, front view")
    run = studio.store.create(parse_settings({"run.name": "anna", "run.output": str(studio.store.root), "dataset.folder": str(folder), "dataset.trigger_word": "ohwx", "dataset.class_word": "woman"}))
    with gr.Blocks():
        tab = EvaluationTab(studio, SettingsForm(studio, studio.resolved("demo")))
    warned = tab._check(run.lora_file.name, "[front] photo of {trigger} {class} on a beach in a red shirt, front view\n{trigger} {class} riding a bicycle in the rain")
    assert "1 of 2 prompts test nothing new" in warned and "photo-1 shows (100% of its words)" in warned and "bicycle" not in warned
    assert "Every prompt asks for something new" in tab._check(run.lora_file.name, "{trigger} {class} riding a bicycle in the rain")


def test_an_evaluation_is_shown_from_its_first_second_and_with_the_reason_it_failed_for(studio):
    """Before there is a grid: while libraries load, or where its base model is gone."""
    evaluated(studio, 0.8)
    with gr.Blocks():
        tab = EvaluationTab(studio, SettingsForm(studio, studio.resolved("demo")))
    job = EvaluationJob(aim="grid", request=GridRequest(lora="anna.safetensors", model_path="x", prompts=("a",), strengths=(1.0,), width=64, height=64))
    save_job(job, "anna-2", studio.store.root)
    log = grid_log("anna-2", studio.store)
    log.append(Phase(what="Starting: loading libraries"))
    with studio.store.exclusive("drawing the grid of 'anna.safetensors'"):
        key, shown = tab.render("anna.safetensors", "anna-2", ())
    assert shown[1]["choices"] == ["anna-2", "anna-1"] and "Starting: loading libraries" in shown[2] and "grid appears here" in shown[4]
    log.append(RunFailed(what="The base model is gone <b>.", where="x", fix="Choose another."))
    failed = tab.render("anna.safetensors", "anna-2", key)[1]
    assert "The base model is gone &lt;b&gt;." in failed[2] and "Choose another." in failed[2]


def test_a_search_for_the_best_strength_shows_its_first_look_and_is_at_work_not_broken_off(studio):
    grid, _, _ = evaluated(studio, 0.8)
    with gr.Blocks():
        tab = EvaluationTab(studio, SettingsForm(studio, studio.resolved("demo")))
    save_job(EvaluationJob(aim="choose", request=grid.request), "anna-2", studio.store.root)
    log = grid_log("anna-2", studio.store)
    for event in (RunStarted(job="evaluate", name="anna-2", steps=8), Phase(what="Drawing", done=3, total=8)):
        log.append(event)
    save_grid(grid.model_copy(update={"name": first_look_name("anna-2")}), studio.store.root)
    with studio.store.exclusive("drawing pictures to choose from of 'anna.safetensors'"):
        _, shown = tab.render("anna.safetensors", "anna-2", ())
    assert "Drawing: 3 of 8" in shown[2] and "Interrupted" not in shown[2]
    assert f"pictures/evaluations/{first_look_name('anna-2')}/row-0-0.png" in shown[4]
    assert "Interrupted" in tab.render("anna.safetensors", "anna-2", ())[1][2]
