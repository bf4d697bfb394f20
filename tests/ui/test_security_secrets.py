"""S17 and S20: no secret in anything that is answered, written or logged; Gradio's own risks are off and stay off."""

import logging
import os
import re
import stat
import subprocess
import sys
import time
from importlib.metadata import version

import pytest

from core.events import RunFailed
from core.jobs import drain
from core.masking import HIDDEN, Mask, MaskedStream
from core.runs import EventLog
from tests.conftest import ROOT
from tests.ui.running import HUB_TOKEN, TOKEN, routes_of

API_KEY = "rpa_ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
OWN_TOKEN = "an-owners-token-1234567890"


def test_no_answer_of_any_route_holds_a_secret(running):
    found = []
    for method, path in sorted(routes_of(running.app)):
        if method == "GET":
            answer = running.ask_as_owner("GET", path)
            found += [path for secret in (TOKEN, "cookie_secret", "access_token") if secret in answer.text]
    assert found == []


def test_secrets_are_hidden_in_texts_streams_and_tracebacks():
    mask = Mask([OWN_TOKEN, "short"])
    assert mask(f"a {HUB_TOKEN} b {API_KEY} c {OWN_TOKEN}d short") == f"a {HIDDEN} b {HIDDEN} c {HIDDEN}d short"
    assert mask("half_hearted hf_ rpa_x") == "half_hearted hf_ rpa_x"

    class Sink:
        text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            self.flushed = True

    sink = Sink()
    stream = MaskedStream(sink, mask)
    handler = logging.StreamHandler(stream)
    try:
        raise RuntimeError(f"401 for {HUB_TOKEN} at https://x/?token={OWN_TOKEN}")
    except RuntimeError:
        handler.emit(logging.LogRecord("x", logging.ERROR, "f", 1, "failed with %s", (API_KEY,), sys.exc_info()))
    stream.writelines([f"a line with {HUB_TOKEN}\n", f"and one with {OWN_TOKEN}\n"])
    assert "Traceback" in sink.text and "and one with" in sink.text and HIDDEN in sink.text and not any(secret in sink.text for secret in (HUB_TOKEN, API_KEY, OWN_TOKEN))


def test_a_jobs_log_holds_no_secret_whatever_its_failure_says(tmp_path):
    def job():
        yield from ()
        raise ValueError(f"refused {HUB_TOKEN} {API_KEY} {OWN_TOKEN}")

    last = drain(job, EventLog(tmp_path / "events.jsonl"), mask=Mask([OWN_TOKEN]))
    text = (tmp_path / "events.jsonl").read_text()
    assert isinstance(last, RunFailed) and HIDDEN in last.what and HIDDEN in last.detail
    assert not any(secret in text + repr(last) for secret in (HUB_TOKEN, API_KEY, OWN_TOKEN))


def test_credentials_do_not_print_themselves(running):
    assert TOKEN not in repr(running.gate.credentials) and "secret" not in repr(running.gate.credentials).lower().replace("secrets", "")


@pytest.fixture
def started(tmp_path):
    """The app as a process with every secret in its environment, asked for nothing but to come up."""
    environment = os.environ | {"OUT_DIR": str(tmp_path / "output"), "APP_TOKEN": OWN_TOKEN, "HF_TOKEN": HUB_TOKEN, "RUNPOD_API_KEY": API_KEY, "RUNPOD_POD_ID": "abc123def456", "GRADIO_SHARE": "True", "GRADIO_ALLOWED_PATHS": "/", "GRADIO_ROOT_PATH": "/x", "GRADIO_RUN_HISTORY": "True", "HF_HOME": str(tmp_path / "hub")}
    log = tmp_path / "log.txt"
    with open(log, "w") as opened:
        process = subprocess.Popen([sys.executable, "app.py", "--port", "0", "--public"], cwd=ROOT, env=environment, stdout=opened, stderr=opened)
    yield process, log, tmp_path / "output"
    process.kill()
    process.wait()


def test_a_start_with_all_secrets_set_shows_the_token_once_and_leaves_no_other_trace(started):
    process, log, output = started
    deadline = time.monotonic() + 30
    while "login#" not in log.read_text() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    text = log.read_text()
    assert text.count(OWN_TOKEN) == 1 and f"/login#{OWN_TOKEN}" in text and HUB_TOKEN not in text and API_KEY not in text
    written = [file for file in output.rglob("*") if file.is_file()]
    assert (output / ".secrets" / "cookie_secret") in written and not (output / ".secrets" / "access_token").exists()
    for file in written:
        assert not any(secret.encode() in file.read_bytes() for secret in (OWN_TOKEN, HUB_TOKEN, API_KEY)), file
    assert stat.S_IMODE((output / ".secrets" / "cookie_secret").stat().st_mode) == 0o600


