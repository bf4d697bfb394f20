"""What a browser waits for comes small, and reads the same; a picture, a LoRA and a stream come as they are."""

import gzip
import json

import pytest

ASKING = {"accept-encoding": "gzip, br"}


def test_the_form_of_the_page_is_a_quarter_at_most_and_reads_the_same(running):
    plain, small = running.ask_as_owner("GET", "/config"), running.ask_as_owner("GET", "/config", ASKING)
    assert small.header("content-encoding") == "gzip" and "Accept-Encoding" in small.header("vary") and 4 * len(small.body) < len(plain.body)
    assert [part["id"] for part in json.loads(gzip.decompress(small.body))["components"]] == [part["id"] for part in plain.json()["components"]]


def test_the_page_and_a_clocks_answer_are_compressed(running):
    assert b"gradio" in gzip.decompress(running.ask_as_owner("GET", "/", ASKING).body)
    tick = max(running.ticks("a"), key=lambda sent: len(sent["data"]))
    answer = running.ask_as_owner("POST", "/gradio_api/run/predict", ASKING | {"content-type": "application/json"}, json.dumps(tick).encode())
    assert answer.status == 200 and "data" in json.loads(gzip.decompress(answer.body))


@pytest.mark.parametrize("target", ["/photos?folder={dataset}&name=photo-0", "/lora/anna.safetensors", "/gradio_api/heartbeat/a", "/login", "/healthz"])
def test_everything_else_comes_as_it_is(running, target):
    answer = running.ask_as_owner("GET", target.format(dataset=running.dataset), ASKING)
    assert answer.status == 200 and answer.header("content-encoding") == ""
