import re
from pathlib import Path

from scripts.settings_doc import settings_markdown, variables_text


def test_the_settings_page_is_what_the_declarations_say():
    assert Path("docs/settings.md").read_text() == settings_markdown(), "run python scripts/settings_doc.py"
    assert Path("scripts/variables.txt").read_text() == variables_text()


def test_the_readmes_commands_exist():
    named = set(re.findall(r"scripts/\w+\.(?:sh|py)", Path("README.md").read_text()))
    assert len(named) >= 7 and [name for name in named if not Path(name).is_file()] == []


def test_every_test_that_proves_a_row_of_the_guide_exists():
    rows = Path("docs/guide_rows.md").read_text()
    named = re.findall(r"`(tests/\S+\.py)::(test_\w+)`(?:, `(test_\w+)`)?", rows)
    assert len(named) > 25
    for file, *tests in named:
        source = Path(file).read_text()
        assert not [test for test in tests if test and f"def {test}(" not in source], file
