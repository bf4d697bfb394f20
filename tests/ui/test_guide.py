import re

import pytest

from ui.guide import GUIDE, section_of


@pytest.mark.parametrize(("title", "first", "last"), [("Training Profiles", "### Fast Iteration Profile", "train_flux_final.sh"), ("Text Encoder Policy", "> Source", "RESUME_FROM"), ("Troubleshooting", "> Source", "Gradient checkpointing"), ("Image Requirements", "| Requirement", "Portrait")])
def test_a_section_is_that_of_the_guide_to_its_end(title, first, last):
    section = section_of(title)
    assert section.startswith(first) and last in section[-220:] and section in GUIDE.read_text()


def test_a_section_that_is_not_there_is_a_fault():
    with pytest.raises(ValueError, match="no section"):
        section_of("Quantum")


def test_the_guide_holds_no_html():
    assert re.findall(r"<(?!/?trigger_token)[a-z]", GUIDE.read_text()) == []
