"""Photos are looked through, set aside, turned, cropped and captioned in a real browser, and a report's buttons do what they say."""

import re
import shutil

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.captions import read_caption, write_caption
from tests.browser.conftest import ROOT, Studio
from tests.browser.test_main_job import open_page, open_tab

pytestmark = pytest.mark.browser


@pytest.fixture
def anna(tmp_path, demo_subject):
    """A studio on six of the demo person's photos, one caption without the trigger word."""
    folder = tmp_path / "anna"
    folder.mkdir()
    for file in sorted((ROOT / "data" / "demo-subject").glob("photo-0[1-6].*")):
        shutil.copy(file, folder)
    write_caption(folder / "photo-02.txt", "a woman with pink hair, in front of a plain wall")
    running = Studio(tmp_path / "output", {"DATA_DIR": str(folder)})
    running.start()
    yield running, folder
    running.kill()


def current(page):
    return page.locator("#photos figure.current")


def size_of(folder, name):
    with Image.open(folder / f"{name}.png") as image:
        return image.size


def test_keys_move_select_exclude_turn_and_undo(browser, anna):
    studio, folder = anna
    faults: list[str] = []
    page = open_page(browser, studio, faults)
    expect(page.locator("#photos figure")).to_have_count(6)
    page.locator("#photos figure").nth(1).click()
    expect(page.locator("#large-photo img")).to_have_attribute("alt", "photo-02")
    page.keyboard.press("ArrowRight")
    expect(current(page)).to_have_attribute("data-name", "photo-03")
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    expect(page.locator("#pick-count")).to_have_text("2 selected")
    page.keyboard.press("x")
    expect(page.locator("#photos figure.aside")).to_have_count(2)
    expect(page.locator("#dataset-summary")).to_contain_text("4 photos")
    assert current(page).get_attribute("data-name") == "photo-01" and page.evaluate("document.activeElement.dataset.name") == "photo-01"
    expect(page.locator("#undo")).to_have_text("Undo: exclude 2 photos")
    page.keyboard.press("Control+z")
    expect(page.locator("#photos figure.aside")).to_have_count(0)
    page.keyboard.press("Escape")
    before = (folder / "photo-01.png").read_bytes()
    page.keyboard.press("r")
    expect(page.locator("#undo")).to_have_text("Undo: turn photo-01")
    assert (folder / "photo-01.png").read_bytes() != before
    page.keyboard.press("Control+z")
    expect(page.locator("#redo")).to_have_text("Redo: turn photo-01")
    assert (folder / "photo-01.png").read_bytes() == before
    page.keyboard.press("Delete")
    expect(page.locator("#photos figure")).to_have_count(5)
    page.keyboard.press("Control+z")
    expect(page.locator("#photos figure")).to_have_count(6)
    assert (folder / "photo-01.png").read_bytes() == before and faults == [] and "Traceback" not in studio.log.read_text()


def test_a_caption_is_checked_while_typed_and_saved_on_the_way_to_the_next_photo(browser, anna):
    studio, folder = anna
    faults: list[str] = []
    page = open_page(browser, studio, faults)
    page.locator("#photos figure").nth(1).click()
    expect(page.locator("#caption textarea")).to_have_value("a woman with pink hair, in front of a plain wall")
    expect(page.locator("#caption-checks li.bad")).to_have_count(2)
    page.keyboard.press("Enter")
    page.locator("#caption textarea").fill("ohwx woman, <b>in rain</b>")
    expect(page.locator("#caption-checks li.bad")).to_have_count(0)
    page.locator("#photos figure").nth(2).click()
    expect(page.locator("#photos figure").nth(1)).to_contain_text("ohwx woman, <b>in rain</b>")
    assert read_caption(folder / "photo-02.txt").text == "ohwx woman, <b>in rain</b>"
    page.locator("#undo").click()
    expect(page.locator("#photos figure").nth(1)).to_contain_text("pink hair")

    page.get_by_text("Edit many captions at once").click()
    page.locator("#bulk-kind input").click()
    page.get_by_role("option", name="Remove permanent traits").click()
    page.locator("#bulk-preview").click()
    expect(page.locator("#bulk-table ins")).to_have_text("a woman, in front of a plain wall")
    page.get_by_role("button", name="Apply to 1 caption").click()
    expect(page.locator("#bulk-table")).to_contain_text("Applied")
    assert read_caption(folder / "photo-02.txt").text == "a woman, in front of a plain wall"
    page.locator("#undo").click()
    expect(page.locator("#photos figure").nth(1)).to_contain_text("pink hair")
    assert read_caption(folder / "photo-02.txt").text == "a woman with pink hair, in front of a plain wall" and faults == []


def test_a_frame_crops_by_hand_and_by_key_on_a_phone(browser, anna):
    studio, folder = anna
    faults: list[str] = []
    page = open_page(browser, studio, faults, 390, 844)
    expect(page.locator("#large-photo img")).to_be_visible()
    width, height = size_of(folder, "photo-01")
    page.locator("#crop-start").click()
    frame = page.locator("#crop-frame")
    expect(frame).to_be_focused()
    box = frame.bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25, steps=4)
    page.mouse.up()
    frame.press("Shift+ArrowLeft")
    page.locator("#crop-apply").click()
    expect(page.locator("#undo")).to_have_text("Undo: crop photo-01")
    cropped = size_of(folder, "photo-01")
    assert 0.5 * width < cropped[0] < 0.65 * width and 0.5 * height < cropped[1] < 0.68 * height
    expect(page.locator("#large")).to_contain_text("the original is kept")
    page.locator("#restore").click()
    expect(page.locator("#undo")).to_have_text("Undo: restore photo-01")
    assert size_of(folder, "photo-01") == (width, height) and page.evaluate("document.documentElement.scrollWidth") <= 390 and faults == []


def test_a_button_of_the_report_fixes_what_it_found(browser, anna):
    studio, folder = anna
    faults: list[str] = []
    page = open_page(browser, studio, faults)
    open_tab(page, "Analyzer")
    page.get_by_role("button", name="Analyze", exact=True).click()
    finding = page.locator(".finding", has_text="without the trigger word")
    expect(finding).to_be_visible(timeout=60_000)
    open_tab(page, "Dataset")
    expect(page.locator("#photos [data-name=photo-02]")).to_contain_text("permanent traits")  # the grid marks it without a reload
    open_tab(page, "Analyzer")
    finding.get_by_role("button", name=re.compile("Set the trigger word")).click()
    expect(finding).to_have_count(0, timeout=30_000)
    assert read_caption(folder / "photo-02.txt").text.startswith("ohwx person")
    expect(page.locator("#undo-remedy")).to_have_text(re.compile(r"^\s*Undo: set the trigger word"))
    page.locator("#undo-remedy").click()
    expect(finding).to_be_visible(timeout=30_000)
    assert read_caption(folder / "photo-02.txt").text == "a woman with pink hair, in front of a plain wall"
    assert faults == [] and "Traceback" not in studio.log.read_text()
