"""The set-up script's decisions, without installing anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def in_setup(code, **variables):
    return subprocess.run(["bash", "-c", f"source scripts/setup.sh; {code}"], cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("cuda", "reused"), [("'12.8'", True), ("None", False)])
def test_an_installed_cuda_torch_is_reused_and_a_cpu_one_is_not(tmp_path, cuda, reused):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(f"class version: cuda = {cuda}\n")
    assert (in_setup("has_cuda_torch python3", PYTHONPATH=str(tmp_path)).returncode == 0) is reused


@pytest.mark.parametrize(("version", "sound"), [("2.8.0+cu128", False), ("2.9.1", False), ("2.10.0", True), ("2.13.0+cu129", True), ("3.0", True)])
def test_an_installed_torch_with_a_known_hole_is_told_from_one_without(tmp_path, version, sound):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(f"__version__ = '{version}'\n")
    assert (in_setup("has_sound_torch python3", PYTHONPATH=str(tmp_path)).returncode == 0) is sound


def test_a_python_that_is_new_enough_is_found():
    result = in_setup("find_python")
    assert result.returncode == 0 and result.stdout.strip()


def test_no_python_is_said(tmp_path):
    result = subprocess.run(["/bin/bash", "-c", "source scripts/setup.sh; find_python"], cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=30)
    assert result.returncode != 0 and "3.11" in result.stderr


def test_of_several_pythons_the_one_with_a_cuda_torch_is_taken(tmp_path):
    """The provider's images carry newer Pythons beside the one their torch is installed for."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("class version: cuda = '12.8'\n")
    for name, more in (("python3.13", ""), ("python3.12", f"PYTHONPATH={tmp_path} ")):
        wrapper = tmp_path / "bin" / name
        wrapper.parent.mkdir(exist_ok=True)
        wrapper.write_text(f'#!/bin/sh\n{more}exec {sys.executable} -S "$@"\n')
        wrapper.chmod(0o755)
    shadow = "for name in python3 python python3.11; do eval \"$name() { return 1; }\"; done; "
    assert in_setup(f"{shadow} find_python_with_cuda_torch", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}").stdout.strip() == "python3.12"
