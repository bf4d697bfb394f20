"""S11, S12, S16, S18 against the running studio: values of no list, every handler by its number with junk, texts that are markup, addresses that lead inside."""

import json
import re
from html import escape

import pytest

from core.dataset.subjects import create_subject
from core.errors import Refused, UserError
from core.flux.model_folder import is_hub_id
from core.presets import resolve
from tests.conftest import ROOT

NAMES = ["../../x", "-rf", "$(id)", ";id", "a\nb", "‮gnp", "x" * 10_000, "/etc/passwd", "CON", "a/b", "..", ".", "anna\x00", "`id`", "%2e%2e"]
JUNK = [None, -1, 10**30, float("nan"), float("inf"), True, ["a", ["b"]], {"a": {"b": None}}, "../../x\n", "\udcff".encode("utf-8", "surrogatepass").decode("latin1")]
SCRIPTS = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "${7*7}", "=cmd|' /C calc'!A0", "'; DROP TABLE x;--", "x" * 1_000_000, "\x00\x1b[31m", "javascript:alert(1)"]


def handlers(running, *kinds):
    found = [dependency for dependency in running.config()["dependencies"] if dependency["targets"] and dependency["targets"][0][1] in kinds]
    assert found
    return found


def names_in_data() -> set[str]:
    return {str(file) for file in (ROOT / "data").glob("*")}


@pytest.mark.parametrize("name", NAMES)
def test_a_runs_name_is_letters_digits_dot_dash_and_underscore(running, name):
    before = running.everything_written()
    with pytest.raises(UserError):
        running.studio.store.create(resolve("demo", {}, [f"run.name={name}"]).settings)
    assert running.everything_written() == before


def test_names_and_choices_of_no_list_change_nothing_through_any_button(running):
    before, data = running.everything_written(), names_in_data()
    buttons = handlers(running, "click")
    calls = [(button["id"], [name] * len(button["inputs"])) for number, button in enumerate(buttons) for name in (NAMES[number % len(NAMES)], NAMES[(number + 7) % len(NAMES)])]
    records = running.call_many(calls)
    assert len(records) >= 40 and all("root:" not in json.dumps(record) and "uid=" not in json.dumps(record) for record in records)
    assert running.everything_written() == before and names_in_data() == data and running.studio.store.holder() is None


def test_no_shell_is_ever_asked():
    """Names reach programs as arguments of a list only."""
    sources = [*(ROOT / "core").rglob("*.py"), *(ROOT / "ui").rglob("*.py"), *(ROOT / "scripts").rglob("*.py"), ROOT / "app.py"]
    assert len(sources) > 80
    for file in sources:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"shell\s*=\s*True|os\.system\(|os\.popen\(|(?<![.\w])(eval|exec)\(|pickle\.load|gr\.load\(|FileExplorer", text), file
        assert all("weights_only=True" in line for line in text.splitlines() if re.search(r"(?<!safetensors\.)torch\.load\(", line)), file
        assert all("use_safetensors=True" in line for line in text.splitlines() if re.search(r"(?:Model|Pipeline|KL|CLASSES\[.*)\.from_pretrained\((?!\\)", line)), file


def test_every_handler_of_the_page_takes_junk_by_its_number_and_nothing_changes(running, capfd, tmp_path, monkeypatch):
    monkeypatch.setattr("ui.people.create_subject", lambda name: create_subject(name, tmp_path))  # "True" and "1e30" are names a person may have
    before, data = running.everything_written(), names_in_data()
    dependencies = running.config()["dependencies"]
    calls = [(dependency["id"], [JUNK[(number + turn) % len(JUNK)]] * len(dependency["inputs"])) for number, dependency in enumerate(dependencies) for turn in (0, 5)]
    calls += [(dependency["id"], []) for dependency in dependencies[::8]] + [(10**6, []), (-1, []), (None, []), ("0", [])]
    records = running.call_many(calls)
    assert len(records) > 90 and all(record.get("status", 200) < 600 and (record["success"] or "error" in record["output"]) for record in records)
    text = json.dumps(records)
    assert "Traceback" not in text and "site-packages" not in text and str(ROOT) not in text
    assert running.everything_written() == before and names_in_data() == data and running.studio.store.holder() is None
    assert running.ask_as_owner("GET", "/config").status == 200
    capfd.readouterr()  # Gradio prints a traceback for each value it refuses


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"fn_index": 1}', b'{"fn_index": "x", "data": 3}', b"\xff\xfe", b'{"fn_index": 1e400}', b"[" * 100_000, b'{"data": NaN}'])
def test_a_broken_request_is_a_clean_refusal(running, body):
    for target in ("/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/component_server", "/gradio_api/cancel", "/gradio_api/reset", "/uploads", f"/uploads/batches/{'a' * 16}"):
        answer = running.ask_as_owner("POST", target, {"content-type": "application/json"}, body)
        assert "Traceback" not in answer.text and "site-packages" not in answer.text and answer.status != 502, (target, answer.status)
    assert running.ask_as_owner("GET", "/config").status == 200


