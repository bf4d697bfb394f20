"""A person is made, gets a photo, and is deleted with every trace, in a real browser."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT
from tests.browser.test_main_job import open_page
from tests.core.archives import png

pytestmark = pytest.mark.browser


def test_a_person_comes_and_goes_without_a_trace(browser, studio):
    faults: list[str] = []
    name = f"test-{uuid.uuid4().hex[:8]}"
    folder = ROOT / "data" / name
    page = open_page(browser, studio, faults)
    page.get_by_role("button", name="People: add one").click()
    page.locator("#new-person input, #new-person textarea").fill("../escape")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".toast-body").first).to_contain_text("such as")
    page.locator("#new-person input, #new-person textarea").fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#upload-target")).to_have_attribute("data-folder", f"data/{name}")
    page.locator("#upload-input").set_input_files([{"name": "1.png", "mimeType": "image/png", "buffer": png()}])
    expect(page.locator("#photos figure")).to_have_count(1)
    expect(page.locator("#large-photo img")).to_be_visible()  # else the reload cuts off its request, and the browser reports that

    page.reload()
    page.locator("#set-dataset-folder input").click()
    page.get_by_role("option", name=f"data/{name}").click()
    expect(page.locator("#photos figure")).to_have_count(1)
    page.get_by_role("button", name="People: add one").click()
    page.get_by_role("button", name="What is kept").click()
    expect(page.locator("#traces")).to_contain_text(re.compile(r"photos\s*1"))
    page.locator("#typed-name input, #typed-name textarea").fill("somebody else")
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text(f"Type '{name}'").first).to_be_visible()
    assert folder.is_dir()
    page.locator("#typed-name input, #typed-name textarea").fill(name)
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator("#purged")).to_contain_text("Everything was deleted", timeout=30_000)
    expect(page.locator("#set-dataset-folder input")).not_to_have_value(f"data/{name}")
    assert not folder.exists() and faults == [] and "Traceback" not in studio.log.read_text()
