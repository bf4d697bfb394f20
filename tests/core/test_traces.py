import errno
import shutil
from pathlib import Path

import pytest
from PIL import Image

import core.traces as traces_module
from core.analysis_tasks import analysis_folder
from core.dataset.subjects import create_subject
from core.errors import Refused
from core.evaluation.grid import GridRequest, StrengthGrid, evaluations_folder, save_grid
from core.events import RunFailed, RunFinished
from core.jobs import Worker
from core.run_queue import RunQueue
from core.runs import RunStore
from core.settings import parse_settings
from core.tasks import purge_log, start_purge
from core.traces import purge, traces_of
from core.trash import Trash


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Anna and Berta, each with photos, a run, samples, a grid, a report and a LoRA; the cache is everybody's."""
    monkeypatch.setattr("core.tasks.CACHE_FOLDER", tmp_path / "data" / "cache")  # else a purge empties the checkout's own
    store = RunStore(tmp_path / "output")
    for name in ("anna", "berta"):
        folder = create_subject(name, tmp_path / "data")
        Image.new("RGB", (8, 8)).save(folder / "1.jpg")
        (folder / "1.txt").write_text(f"{name} on a photo")
        (folder / ".studio" / "trash").mkdir(parents=True)
        (folder / ".studio" / "trash" / "0.jpg").write_bytes(b"deleted")
        run = store.create(parse_settings({"run.name": f"{name}-run", "dataset.folder": str(folder), "run.output": str(store.root)}))
        (run.checkpoints_folder / "step-000002").mkdir(parents=True)
        (run.checkpoints_folder / "step-000002" / "lora.safetensors").write_bytes(b"weights")
        state = run.checkpoints_folder / "step-000002" / "state.json"
        state.write_text(f'{{"dataset": "{folder}"}}')
        card, class_caption = run.lora_file.with_suffix(".md"), folder.with_name(f"{name}-class") / "class-000.txt"
        for file in (run.samples_folder / "a.webp", run.lora_file, card, run.output / f"{run.name}-grid.png", class_caption, analysis_folder(store.root, str(folder)) / "report.json"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(name.encode())
        save_grid(StrengthGrid(name=f"{name}-grid", request=GridRequest(lora=run.lora_file.name, model_path="x", prompts=("a",))), store.root)
        (evaluations_folder(store.root) / f"{name}-run-0102-030405").mkdir()
        (evaluations_folder(store.root) / f"{name}-run-0102-030405" / "events.jsonl").touch()
    for place in ("latents", "embeddings", "faces", "pocket", "evaluation-truth"):
        (tmp_path / "data" / "cache" / place).mkdir(parents=True)
        (tmp_path / "data" / "cache" / place / "x.safetensors").write_bytes(b"cached")
    return tmp_path, store


def traces(house, name="anna"):
    root, store = house
    folder = root / "data" / name
    return traces_of(folder, analysis_folder(store.root, str(folder)), root / "data" / "cache", store)


def everything(root):
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def test_what_is_kept_is_counted_and_nothing_is_changed(house):
    before = everything(house[0])
    found = traces(house)
    assert {trace.what: trace.files for trace in found.goes} == {
        "strength grids": 2, "grids of model cards": 1, "samples": 1, "runs with their checkpoints": 3, "analyses": 1, "encoded photos and captions, of everybody": 3,
        "class photos drawn for the person, with captions made of the person's": 1, "originals, deleted photos, half-sent files": 1, "captions": 1, "photos": 1,
    }  # fmt: skip
    assert next(trace for trace in found.goes if trace.what == "captions").bytes == len("anna on a photo")
    assert found.loras.files == 2 and found.stays == () and everything(house[0]) == before


def test_nothing_of_the_person_is_left_and_everything_of_the_other_is(house):
    root, _ = house
    before = everything(root)
    events = list(purge(traces(house), with_loras=False))
    assert isinstance(events[-1], RunFinished) and len(events) == 11
    gone = before - everything(root)
    assert {path for path in everything(root) if "anna" in path} == {"output/anna-run.safetensors", "output/anna-run.md"}
    assert not any("berta" in path or "pocket" in path or "evaluation-truth" in path for path in gone)
    assert not any(b"anna" in path.read_bytes() for path in root.rglob("*") if path.is_file() and path.stem != "anna-run")
    assert traces(house, "berta").loras.files == 2


def test_lora_files_go_only_when_asked(house):
    list(purge(traces(house), with_loras=True))
    assert not any("anna" in path for path in everything(house[0]))


def test_what_the_studio_did_not_make_stays_and_is_named(house):
    folder = house[0] / "data" / "anna"
    (folder / "contract.pdf").write_bytes(b"x")
    (folder / "old").mkdir()
    (folder / "old" / "2.jpg").write_bytes(b"x")
    found = traces(house)
    list(purge(found, with_loras=False))
    assert [path.name for path in found.stays] == ["contract.pdf", "old"] and sorted(path.name for path in folder.iterdir()) == ["contract.pdf", "old"]


def test_links_are_deleted_and_never_followed(house):
    root = house[0]
    (root / "outside").mkdir()
    (root / "outside" / "3.jpg").write_bytes(b"mine")
    (root / "data" / "anna" / "2.jpg").symlink_to(root / "outside" / "3.jpg")
    (root / "data" / "anna" / "images").symlink_to(root / "outside")
    list(purge(traces(house), with_loras=True))
    assert (root / "outside" / "3.jpg").read_bytes() == b"mine" and not (root / "data" / "anna" / "2.jpg").is_symlink()


def test_a_run_whose_record_cannot_be_read_is_named(house):
    (house[1].root / "anna-run" / "run.json").write_text("{")
    assert [path.name for path in traces(house).stays] == ["anna-run"]


def start(house, worker, name="anna"):
    start_purge(worker, str(house[0] / "data" / name), False, house[1])


def test_it_is_refused_while_something_runs(house):
    before = everything(house[0])
    with house[1].exclusive("training 'berta-run'"), pytest.raises(Refused, match="training 'berta-run'"):
        start(house, Worker())
    assert everything(house[0]) - before <= {"output/.job.lock", "output/.job.holder"} and (house[0] / "data" / "anna" / "1.jpg").exists()


def test_it_runs_as_a_job_with_a_log_without_the_persons_name(house, monkeypatch):
    worker = Worker()
    start(house, worker)
    assert worker.wait(20) and not (house[0] / "data" / "anna").exists()
    log = purge_log(house[1])
    assert isinstance(log.ended(), RunFinished) and "anna" not in log.file.read_text() + (house[1].root / ".job.holder").read_text()


def test_a_disk_that_refuses_is_said_and_it_can_be_asked_for_again(house, monkeypatch):
    whole = shutil.rmtree

    def refuse(path):
        if Path(path).name == "anna-run":
            raise OSError(errno.EACCES, "Permission denied", str(path))
        whole(path)

    monkeypatch.setattr(traces_module.shutil, "rmtree", refuse)
    worker = Worker()
    start(house, worker)
    assert worker.wait(20) and isinstance(purge_log(house[1]).ended(), RunFailed) and (house[0] / "data" / "anna" / "1.jpg").exists()
    monkeypatch.setattr(traces_module.shutil, "rmtree", whole)
    start(house, worker)
    assert worker.wait(20) and not (house[0] / "data" / "anna").exists()


@pytest.mark.parametrize("name", ["anna", "ANNA", "cache", "../x", "", "con"])
def test_no_second_person_of_a_name(house, name):
    before = everything(house[0])
    with pytest.raises(Refused):
        create_subject(name, house[0] / "data")
    assert everything(house[0]) == before


def test_deleted_and_waiting_runs_of_a_person_go_with_the_person_and_others_stay(house):
    root, store = house
    trash, queue = Trash(store), RunQueue(store.root)
    for name in ("anna", "berta"):
        queue.add(parse_settings({"run.name": f"{name}-next", "dataset.folder": str(root / "data" / name)}), "fast")
        trash.delete(f"{name}-run")
    found = {trace.what: trace.files for trace in traces(house).goes}
    assert found["deleted runs with their LoRAs"] == 8 and found["strength grids"] == 2
    worker = Worker()
    start_purge(worker, str(root / "data" / "anna"), False, store)
    assert worker.wait(20) and purge_log(store).ended().kind == "finished"
    assert [deleted.name for deleted in trash.listing()] == ["berta-run"] and not any("anna" in path for path in everything(root))
    assert [waiting.name for waiting in queue.read().waiting] == ["berta-next"]
