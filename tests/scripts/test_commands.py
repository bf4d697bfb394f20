"""The guide's commands as a person types them: plans, refusals, exit codes, a real short run."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def call(*arguments, variables=None, cwd=ROOT):
    environment = {**os.environ, **{name: str(value) for name, value in (variables or {}).items()}}
    return subprocess.run([sys.executable, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)


def demo(photos, tmp_path, **more):
    return {"DATA_DIR": photos, "OUT_DIR": tmp_path / "output", "MAX_STEPS": 2, "RANK": 4, "ALPHA": 4, **more}


def test_a_dry_run_prints_the_plan_and_does_nothing(photos, tmp_path):
    result = call("scripts/train.py", "--preset", "final", variables={**demo(photos, tmp_path), "DRY_RUN": 1, "NOISE_OFFSET": 0.05, "RUN_NAME": "john", "PRICE_PER_HOUR": 100})
    assert result.returncode == 0, result.stderr
    for expected in ("train.noise_offset", "variable NOISE_OFFSET", "preset final", "6 in", "768x768: 6 photos", "2 optimizer steps of 1 x 4 photos, 8 forward passes", "john.safetensors"):
        assert expected in result.stdout, expected
    assert not (tmp_path / "output").exists()
    minutes = sum(map(float, re.search(r"very roughly ([\d.]+) minutes of steps and ([\d.]+) of samples", result.stdout).groups()))
    assert float(re.search(r"Price: about ([\d.]+) at 100 an hour", result.stdout)[1]) == pytest.approx(minutes / 60 * 100, abs=0.3)


@pytest.mark.parametrize(
    ("variables", "arguments", "words"),
    [
        ({"USE_REG": 1, "REG_DIR": "/nowhere"}, [], "/nowhere"), ({"MAX_STEPS": "many"}, [], "MAX_STEPS"), ({"RANK": 0}, [], "lora.rank"),
        ({"MODEL_PATH": "/nowhere"}, [], "not there"), ({"MODEL_PATH": "data"}, [], "not a FLUX"), ({"DATA_DIR": "/nowhere"}, [], "dataset folder"), ({"RESOLUTION": 4096}, [], "dataset.resolution"),
        ({}, ["--set", "train.stepps=3"], "train.steps"), ({}, ["--preset", "fats"], "fast"), ({}, ["--resume", "nobody"], "nobody"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_the_fix_and_code_2(photos, tmp_path, variables, arguments, words):
    result = call("scripts/train.py", *arguments, variables={**demo(photos, tmp_path), **variables})
    assert result.returncode == 2 and words in result.stderr and "Traceback" not in result.stderr, result.stderr


def test_the_guides_two_phases_run_by_one_variable_and_by_two_commands(photos, tmp_path):
    small = ["--set", "sampling.every=0", "--set", "lora.rank=4", "--set", "lora.alpha=4"]
    one = call("scripts/train.py", "--preset", "demo", *small, variables=demo(photos, tmp_path, RUN_NAME="both", TWO_PHASE_TE=1, USE_REG=1))
    assert one.returncode == 0 and "Freezing the text encoder" in one.stdout + one.stderr, one.stderr
    phase_1 = call("scripts/train.py", "--preset", "demo", *small, variables=demo(photos, tmp_path, RUN_NAME="subject_phase1", ENABLE_TE=1))
    assert phase_1.returncode == 0, phase_1.stderr
    phase_2 = call("scripts/train.py", "--preset", "demo", *small, variables=demo(photos, tmp_path, RUN_NAME="subject", ENABLE_TE=0, RESUME_FROM=tmp_path / "output" / "subject_phase1.safetensors"))
    assert phase_2.returncode == 0 and (tmp_path / "output" / "subject.safetensors").is_file(), phase_2.stderr


def test_train_resume_and_evaluate_by_command(photos, tmp_path):
    variables = demo(photos, tmp_path, RUN_NAME="anna")
    small = ["--set", "sampling.every=0", "--set", "sampling.num_inference_steps=2"]
    trained = call("scripts/train.py", "--preset", "demo", *small, variables=variables)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "output" / "anna.safetensors").is_file()
    again = call("scripts/train.py", "--preset", "demo", *small, variables=variables)
    assert again.returncode == 2 and "anna" in again.stderr
    resumed = call("scripts/train.py", "--resume", "anna", variables=variables)
    assert resumed.returncode == 2 and "finished" in resumed.stderr
    drawn = call("scripts/evaluate.py", "anna", "--strengths", "0", "1", variables=variables)
    assert drawn.returncode == 0, drawn.stderr
    sheets = list((tmp_path / "output" / "evaluations").glob("anna-*/grid.png"))
    assert len(sheets) == 1 and len(list(sheets[0].parent.glob("row-*.png"))) == 16
    assert "likeness" in drawn.stdout and "not measured" in drawn.stdout
    compared = call("scripts/evaluate.py", "--compare", "anna", sheets[0].parent.name, "--json", tmp_path / "table.json", variables=variables)
    assert compared.returncode == 0 and len(json.loads((tmp_path / "table.json").read_text())) == 2, compared.stderr
    elsewhere = call("scripts/evaluate.py", "nobody", variables=variables)
    assert elsewhere.returncode == 2 and "anna" in elsewhere.stderr


def test_the_analysis_is_the_pages_and_json_too(photos, tmp_path):
    result = call("scripts/analyze_dataset.py", "--preset", "demo", "--json", tmp_path / "report.json", "--html", tmp_path / "report.html", variables=demo(photos, tmp_path))
    assert result.returncode == 0 and "6 readable photos; 15 are needed" in result.stdout and "First:\n  1. " in result.stdout
    assert "Photos by angle and framing" in result.stdout and "cut away" in result.stdout and "Reading photos" in result.stderr
    report, page = json.loads((tmp_path / "report.json").read_text()), (tmp_path / "report.html").read_text()
    assert report["verdict"] == "fix first" and report["top_fixes"][0]["check"] == "count"
    assert report["summary"] in page and not re.search(r"""(?:src|href)=['"](?!data:|#)|url\(|@import|<script|<link""", page)
    missing = call("scripts/analyze_dataset.py", variables={"DATA_DIR": "/nowhere", "OUT_DIR": tmp_path})
    assert missing.returncode == 2 and "Traceback" not in missing.stderr


def test_photos_are_captioned_by_command_and_a_dry_run_writes_nothing(photos, tmp_path):
    folder = tmp_path / "anna"
    shutil.copytree(photos, folder, ignore=shutil.ignore_patterns(".studio", "photo-0[12].txt"))
    before = {file.name: file.read_bytes() for file in folder.glob("*.txt")}

    def caption(*arguments):
        return call("scripts/caption_dataset.py", folder, "--preset", "demo", *arguments, variables={"OUT_DIR": tmp_path / "output"})

    dry = caption("--dry-run")
    assert dry.returncode == 0 and dry.stdout.count("  new: ohwx ") == 2 and "Nothing was written" in dry.stdout, dry.stderr
    assert {file.name: file.read_bytes() for file in folder.glob("*.txt")} == before
    done = caption()
    assert done.returncode == 0 and "2 captions written" in done.stdout and {file.name: file.read_bytes() for file in folder.glob("*.txt") if file.name in before} == before
    assert len(list(folder.glob("*.txt"))) == 6
    for arguments, words in (((), "has a caption"), (("--which", "all", "--captioner", "/nowhere"), "holds no model")):
        refused = caption(*arguments)
        assert refused.returncode == 2 and words in refused.stderr and "Traceback" not in refused.stderr


@pytest.mark.parametrize("profile", ["", "medium"])
def test_tmux_train_asks_for_a_profile(profile):
    result = subprocess.run(["bash", "scripts/tmux_train.sh", profile], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert result.returncode == 2 and "fast|final" in result.stderr


def test_tmux_train_without_tmux_says_what_to_do(tmp_path):
    for tool in ("bash", "dirname", "date"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    result = subprocess.run(["bash", "scripts/tmux_train.sh", "fast"], cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=30)
    assert result.returncode == 2 and "tmux is not installed" in result.stderr


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_tmux_train_opens_three_panes_that_see_the_variables(tmp_path):
    socket = {**os.environ, "TMUX_TMPDIR": str(tmp_path), "DRY_RUN": "1", "RUN_NAME": "john", "OUT_DIR": str(tmp_path / "output"), "DATA_DIR": "/nowhere"}
    result = subprocess.run(["bash", "scripts/tmux_train.sh", "fast"], cwd=ROOT, env=socket, capture_output=True, text=True, timeout=60)
    try:
        assert result.returncode == 0, result.stderr
        panes = subprocess.run(["tmux", "list-panes", "-t", "lora-fast"], env=socket, capture_output=True, text=True, timeout=10).stdout.splitlines()
        assert len(panes) == 3
        shown, deadline = "", time.monotonic() + 150
        while "Ended with code" not in shown and time.monotonic() < deadline:
            time.sleep(1)
            shown = subprocess.run(["tmux", "capture-pane", "-p", "-t", "lora-fast.0"], env=socket, capture_output=True, text=True, timeout=10).stdout
        assert "/nowhere" in shown and "Ended with code 2" in shown, shown
        second = subprocess.run(["bash", "scripts/tmux_train.sh", "fast"], cwd=ROOT, env=socket, capture_output=True, text=True, timeout=30)
        assert second.returncode == 2 and "already" in second.stderr
    finally:
        subprocess.run(["tmux", "kill-server"], env=socket, capture_output=True, timeout=10)


def test_the_guides_shell_commands_reach_the_trainer():
    for name, preset in (("train_flux_fast.sh", "--preset fast"), ("train_flux_final.sh", "--preset final")):
        assert preset in (ROOT / "scripts" / name).read_text()
    for script in ROOT.glob("scripts/*.sh"):
        assert subprocess.run(["bash", "-n", script], capture_output=True, timeout=10).returncode == 0, script
