"""The routes of runs: listed names only, whole archives, and no photo of the person unless asked."""

import io
import zipfile

import pytest
from PIL import Image
from starlette.testclient import TestClient

from core.events import Phase, RunStarted, StepDone
from core.runs import RunStore, training_words
from core.settings import parse_settings
from ui.server.build import build_app
from ui.studio import Studio


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    root = tmp_path_factory.mktemp("house")
    (root / "photos").mkdir()
    Image.new("RGB", (32, 32)).save(root / "photos" / "1.png")
    store = RunStore(root / "output")
    run = store.create(parse_settings({"run.name": "anna", "dataset.folder": str(root / "photos")}))
    run.lora_file.write_bytes(b"weights")
    for event in (RunStarted(job="train", name="anna", steps=10), Phase(what="<b>Encoding</b>"), StepDone(step=3, loss=0.5, learning_rate=1e-4, grad_norm=1.0, seconds=0.5, memory_gib=1.0)):
        run.log.append(event)
    (store.root / ".secrets").mkdir()
    (store.root / ".secrets" / "access_token").write_text("very-secret-token")
    studio = Studio(store, {}, hub_token="hf_planted_secret")
    return studio, TestClient(build_app(studio), base_url="http://127.0.0.1:7860")


def names_in(answer):
    return zipfile.ZipFile(io.BytesIO(answer.content)).namelist()


def test_everything_of_a_run_comes_as_one_whole_archive(house):
    answer = house[1].get("/runs/anna/everything.zip")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip" and "anna.zip" in answer.headers["content-disposition"]
    assert sorted(names_in(answer)) == ["anna/anna.safetensors", "anna/run/events.jsonl", "anna/run/run.json"]
    assert b"very-secret-token" not in answer.content and b"hf_planted_secret" not in answer.content
    assert "anna/photos/1.png" in names_in(house[1].get("/runs/anna/everything.zip?photos=true"))


def test_the_log_comes_as_text(house):
    answer = house[1].get("/runs/anna/log.txt")
    assert "<b>Encoding</b>" in answer.text and answer.headers["content-type"].startswith("text/plain") and answer.headers["x-content-type-options"] == "nosniff"


def test_what_runs_now_is_told(house):
    studio, client = house
    assert client.get("/now").json() == {"running": False, "name": "anna", "step": 3, "steps": 10, "ended": ""}
    with studio.store.exclusive(training_words("anna")):
        assert client.get("/now").json()["running"] is True


@pytest.mark.parametrize("name", ["..", "..%2f..%2fetc", ".secrets", "nobody", "anna%00", "%2e%2e", "samples"])
def test_other_names_are_not_found(house, name):
    for path in (f"/runs/{name}/everything.zip", f"/runs/{name}/log.txt"):
        assert house[1].get(path).status_code == 404


def test_the_hubs_token_is_nowhere_on_the_page(house):
    studio, client = house
    page = client.get("/config").text
    assert "HF_TOKEN is set" in page and "hf_planted_secret" not in page and "hf_planted_secret" not in repr(studio)