def test_a_token_that_is_made_is_kept_for_the_owner_only(tmp_path):
    from ui.server.credentials import access_token, cookie_secret

    access_token(tmp_path / "s", {})
    cookie_secret(tmp_path / "s")
    assert [stat.S_IMODE(file.stat().st_mode) for file in sorted((tmp_path / "s").iterdir())] == [0o600, 0o600]
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700


def test_gradios_risks_are_off(running):
    page = next(route.app.blocks for route in running.app.routes if hasattr(getattr(route, "app", None), "blocks"))
    config = running.config()
    assert page.run_history is False and page.enable_monitoring is False and page.analytics_enabled is False and page.mcp_server is False and page.ssr_mode is False and page.pwa is False and not page.share
    assert page.allowed_paths == [] and str(running.output / ".secrets") in page.blocked_paths and page.max_file_size == 32 * 1024**2 and page.show_error is False and page.favicon_path is None
    assert not config["run_history"] and not config["analytics_enabled"] and not config["mcp_server"] and not config["pwa"] and config["footer_links"] == [] and not config["vibe_mode"] and not config["show_error"]
    assert page.root_path == "" and page.delete_cache == (3600, 86400)


def test_no_handler_has_a_public_name_and_no_value_is_a_function(running):
    dependencies = running.config()["dependencies"]
    assert len(dependencies) >= 40 and {dependency["api_visibility"] for dependency in dependencies} == {"private"}
    assert running.ask_as_owner("GET", "/gradio_api/info").json() == {"named_endpoints": {}, "unnamed_endpoints": {}}
    for dependency in dependencies:  # "private" alone only hides the name
        assert running.post_json(f"/gradio_api/call/{dependency['api_name']}", {"data": []}).status == 404


def test_deep_links_are_neither_made_nor_read(running):
    assert running.ask_as_owner("GET", "/gradio_api/deep_link?session_hash=x").status == 404
    for link in ("x", "../../output", "a" * 40):
        page = running.ask_as_owner("GET", f"/?deep_link={link}")
        assert page.status == 200 and '"deep_link_state":"valid"' not in page.text.replace(" ", "")


def test_the_machines_variables_open_nothing_of_gradio(tmp_path):
    """What a template or a notebook image sets must not undo it."""
    code = "import os, app; app.settle_gradio(); print(sorted((k, v) for k, v in os.environ.items() if k.startswith('GRADIO_')))"
    environment = os.environ | {"GRADIO_SHARE": "True", "GRADIO_ALLOWED_PATHS": "/", "GRADIO_ROOT_PATH": "/x", "GRADIO_MCP_SERVER": "True", "GRADIO_VIBE_MODE": "1", "GRADIO_WATCH_DIRS": "/", "GRADIO_ANALYTICS_ENABLED": "True", "GRADIO_RUN_HISTORY": "True", "GRADIO_TEMP_DIR": "/tmp/g"}
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert dict(eval(result.stdout)) == {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_MCP_SERVER": "False", "GRADIO_RUN_HISTORY": "False", "GRADIO_SHARE": "False", "GRADIO_SSR_MODE": "False", "GRADIO_TEMP_DIR": "/tmp/g"}


def test_libraries_with_known_holes_are_above_the_versions_that_mend_them():
    floors = {"gradio": (6, 31), "pillow": (12,), "safetensors": (0, 6), "torch": (2, 10)}
    for name, floor in floors.items():
        assert tuple(int(part) for part in re.findall(r"\d+", version(name))[: len(floor)]) >= floor, name


def test_the_pods_image_brings_the_torch_the_requirements_name():
    image = re.search(r"^ARG BASE=\S+-torch(\d)(\d+)(\d)-", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert f"torch=={'.'.join(image.groups())}" in (ROOT / "requirements.txt").read_text().splitlines()
    assert tuple(map(int, image.groups()[:2])) >= (2, 10)


def test_nothing_of_the_page_is_fetched_from_elsewhere(running):
    page = running.ask_as_owner("GET", "/").text
    loaded = re.findall(r"""(?:src|href)=["'](https?://[^"']+)""", page)
    assert [address for address in loaded if HOST_OF_OURS not in address] == [] or {re.sub(r"https?://([^/]+).*", r"\1", address) for address in loaded} <= {"cdnjs.cloudflare.com", "fonts.googleapis.com", "fonts.gstatic.com", HOST_OF_OURS}


HOST_OF_OURS = "pod-7860.proxy.example.net"
