"""Photos dropped in a real browser through a proxy that cuts every stream: what is good arrives, what is hostile is named."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import Studio
from tests.browser.test_main_job import open_page
from tests.core.archives import LINK, pack, png
from tests.ui.cut_proxy import CutProxy

pytestmark = pytest.mark.browser
ARRIVED = 60_000  # milliseconds


@pytest.fixture
def anna(tmp_path):
    """A studio whose dataset is an empty folder."""
    folder = tmp_path / "anna"
    folder.mkdir()
    running = Studio(tmp_path / "output", {"DATA_DIR": str(folder)})
    running.start()
    yield running, folder
    running.kill()


def jpeg(seed, size=(3000, 2000)):
    """Some megabytes."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)
    Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def file(name, data, kind="application/octet-stream"):
    return {"name": name, "mimeType": kind, "buffer": data}


def drop(page, *files):
    """As a hand does it: a drop event with the files in it."""
    transfer = page.evaluate_handle(
        """files => { const transfer = new DataTransfer();
        for (const {name, data} of files) transfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name));
        return transfer; }""",
        [{"name": name, "data": base64.b64encode(data).decode()} for name, data in files],
    )
    page.dispatch_event("#drop-zone label", "dragover", {"dataTransfer": transfer})
    expect(page.locator("#drop-zone")).to_have_class(re.compile("over"))
    page.dispatch_event("#drop-zone label", "drop", {"dataTransfer": transfer})


def test_photos_captions_and_archives_arrive_through_a_bad_proxy(browser, anna, tmp_path):
    studio, folder = anna
    good = pack(tmp_path / "more.zip", ("d.png", png("green")), ("d.txt", b"ohwx woman, d")).read_bytes()
    hostile = pack(tmp_path / "evil.zip", ("../../<img src=x onerror=alert(1)>.png", png()), ("link.png", b"/etc/passwd", LINK), ("bomb.png", bytes(8 << 20)), ("e.png", png("white"))).read_bytes()
    faults: list[str] = []
    with CutProxy(studio.port, 1_000_000) as proxy:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"http://127.0.0.1:{proxy.port}")
        expect(page.locator("#upload-target")).to_have_attribute("data-folder", str(folder), timeout=30_000)
        photos = [file(f"{name}.jpg", jpeg(seed), "image/jpeg") for seed, name in enumerate("abc")]
        assert min(len(photo["buffer"]) for photo in photos) > 1_500_000
        page.locator("#upload-input").set_input_files([*photos, file("a.txt", b"ohwx woman, a"), file("IMG_1.HEIC", b"x")])
        expect(page.locator("#upload-status")).to_have_text("4 added, 1 not added.", timeout=ARRIVED)
        expect(page.locator("#upload-files li.refused")).to_contain_text("Most Compatible")
        expect(page.locator("#photos figure")).to_have_count(3)
        drop(page, ("more.zip", good), ("evil.zip", hostile), ("a.jpg", photos[0]["buffer"]), ("b.jpg", photos[2]["buffer"]))
        expect(page.locator("#upload-status")).to_have_text("4 added, 1 already there, 3 not added.", timeout=ARRIVED)
        assert proxy.cuts > 3
    refused = page.locator("#upload-files li.refused")
    for number, words in enumerate(("leads out", "a link", "ZIP bomb")):
        expect(refused.nth(number)).to_contain_text(words)
    expect(page.locator("#upload-files li.renamed")).to_contain_text("now b-2.jpg")
    assert sorted(entry.name for entry in folder.iterdir()) == [".studio", "a.jpg", "a.txt", "b-2.jpg", "b.jpg", "c.jpg", "d.png", "d.txt", "e.png"]
    assert list((folder / ".studio" / "uploads").iterdir()) == [] and faults == []
    assert "Traceback" not in studio.log.read_text()


def test_a_keyboard_reaches_the_zone_and_upload_goes_on_after_a_restart(browser, anna):
    studio, folder = anna
    faults: list[str] = []
    page = open_page(browser, studio, faults, 390, 844)
    expect(page.locator("#upload-target")).to_have_attribute("data-folder", str(folder))
    expect(page.locator("#photos .empty")).to_be_visible()
    page.on("dialog", lambda asked: asked.dismiss())  # "stay": Gradio loads the page anew as soon as the server is back
    with page.expect_file_chooser() as chooser:
        page.locator("#upload-input").press("Enter")
    studio.kill()
    chooser.value.set_files([file("a.jpg", jpeg(1), "image/jpeg")])
    expect(page.locator("#upload-files li")).to_contain_text("trying again", timeout=10_000)
    studio.start()
    # The upload is through; then the page is loaded anew and still says what came of it.
    expect(page.locator("#photos figure")).to_have_count(1, timeout=ARRIVED)
    expect(page.locator("#upload-files li.added")).to_contain_text("a.jpg")
    assert (folder / "a.jpg").is_file() and list((folder / ".studio" / "uploads").iterdir()) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
