import re
from pathlib import Path

import pytest

from scripts.settings_doc import settings_markdown, variables_text


def test_the_settings_page_is_what_the_declarations_say():
    assert Path("docs/settings.md").read_text() == settings_markdown(), "run python scripts/settings_doc.py"
    assert Path("scripts/variables.txt").read_text() == variables_text()


def test_the_readmes_commands_exist():
    named = set(re.findall(r"scripts/\w+\.(?:sh|py)", Path("README.md").read_text()))
    assert len(named) >= 7 and [name for name in named if not Path(name).is_file()] == []


@pytest.mark.parametrize("page", sorted(map(str, Path("docs").glob("*_rows.md"))))
def test_every_test_that_proves_a_row_exists(page):
    """A test without a file is of the file named before it in its row."""
    named, inside, rows = [], "", Path(page).read_text()
    for row in rows.splitlines():
        for file, test in re.findall(r"`(?:(tests/\S+\.py)(?:::|`))?(test_\w+)?", row):
            inside = file or inside
            named += [(inside, test)] if test else []
    assert len(named) >= 40
    assert [f"{file}::{test}" for file, test in named if f"def {test}(" not in Path(file).read_text()] == []
    assert [name for name in re.findall(r"`(benchmarks/\w+\.py)`", rows) if not Path(name).is_file()] == []


@pytest.mark.parametrize(("page", "letter"), [("docs/SECURITY.md", "S"), ("docs/RUNPOD.md", "F")])
def test_every_item_of_the_security_and_the_fault_table_names_tests_that_exist(page, letter):
    lines = Path(page).read_text().splitlines()
    rows = {item: re.findall(r"`(tests/\S+\.py)::(test_\w+)`", line) for line in lines if re.fullmatch(rf"{letter}\d+", item := line.partition("|")[2].partition("|")[0].strip())}
    assert list(rows) == [f"{letter}{number}" for number in range(1, 21)] and all(rows.values())
    missing = [f"{file}::{test}" for tests in rows.values() for file, test in tests if f"def {test}(" not in Path(file).read_text()]
    assert missing == []


def test_the_pods_page_says_what_the_scripts_do():
    page = Path("docs/RUNPOD.md").read_text()
    image = re.search(r"^ARG BASE=(\S+)$", Path("Dockerfile").read_text(), re.MULTILINE)[1]
    assert image in page
    for place in ("/workspace/lora_training/data", "/workspace/lora_training/output", "/workspace/.cache/huggingface", "/opt/identity-lora-studio-venv"):
        assert f"`{place}`" in page
    scripts = Path("scripts/pod.sh").read_text() + Path("app.py").read_text() + Path("scripts/variables.txt").read_text()
    named = re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)
    assert len(named) >= 6 and [name for name in named if name not in scripts] == []
