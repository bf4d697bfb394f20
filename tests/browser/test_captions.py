"""Photos without captions are captioned from what is measured, in a real browser, on a desk and on a phone; a person's caption stays."""

import shutil

import pytest
from playwright.sync_api import expect

from core.dataset.captions import read_caption, write_caption
from tests.browser.conftest import ROOT, Studio
from tests.browser.test_main_job import open_page, open_tab
from tests.core.caption_models import save_florence

pytestmark = pytest.mark.browser
A_WHILE = 90_000  # milliseconds


@pytest.fixture
def anna(tmp_path, demo_subject):
    """A studio on six of the demo person's photos; only the first has a caption."""
    folder = tmp_path / "anna"
    folder.mkdir()
    for file in sorted((ROOT / "data" / "demo-subject").glob("photo-0[1-6].png")):
        shutil.copy(file, folder)
    write_caption(folder / "photo-01.txt", "ohwx woman, by hand")
    running = Studio(tmp_path / "output", {"DATA_DIR": str(folder)})
    running.start()
    yield running, folder
    running.kill()


def captions(folder):
    return {file.stem: read_caption(file).text for file in sorted(folder.glob("*.txt"))}


def test_photos_are_captioned_looked_at_accepted_and_taken_back(browser, anna):
    studio, folder = anna
    faults: list[str] = []
    page = open_page(browser, studio, faults)
    expect(page.locator("#photos figure")).to_have_count(6, timeout=A_WHILE)
    page.get_by_text("Caption them for me").click()
    page.get_by_role("button", name="Propose captions").click()
    rows = page.locator("#proposals li")
    expect(rows).to_have_count(5, timeout=A_WHILE)
    assert captions(folder) == {"photo-01": "ohwx woman, by hand"}
    page.close()

    page = open_page(browser, studio, faults, width=390, height=844)
    page.get_by_text("Caption them for me").click()
    expect(rows := page.locator("#proposals li")).to_have_count(5, timeout=A_WHILE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    rows.first.get_by_role("button", name="Accept").click()
    expect(rows).to_have_count(4)
    rows.first.get_by_role("button", name="Reject").click()
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Accept all 3").click()
    expect(page.locator("#dataset-summary")).to_contain_text("5 with a caption")
    written = captions(folder)
    assert list(written) == ["photo-01", "photo-02", "photo-04", "photo-05", "photo-06"] and written["photo-01"] == "ohwx woman, by hand"
    assert all(text.startswith("ohwx person, ") for name, text in written.items() if name != "photo-01")
    expect(page.locator("#undo")).to_have_text("Undo: caption 3 photos")
    page.locator("#undo").click()
    expect(page.locator("#dataset-summary")).to_contain_text("2 with a caption")
    expect(page.locator("#photos figcaption").nth(1)).to_contain_text(written["photo-02"])
    assert faults == [] and "Traceback" not in studio.log.read_text()


def test_a_persons_caption_is_shown_beside_the_new_one(browser, anna):
    studio, folder = anna
    faults: list[str] = []
    page = open_page(browser, studio, faults)
    expect(page.locator("#photos figure")).to_have_count(6, timeout=A_WHILE)
    page.locator("#photos figure").first.click()
    page.get_by_text("Caption them for me").click()
    page.get_by_label("The selected photos").check()
    page.get_by_role("button", name="Propose captions").click()
    row = page.locator("#proposals li")
    expect(row).to_have_count(1, timeout=A_WHILE)
    expect(row.locator("del")).to_have_text("ohwx woman, by hand")
    row.get_by_role("button", name="Accept").click()
    expect(row).to_have_count(0)
    expect(page.locator("#caption textarea")).to_have_value(captions(folder)["photo-01"])
    assert captions(folder)["photo-01"].startswith("ohwx person, ") and faults == [] and "Traceback" not in studio.log.read_text()


@pytest.fixture
def hub(tmp_path):
    """A Hugging Face cache with a tiny random Florence-2 in the place of the real one."""
    place = tmp_path / "hub" / "models--florence-community--Florence-2-base"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("a" * 40)
    save_florence(place / "snapshots" / ("a" * 40))
    return tmp_path / "hub"


def test_the_report_has_photos_captioned_anew_by_a_model_as_proposals(browser, hub, tmp_path, demo_subject):
    folder, faults = tmp_path / "anna", []
    shutil.copytree(ROOT / demo_subject, folder, ignore=shutil.ignore_patterns(".studio"))
    for name in ("photo-01", "photo-02"):
        write_caption(folder / f"{name}.txt", "ohwx woman, by hand")
    before = captions(folder)
    studio = Studio(tmp_path / "output", {"DATA_DIR": str(folder), "HF_HUB_CACHE": str(hub)})
    studio.start()
    try:
        page = open_page(browser, studio, faults)
        open_tab(page, "Analyzer")
        page.get_by_role("button", name="Analyze", exact=True).click()
        finding = page.locator(".finding", has_text="2 photos have the same caption")
        expect(finding).to_be_visible(timeout=A_WHILE)
        expect(finding.get_by_role("button", name="Add what is measured")).to_be_visible()
        finding.get_by_role("button", name="Propose new ones: Florence-2 base").click()
        expect(page.get_by_role("tab", name="Dataset")).to_have_attribute("aria-selected", "true", timeout=A_WHILE)
        expect(page.locator("#proposals li")).to_have_count(2, timeout=A_WHILE)
        expect(page.locator("#proposals del").first).to_have_text("ohwx woman, by hand")
        assert captions(folder) == before
        page.get_by_role("button", name="Accept all 2").click()
        expect(page.locator("#proposals li")).to_have_count(0)
        written = captions(folder)
        assert {name for name in before if written[name] != before[name]} == {"photo-01", "photo-02"} and written["photo-01"] != written["photo-02"]
        assert faults == [] and "Traceback" not in studio.log.read_text()
    finally:
        studio.kill()