def test_texts_that_are_markup_come_back_as_text_everywhere(running):
    """Captions, run names in the log, failures, and file names, as the page's own handlers show them."""
    from core.events import Phase, RunFailed, RunStarted, Warned

    run = running.studio.store.load("anna")
    run.log.file.unlink(missing_ok=True)
    config = running.config()
    shows = [dependency for dependency in config["dependencies"] if dependency["backend_fn"] and dependency["targets"][0][1] in ("load", "tick")]
    assert len(shows) >= 5
    for text in SCRIPTS[:6]:
        (running.dataset / "photo-0.txt").write_text(f"ohwx {text}", encoding="utf-8")
        for event in (RunStarted(job="train", name=text, steps=5), Phase(what=text), Warned(what=text), RunFailed(what=text, where=text, fix=text, detail=text)):
            run.log.append(event)
        shown = [record for record in running.call_many([(dependency["id"], _first_values(config, dependency)) for dependency in shows]) if record["success"]]
        assert len(shown) >= 4
        html = "".join(value for record in shown for value in _texts(record["output"]["data"]) if "<" in value)
        assert escape(text) in html or escape(text, quote=False) in html, "it is shown, as text"
        assert "<script>alert(1)" not in html and "<img src=x onerror" not in html
    run.log.file.unlink()
    (running.dataset / "photo-0.txt").write_text("ohwx person", encoding="utf-8")


def _first_values(config, dependency):
    values = {component["id"]: component["props"].get("value") for component in config["components"]}
    return [values.get(identity) for identity in dependency["inputs"]]


def _texts(value):
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def test_half_a_character_is_refused_in_words_through_every_button_and_nothing_changes(running):
    """A run with one in its prompts ended the page's clock for past runs for good: no answer can hold it."""
    before, config = running.everything_written(), running.config()
    texts = {component["id"] for component in config["components"] if component["type"] == "textbox"}
    buttons = [button for button in handlers(running, "click") if texts & set(button["inputs"])]
    calls = [(button["id"], ["a \ud800 b" if identity in texts else value for identity, value in zip(button["inputs"], _first_values(config, button), strict=True)]) for button in buttons]
    errors = [record.get("output", record).get("error") for record in running.call_many(calls)]
    assert len(calls) >= 15 and all(error and "half a character" in error and "a ? b" in error for error in errors), errors
    assert running.everything_written() == before and running.studio.store.holder() is None


def test_a_caption_of_a_megabyte_or_of_no_text_takes_nothing_down(running):
    caption, config = running.dataset / "photo-1.txt", running.config()
    loads = [dependency for dependency in config["dependencies"] if dependency["targets"][0][1] == "load"]
    for data in (b"x" * 1_000_000, b"\xff\xfe\x00bad", b"", SCRIPTS[7].encode()):
        caption.write_bytes(data)
        records = running.call_many([(dependency["id"], _first_values(config, dependency)) for dependency in loads])
        assert len(records) >= 2 and running.ask_as_owner("GET", "/config").status == 200
    caption.write_text("ohwx person", encoding="utf-8")


ADDRESSES = ["http://127.0.0.1", "http://169.254.169.254/latest", "http://[::1]/", "file:///etc/passwd", "user/../../x", "https://evil.example/a/b", "a/b/c", "//evil/x", "user/..", "user/repo?x", "user/repo#x", "@evil/x", "user\\x", "gopher://x"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_passes_for_a_hub_id(address):
    assert not is_hub_id(address)


def test_the_page_takes_models_and_folders_of_its_listings_only(running):
    for address in ADDRESSES:
        with pytest.raises(Refused):
            _read_form(running, "model.path", address)
        with pytest.raises(Refused):
            _read_form(running, "dataset.folder", address)


def _read_form(running, key, value):
    from ui.settings_form import SettingsForm

    form = SettingsForm(running.studio, running.studio.resolved("demo"))
    values = {declaration.key: _plain(form, declaration) for declaration in form.declarations} | {key: value}
    return form.read([values[declaration.key] for declaration in form.declarations])


def _plain(form, declaration):
    from core.settings import value_of

    value = value_of(form.first.settings, declaration.key)
    return "\n".join(value) if isinstance(value, tuple) else value


def test_nothing_of_ours_fetches_an_address_somebody_typed():
    """Only the model download speaks to the network, through the hub's client, and the pod's stop to one fixed address."""
    speaks = {str(file.relative_to(ROOT)) for folder in ("core", "ui", "scripts") for file in (ROOT / folder).rglob("*.py") if re.search(r"urllib\.request|import requests|import httpx|get_session|http\.client|socket\.create_connection", file.read_text(encoding="utf-8"))}
    assert speaks == {"core/flux/download.py", "core/pod_stop.py"}
