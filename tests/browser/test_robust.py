"""The page under a bad proxy, a server that dies and comes back, and a second tab: it says what is, keeps what was typed, and starts nothing twice."""

import contextlib
import time

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.captions import write_caption
from core.runs import RunStore
from core.settings import parse_settings
from tests.browser.conftest import Studio
from tests.ui.certificates import self_signed
from tests.ui.cut_proxy import CutProxy

pytestmark = pytest.mark.browser
SOON = 60_000  # milliseconds
CUT_SECONDS = 6


def open_page(context, address, faults):
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(address)
    expect(page.get_by_role("heading", name="Identity LoRA Studio")).to_be_visible(timeout=SOON)
    return page


def type_a_trigger_word(page):
    field = page.locator("#set-dataset-trigger-word textarea, #set-dataset-trigger-word input").first
    expect(field).to_be_visible(timeout=SOON)
    field.fill("typed-by-hand")
    return field


@pytest.fixture
def locked(tmp_path):
    """A studio that asks for its token, as on a public address."""
    running = Studio(tmp_path / "output", {"APP_TOKEN": "a-token-of-enough-length", "HOST": "0.0.0.0"})
    running.start()
    yield running
    running.kill()


HEADERS = (b"X-Forwarded-Proto: https", b"", b"X-Forwarded-Proto: http")


class Visit:
    """A browser behind a proxy of its own that ends TLS, says `header`, and cuts every connection after six seconds."""

    def __init__(self, browser, proxy):
        self.proxy, self.faults, self.asked = proxy, [], []
        self.page = browser.new_context(ignore_https_errors=True).new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        # As a public host: the name is no local one, so the cookie is the strict one.
        self.page.goto(f"https://127.0.0.1:{proxy.port}/login#a-token-of-enough-length")
        expect(self.page.get_by_role("heading", name="Identity LoRA Studio")).to_be_visible(timeout=SOON)
        self.field = type_a_trigger_word(self.page)
        self.page.evaluate("window.stillTheSamePage = true")
        self.seen = proxy.cuts

    def has_been_cut(self):
        return self.proxy.cuts >= self.seen + 2


def test_behind_tls_with_every_connection_cut_after_six_seconds_the_page_stays_and_keeps_what_was_typed(browser, locked, tmp_path):
    """Three browsers at once, behind proxies that say what was spoken, nothing, and something wrong."""
    tls = self_signed(tmp_path)
    with contextlib.ExitStack() as stack:
        visits = [Visit(browser, stack.enter_context(CutProxy(locked.port, seconds=CUT_SECONDS, tls=tls, header=header))) for header in HEADERS]
        deadline = time.monotonic() + 60
        while not all(visit.has_been_cut() for visit in visits) and time.monotonic() < deadline:
            visits[0].page.wait_for_timeout(500)
        for visit in visits:
            assert visit.has_been_cut() and visit.page.evaluate("window.stillTheSamePage") is True, "cut, and not loaded anew"
            expect(visit.field).to_have_value("typed-by-hand")
            expect(visit.page.locator("#page-trouble")).not_to_be_visible()
            assert len(visit.asked) > 20 and all(address.startswith(("https://127.0.0.1", "data:", "blob:")) for address in visit.asked) and visit.faults == []
            visit.page.context.close()


def test_a_server_killed_and_restarted_under_an_open_page_is_said_and_the_page_recovers(browser, studio):
    faults: list[str] = []
    context = browser.new_context()
    page = open_page(context, studio.address, faults)
    page.on("dialog", lambda asked: asked.dismiss())
    page.get_by_role("tab", name="Training").click()
    expect(page.locator("#status")).to_contain_text("No run yet", timeout=SOON)
    assert faults == []
    studio.kill()
    expect(page.locator("#page-trouble")).to_contain_text("No answer from the server", timeout=SOON)
    studio.start()
    expect(page.locator("#page-trouble")).not_to_be_visible(timeout=SOON)
    page.get_by_role("tab", name="Training").click()
    expect(page.locator("#status")).to_contain_text("No run yet", timeout=SOON)
    expect(page.locator("#start")).to_be_enabled(timeout=SOON)
    away = ("ERR_CONNECTION", "Failed to load resource", "Failed to fetch", "network error", "Connection errored out")  # what a browser and Gradio say of a server that is away
    assert [fault for fault in faults if not any(words in fault for words in away)] == []
    context.close()


def test_logging_out_in_one_browser_logs_out_the_other_and_says_so_there(browser, locked):
    contexts = [browser.new_context() for _ in range(2)]
    here, elsewhere = (open_page(context, f"{locked.address}/login#a-token-of-enough-length", []) for context in contexts)
    here.get_by_text("Log out", exact=True).click()
    here.get_by_role("button", name="Log out everywhere").click()
    expect(here.get_by_label("Access token")).to_be_visible(timeout=SOON)
    expect(elsewhere.locator("#page-trouble")).to_contain_text("You are logged out", timeout=SOON)
    here.goto(locked.address)
    expect(here.get_by_label("Access token")).to_be_visible(timeout=SOON)
    for context in contexts:
        context.close()


