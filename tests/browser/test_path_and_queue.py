"""The guided path and the queue in a real browser: each step is a click away, runs follow each other, a stop asks about the rest, a deleted run comes back."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_main_job import A_JOB, open_page, open_tab, set_field

pytestmark = pytest.mark.browser


# A browser whose owner allows notifications, and that remembers what was asked and said.
NOTIFICATIONS = """window.asked = 0; window.notices = []; window.Notification = class { static permission = 'default'; static async requestPermission() { window.asked++; this.permission = 'granted'; return 'granted'; } constructor(title, more) { window.notices.push(`${more?.body ?? title}`); } };"""


def add_to_queue(page, name):
    set_field(page, "set-run-name", name)
    page.get_by_role("button", name="Add to queue").click()
    expect(page.locator("#queue li, #status .headline").filter(has_text=name).first).to_be_visible(timeout=60_000)


def test_the_path_shows_what_is_next_and_leads_there(browser, shared_studio):
    faults: list[str] = []
    page = open_page(browser, shared_studio, faults)
    path = page.get_by_role("navigation", name="From photos to a LoRA")
    expect(path.get_by_role("button", name="Use my photos")).to_be_visible()
    path.get_by_role("button", name="Use my photos").click()
    expect(path).to_contain_text("Add 15 to 30 photos")
    expect(path.locator("li")).to_have_count(6)
    path.get_by_role("button", name=re.compile("Rehearse")).click()
    expect(path).to_contain_text("Have the photos checked")
    path.get_by_role("button", name="Check the photos").click()
    page.get_by_role("button", name="Analyze").click()
    expect(path).to_contain_text("Train the Demo", timeout=90_000)
    path.get_by_role("button", name="Go to training").click()
    expect(page.locator("#forecast [data-seconds]")).to_be_visible(timeout=120_000)
    price = page.locator("#set-run-price-per-hour input")
    price.fill("3.6")
    expect(page.locator("#forecast")).to_contain_text(re.compile(r"Price\s*(about \d|less than)"))
    page.reload()
    open_tab(page, "Training")
    expect(price).to_have_value("3.6")
    expect(page.locator("#forecast")).to_contain_text(re.compile(r"Price\s*(about \d|less than)"), timeout=60_000)
    assert faults == []


def test_runs_follow_each_other_a_stop_asks_and_a_deleted_run_comes_back(browser, shared_studio):
    faults: list[str] = []
    studio = shared_studio
    page = open_page(browser, studio, faults, script=NOTIFICATIONS)
    open_tab(page, "Training")
    set_field(page, "set-train-steps", "40")  # still running when the others were added and put in order
    add_to_queue(page, "one")
    set_field(page, "set-train-steps", "400")
    add_to_queue(page, "two")
    add_to_queue(page, "three")
    page.locator("#queue li", has_text="three").get_by_role("button", name="Up").click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"(two|three).*step [1-9]", re.DOTALL), timeout=A_JOB)
    page.get_by_role("button", name="Save now").click()
    expect(page.locator("#log")).to_contain_text("checkpoint of step", timeout=60_000)
    assert page.evaluate("window.asked") == 0, "nobody is asked for a permission before wishing for it"
    page.get_by_label("Notification when it ends").check()
    page.get_by_label("Sound when it ends").check()
    assert page.evaluate("window.asked") == 1
    page.wait_for_function("document.title.includes('%')", timeout=60_000)  # it has looked once, and knows that something runs
    page.get_by_role("button", name="Stop and save").click()
    page.wait_for_function("window.notices.length === 1", timeout=60_000)
    assert re.match(r"'(two|three)' has ended: stopped", page.evaluate("window.notices[0]"))
    expect(page.locator("#queue")).to_contain_text("Go on with the rest?", timeout=60_000)
    page.get_by_role("button", name="Clear the queue").click()
    expect(page.locator("#queue")).to_contain_text("Nothing waits")
    page.get_by_role("button", name="Delete one").click()
    expect(page.locator("#history")).to_contain_text("Deleted runs (1)")
    assert not (studio.output / "one").exists()
    page.locator("#history summary", has_text="Deleted runs").click()
    page.get_by_role("button", name="Bring back").click()
    expect(page.get_by_role("button", name="Delete one")).to_be_visible()
    page.get_by_role("button", name="Warnings").click()
    page.locator("#log-search").fill("checkpoint of step")
    expect(page.locator("#log p:not([hidden])", has_text="step")).to_have_count(page.locator("#log p", has_text="checkpoint of step").count())
    page.locator("#samples button[data-full]").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("base model")
    page.keyboard.press("Escape")
    assert faults == []
    assert "Traceback" not in studio.log.read_text()
