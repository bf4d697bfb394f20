import io
import zipfile

import pytest
from PIL import Image

from core.run_archive import members, stream
from core.runs import RunStore
from core.settings import parse_settings


@pytest.fixture
def run(tmp_path):
    photos = tmp_path / "data" / "anna"
    photos.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(photos / "1.png")
    (photos / "1.txt").write_text("ohwx person")
    store = RunStore(tmp_path / "output")
    run = store.create(parse_settings({"run.name": "anna", "dataset.folder": str(photos)}))
    (run.checkpoints_folder / "step-000002").mkdir(parents=True)
    for file in (run.checkpoints_folder / "step-000002" / "optimizer.safetensors", run.lora_file):
        file.write_bytes(bytes(range(256)) * 20_000)
    run.samples_folder.mkdir(parents=True)
    (run.samples_folder / "step-000000-0.webp").write_bytes(b"picture")
    (run.samples_folder / ".hidden").write_bytes(b"no")
    (run.samples_folder / "link.webp").symlink_to("/etc/passwd")
    run.log.file.write_text('{"kind":"phase","what":"x"}\n')
    (store.root / ".secrets").mkdir()
    (store.root / ".secrets" / "access_token").write_text("a-secret-token")
    (run.folder / "unknown.txt").write_text("not one of a run's files")
    return run


def packed(files):
    return zipfile.ZipFile(io.BytesIO(b"".join(stream(files))))


def test_the_archive_is_whole_and_holds_no_photo_checkpoint_secret_or_link(run):
    archive = packed(members(run, with_checkpoints=False, with_photos=False))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == ["anna/anna.safetensors", "anna/run/events.jsonl", "anna/run/run.json", "anna/samples/step-000000-0.webp"]
    assert archive.read("anna/anna.safetensors") == run.lora_file.read_bytes()
    assert not any(b"a-secret-token" in archive.read(name) or b"root:" in archive.read(name) for name in archive.namelist())


def test_photos_and_checkpoints_come_only_when_asked_for(run):
    names = set(packed(members(run, with_checkpoints=True, with_photos=True)).namelist())
    assert {"anna/photos/1.png", "anna/photos/1.txt", "anna/run/checkpoints/step-000002/optimizer.safetensors"} <= names


def test_it_is_sent_in_pieces_and_survives_a_file_that_vanishes(run):
    files = members(run, False, False)
    pieces = list(stream(files))
    assert len(pieces) > 5 and max(map(len, pieces)) < 3 << 20
    run.lora_file.unlink()
    assert "anna/run/run.json" in packed(files).namelist() and "anna/anna.safetensors" not in packed(files).namelist()
