"""The whole main job in a real browser: look at the photos, analyze, train, stop, resume, draw the grid."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from core.events import RunStarted
from core.presets import resolve
from core.runs import RunStore
from tests.browser.conftest import Studio

pytestmark = pytest.mark.browser
A_JOB = 240_000  # milliseconds a short demo job may take on a slow machine
STEPS = "16"


def open_page(browser: Browser, studio: Studio, faults: list[str], width: int = 1440, height: int = 1000, script: str = "") -> Page:
    page = browser.new_page(viewport={"width": width, "height": height})
    if script:
        page.add_init_script(script)
    page.set_default_timeout(30_000)
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(studio.address)
    expect(page.get_by_role("heading", name="Identity LoRA Studio")).to_be_visible(timeout=30_000)  # a training may have both cores
    return page


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def choose_demo(page: Page) -> None:
    open_tab(page, "Training")
    page.locator("#preset input").click()
    page.get_by_role("option", name="Demo").click()
    expect(page.locator("#preset-about")).to_contain_text("rehearsal")


def set_field(page: Page, element: str, value: str) -> None:
    field = page.locator(f"#{element} input, #{element} textarea").first
    field.fill(value)
    field.blur()


def start_short_run(page: Page, name: str, steps: str = STEPS) -> None:
    choose_demo(page)
    expect(page.locator("#set-train-steps input").first).to_have_value("400")
    set_field(page, "set-run-name", name)
    set_field(page, "set-train-steps", steps)
    page.get_by_role("button", name="Start training").click()


def test_photos_in_lora_and_grid_out(browser, shared_studio):
    faults: list[str] = []
    page = open_page(browser, shared_studio, faults)
    choose_demo(page)
    open_tab(page, "Dataset")
    expect(page.locator("#photos figure")).to_have_count(18)
    expect(page.locator("#photos figcaption").first).to_contain_text("ohwx woman")
    open_tab(page, "Analyzer")
    page.get_by_role("button", name="Analyze").click()
    expect(page.locator("#report")).to_contain_text("Ready", timeout=60_000)

    start_short_run(page, "anna")
    expect(page.locator("#status")).to_contain_text("anna")
    expect(page.locator("#status")).to_contain_text("Finished", timeout=A_JOB)
    expect(page.locator("#log")).to_contain_text("fixed-noise loss")
    expect(page.locator("#samples img")).to_have_count(4)
    lora = page.request.get(f"{shared_studio.address}/lora/anna.safetensors")
    assert lora.ok and int.from_bytes(lora.body()[:8], "little") > 1000

    open_tab(page, "Evaluation")
    expect(page.locator("#lora input")).to_have_value("anna.safetensors")
    set_field(page, "prompts", "portrait of {trigger} {class}, wearing a red shirt")
    page.locator("#draw").click()
    expect(page.locator("#grid-status")).to_contain_text("Drawn in", timeout=A_JOB)
    expect(page.locator("#cells img")).to_have_count(5)
    expect(page.locator("#cells")).to_contain_text("portrait of ohwx woman, wearing a red shirt")
    expect(page.locator("#measures")).to_contain_text("not measured: no prompt asks for two people")
    page.locator("#cells a.cell").nth(0).click()
    page.get_by_role("button", name="Compare with another").click()
    page.locator("#cells a.cell").nth(3).click()
    expect(page.locator("#cell-view .words")).to_contain_text("Left: ")
    expect(page.locator("#cell-view .over")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    page.set_viewport_size({"width": 390, "height": 844})
    for tab in ("Evaluation", "Training"):
        open_tab(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
    open_tab(page, "Evaluation")
    sheet = page.request.get(page.locator("#grid-status a", has_text="One picture").evaluate("link => link.href"))
    assert sheet.ok and sheet.headers["content-type"] == "image/png"
    assert faults == []
    assert "Traceback" not in shared_studio.log.read_text()


def broken_off(studio: Studio, name: str) -> None:
    """A run that a shutdown ended before its first step, without losses and pictures between the steps: it can be resumed at once."""
    store = RunStore(studio.output)
    pairs = {"run.name": name, "run.output": store.root, "dataset.folder": "data/demo-subject", "train.steps": 4000, "train.validate_every": 0, "sampling.every": 0}
    run = store.create(resolve("demo", {}, [f"{key}={value}" for key, value in pairs.items()]).settings, "demo")
    run.log.append(RunStarted(job="train", name=name, steps=4000))


def test_reload_second_browser_stop_restart_and_resume_show_the_truth(browser, studio):
    faults: list[str] = []
    broken_off(studio, "berta")
    page = open_page(browser, studio, faults)
    open_tab(page, "Training")
    page.locator("#resume").click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"step [1-9]"), timeout=A_JOB)

    assert faults == []
    page.reload()
    faults.clear()  # what was asked when the page was left is broken off by the browser, which says so
    open_tab(page, "Training")
    expect(page.locator("#status b")).to_have_attribute("data-state", "running")
    expect(page.locator("#status [role=status][aria-live=polite]")).to_be_attached()
    expect(page.locator("#loss svg")).to_be_visible(timeout=A_JOB)
    step = page.locator("#status .facts").inner_text()
    assert page.evaluate(SHIFTS_WHILE_RUNNING) < 0.005 and page.locator("#status .facts").inner_text() != step, "numbers changed, and nothing moved"
    second = open_page(browser, studio, faults)
    open_tab(second, "Training")
    expect(second.locator("#status")).to_contain_text("berta")
    expect(second.get_by_role("button", name="Start training")).to_be_disabled()
    second.get_by_role("button", name="Stop and save").click()
    for shown in (page, second):
        expect(shown.locator("#status")).to_contain_text("Stopped", timeout=60_000)
    assert faults == []

    page.goto("about:blank")
    second.close()
    assert studio.stop() == 0
    studio.start()
    page.goto(studio.address)
    open_tab(page, "Training")
    expect(page.locator("#status b")).to_have_attribute("data-state", "stopped")
    page.locator("#resume").click()
    expect(page.locator("#log")).to_contain_text("resumed at step", timeout=A_JOB)
    page.goto("about:blank")  # an open page reloads itself when its server is back, which would cross with ours
    studio.kill()
    studio.start()
    page.goto(studio.address)
    open_tab(page, "Training")
    expect(page.locator("#status b")).to_have_attribute("data-state", "interrupted", timeout=60_000)
    expect(page.locator("#resume")).to_be_enabled()
    assert "Traceback" not in studio.log.read_text()


def test_wrong_input_is_answered_in_words(browser, shared_studio):
    faults: list[str] = []
    page = open_page(browser, shared_studio, faults)
    choose_demo(page)
    expect(page.locator("#set-train-steps input").first).to_have_value("400")
    set_field(page, "set-run-name", "../escape")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator(".toast-body").first).to_contain_text("run.name")
    set_field(page, "set-run-name", "fine")
    set_field(page, "set-lora-rank", "100000")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("lora.rank").first).to_be_visible()
    assert not (shared_studio.output / "fine").exists()
    assert faults == []


# What a screen reader would say of each control that is shown: those of which it could say nothing.
NAMELESS = """() => [...document.querySelectorAll('button, a[href], input:not([type=hidden]):not([type=file]), textarea, select, [role=button], [role=option]')].filter((one) => one.checkVisibility())
  .filter((one) => !(one.getAttribute('aria-label') || one.getAttribute('aria-labelledby') || [...(one.labels ?? [])].some((label) => label.textContent.trim()) || one.textContent.trim() || one.title || one.querySelector('img[alt]:not([alt=""])')))
  .map((one) => one.outerHTML.slice(0, 200))"""
SHIFTS = "new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value; }).observe({ type: 'layout-shift', buffered: true }); setTimeout(() => done(sum), 300); })"


SHIFTS_WHILE_RUNNING = "new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value; }).observe({ type: 'layout-shift' }); setTimeout(() => done(sum), 5000); })"
# Words that are shown and not switched off, whose colour does not stand out from the ground behind them as WCAG AA asks.
FAINT = """() => {
  const luminance = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const parts = (colour) => { const found = colour.match(/[\\d.]+/g).map(Number); return [...found.slice(0, 3), found[3] ?? 1]; };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const ground = (one) => { const behind = []; for (let at = one; at; at = at.parentElement) { const c = parts(getComputedStyle(at).backgroundColor); behind.push(c); if (c[3] === 1) break; } return behind.reverse().reduce((below, top) => over(top, below), [255, 255, 255]); };
  const faint = [];
  for (const one of document.querySelectorAll('body *')) {
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) || !one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || one.closest('button:disabled, script, style, svg, .sr-only, [hidden]')) continue;
    const style = getComputedStyle(one);
    const below = ground(one);
    const [light, dark] = [luminance(over(parts(style.color), below)), luminance(below)].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < (large ? 3 : 4.5)) faint.push(`${contrast.toFixed(2)} ${one.outerHTML.slice(0, 160)}`);
  }
  return [document.querySelectorAll('body *').length, faint];
}"""


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_word_on_the_page_can_be_read_in_both_modes(browser, shared_studio, mode):
    """As the browser paints them, Gradio's own components included."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme=mode)
    page.goto(shared_studio.address)
    expect(page.get_by_role("heading", name="Identity LoRA Studio")).to_be_visible(timeout=30_000)
    for tab in ("Dataset", "Analyzer", "Training", "Evaluation"):
        open_tab(page, tab)
        page.evaluate("[...document.querySelectorAll('.label-wrap:not(.open), details:not([open]) > summary')].filter((one) => one.checkVisibility()).forEach((one) => one.click())")
        page.wait_for_timeout(500)
        if tab == "Training":
            expect(page.locator("pre .token").first).to_be_attached()  # the guide's commands, coloured after they are there
        looked_at, faint = page.evaluate(FAINT)
        assert looked_at > 300 and faint == [], tab


