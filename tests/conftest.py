"""What tests share: drawn people as photos, and settings of a run of seconds."""

import functools
import os
import random
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # One core each; before torch is imported, and for the processes that tests start.
    os.environ["OMP_NUM_THREADS"] = "1"

import pytest

from core.loading import set_libraries_aside
from core.pocket.demo import DEMO_FOLDER, demo_scenes, make_demo_subject, write_photos
from core.pocket.people import random_identity
from core.presets import resolve

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_finish() -> None:
    """All libraries are here: what the garbage collector need not go through again and again takes a tenth of the ring's time."""
    set_libraries_aside()


@pytest.fixture(autouse=True)
def in_the_studio(monkeypatch):
    """Paths such as presets/ are relative to the studio's folder; the machine's own variables stay out."""
    monkeypatch.chdir(ROOT)
    for name in ("MODEL_PATH", "DATA_DIR", "REG_DIR", "OUT_DIR", "RUN_NAME", "RESUME_FROM", "DRY_RUN", "APP_TOKEN", "RUNPOD_POD_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def demo_subject() -> Path:
    """The demo person, as the first start draws it."""
    make_demo_subject(ROOT / DEMO_FOLDER)
    return DEMO_FOLDER


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Six captioned photos of one drawn person."""
    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder, random_identity(random.Random(3)), demo_scenes("tests", 6), "ohwx person", 128)
    return folder


def short_settings(photos: Path, output: Path, **changes):
    pairs = {
        "run.name": "short", "run.output": output, "dataset.folder": photos, "train.steps": 4, "train.batch_size": 2, "train.save_every": 2, "train.validate_every": 4,
        "optimizer.warmup_steps": 1, "lora.rank": 4, "lora.alpha": 4, "sampling.every": 0, "sampling.num_inference_steps": 2,
    }  # fmt: skip
    pairs |= {key.replace("__", "."): value for key, value in changes.items()}
    return resolve("demo", {}, [f"{key}={value}" for key, value in pairs.items()]).settings


@pytest.fixture
def short_run(photos, tmp_path):
    """Settings of a run of four steps; keyword arguments are section__field values laid over it."""

    return functools.partial(short_settings, photos, tmp_path / "output")