def test_a_page_that_is_logged_out_or_drawn_wrongly_says_so_and_one_nobody_looks_at_rests(browser, studio):
    context = browser.new_context()
    page = open_page(context, studio.address, [])
    line, asked = page.locator("#page-trouble"), "**/gradio_api/run/predict"
    for answer, words in (({"status": 401}, "logged out"), ({"status": 500, "json": {"error": None}}, "made a fault"), ({"status": 502}, None)):
        page.route(asked, lambda route, _, answer=answer: route.fulfill(**answer))
        page.wait_for_timeout(2500)
        expect(line).to_contain_text(words) if words else expect(line).not_to_be_visible()
        page.unroute(asked)
        page.wait_for_timeout(2500)
        expect(line).not_to_be_visible()
    page.route("**/healthz", lambda route: route.fulfill(status=502))  # a proxy in front of a server that is gone
    expect(line).to_contain_text("No answer from the server", timeout=SOON)
    page.unroute("**/healthz")
    expect(line).not_to_be_visible(timeout=SOON)
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.wait_for_timeout(2500)
    questions: list[str] = []
    page.on("request", lambda request: questions.append(request.url))
    page.wait_for_timeout(4500)
    assert [address for address in questions if "predict" in address] == []
    page.evaluate("Object.defineProperty(document, 'hidden', { value: false })")
    with page.expect_response(asked, timeout=SOON) as drawn:
        pass
    assert drawn.value.ok
    context.close()


def test_what_an_answer_said_that_was_cut_off_on_its_way_is_drawn_with_the_next(browser, studio):
    context = browser.new_context()
    page = open_page(context, studio.address, [])
    page.get_by_role("tab", name="Training").click()
    expect(page.locator("#status")).to_contain_text("No run yet", timeout=SOON)
    page.wait_for_timeout(4000)  # what was asked as the page opened has arrived
    cut: list[int] = []

    def cut_off(route):
        """The server answers, and believes that it was heard."""
        cut.append(route.fetch().status)
        route.abort("connectionreset")

    page.route("**/gradio_api/run/predict", cut_off)
    RunStore(studio.output).create(parse_settings({"run.name": "anna", "run.output": str(studio.output)}))
    page.wait_for_timeout(5000)
    assert cut and set(cut) == {200}
    expect(page.locator("#status")).to_contain_text("No run yet")
    page.unroute_all(behavior="ignoreErrors")
    expect(page.locator("#status")).to_contain_text("anna", timeout=10_000)
    expect(page.locator("#history")).to_contain_text("anna", timeout=10_000)
    context.close()


def test_two_tabs_that_both_press_start_make_one_run_and_show_the_same(browser, studio):
    faults: list[str] = []
    context = browser.new_context()
    pages = [open_page(context, studio.address, faults) for _ in range(2)]
    for page in pages:
        page.get_by_role("tab", name="Training").click()
        expect(page.locator("#start")).to_be_enabled(timeout=SOON)
    for page in pages:
        page.locator("#start").click(no_wait_after=True)
    for page in pages:
        expect(page.locator("#status")).to_contain_text("step", timeout=SOON)
        expect(page.locator("#start")).to_be_disabled(timeout=SOON)
    store = RunStore(studio.output)
    assert len(store.names()) == 1 and all(store.names()[0] in page.locator("#status").inner_text() for page in pages)
    pages[1].locator("#stop").click()
    for page in pages:
        expect(page.locator("#status")).to_contain_text("Stopped", timeout=SOON)
    assert faults == []
    context.close()


PHOTOS = 200
LONG, HEBREW = "a-name-as-long-as-a-camera-and-three-programs-make-it-" + "x" * 90, "תמונה-של-אנה"
ODD = {
    "photo-000": "ohwx woman, {{7*7}} ${7*7} <b>bold</b> <script>document.title='owned'</script>",
    LONG: "ohwx woman, " + "avery" * 60,
    HEBREW: "ohwx אישה מחייכת, ברחוב (בערב), עם מטרייה אדומה",
}
SLOW = {"offline": False, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8, "latency": 150}


@pytest.fixture
def crowd(tmp_path):
    """A studio on two hundred photos, some with names and captions that break careless pages."""
    folder = tmp_path / "anna"
    folder.mkdir()
    for number in range(PHOTOS):
        name = list(ODD)[number] if number < len(ODD) else f"photo-{number:03d}"
        Image.new("RGB", (96, 128), (number, 255 - number, 128)).save(folder / f"{name}.png")
        write_caption(folder / f"{name}.txt", ODD.get(name, "ohwx woman, in a park"))
    running = Studio(tmp_path / "output", {"DATA_DIR": str(folder)})
    running.start()
    yield running
    running.kill()


def test_two_hundred_photos_long_names_and_right_to_left_text_over_a_slow_line_are_shown_as_they_are(browser, crowd):
    faults: list[str] = []
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(SOON)
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", SLOW)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(crowd.address)
    expect(page.locator("#photos figure")).to_have_count(PHOTOS, timeout=SOON)
    for name, caption in ODD.items():
        shown = page.locator(f'#photos figure[data-name="{name}"]')
        assert shown.locator("b").inner_text() == name and shown.locator("figcaption > span").last.text_content() == caption
    assert page.title() == "Identity LoRA Studio" and page.locator("#photos figcaption b b").count() == 0
    page.locator(f'#photos figure[data-name="{HEBREW}"]').click()
    expect(page.locator("#caption textarea")).to_have_value(ODD[HEBREW])
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate("performance.getEntriesByType('resource').filter((entry) => entry.name.includes('photos?')).map((entry) => entry.transferSize)")
    assert sizes and len(sizes) < PHOTOS, "only what is near the window is fetched"
    assert faults == []
    context.close()