def test_the_keyboard_opens_a_tab_and_one_sees_where_it_is(browser, shared_studio):
    faults: list[str] = []
    page = open_page(browser, shared_studio, faults)
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        focused = page.evaluate("(() => { const one = document.activeElement; const style = getComputedStyle(one); return [one.textContent.trim() || one.id, style.outlineStyle, parseFloat(style.outlineWidth)]; })()")
        seen.append(focused)
        if "3 Training" in focused[0]:
            break
    assert "3 Training" in seen[-1][0] and all(style != "none" and width >= 2 for _, style, width in seen), seen
    page.keyboard.press("Enter")
    expect(page.locator("#start")).to_be_visible()
    assert faults == []


def test_every_tab_fits_the_screen_stands_still_and_every_control_has_a_name(browser, shared_studio):
    faults: list[str] = []
    page = open_page(browser, shared_studio, faults)
    for width in (1440, 2560, 390, 360):
        page.set_viewport_size({"width": width, "height": 844})
        expect(page.get_by_role("tab")).to_have_count(4)
        assert len({round(tab.bounding_box()["y"]) for tab in page.get_by_role("tab").all()}) == 1, f"all tabs on one line at {width}"
        for tab in ("Dataset", "Analyzer", "Training", "Evaluation"):
            open_tab(page, tab)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, tab)
            assert page.evaluate(NAMELESS) == [], tab
    assert page.locator("#path [role=status][aria-live=polite]").count() == 1, "what is next is read aloud when it changes"
    assert page.locator("h1").count() == 1 and page.locator("html").get_attribute("lang") and faults == []
    page.close()
    phone = open_page(browser, shared_studio, faults, 390, 844)
    expect(phone.locator("#photos figure").first).to_be_visible()
    assert phone.evaluate(SHIFTS) < 0.1, "what is still on its way has its place"
