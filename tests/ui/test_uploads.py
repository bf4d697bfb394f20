"""Uploads as a bad network sees them: pieces, cuts, two writers, full disks, and nothing but the dataset's own inbox."""

import contextlib
import hashlib
import http.client
import json
import os
import threading
import time

import fastapi
import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from core.at_work import nobody_at_work
from core.dataset import inbox as inbox_module
from core.dataset.inbox import CHUNK, SECONDS_KEPT, Inbox, WrongOffset
from core.dataset.intake import take_in
from core.errors import Refused, UserError
from core.runs import RunStore
from tests.core.archives import pack, png
from tests.ui.cut_proxy import CutProxy
from tests.ui.running import TOKEN
from ui.server.credentials import Credentials
from ui.server.gate import Gate
from ui.server.login import Brake
from ui.server.uploads import add_upload_routes
from ui.studio import Studio

BATCH = "ab" * 8


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    return folder


@pytest.fixture
def routes(dataset, tmp_path):
    app = fastapi.FastAPI()
    add_upload_routes(app, Studio(RunStore(tmp_path / "output"), {"DATA_DIR": str(dataset)}))
    return app


@pytest.fixture
def client(routes):
    return TestClient(routes)


def send(client, dataset, name, data, modified=1):
    announced = client.post("/uploads", json={"folder": str(dataset), "name": name, "size": len(data), "modified": modified})
    assert announced.status_code == 200, announced.text
    identity, offset = announced.json()["identity"], announced.json()["offset"]
    while offset < len(data):
        offset = client.put(f"/uploads/{identity}", params={"folder": str(dataset), "offset": offset}, content=data[offset : offset + CHUNK]).json()["offset"]
    return {"identity": identity, "name": name}


def hand_in(client, dataset, files, batch=BATCH):
    answer = client.post(f"/uploads/batches/{batch}", json={"folder": str(dataset), "files": files})
    assert answer.status_code == 200, answer.text
    deadline = time.monotonic() + 30
    while not answer.json()["done"] and time.monotonic() < deadline:
        time.sleep(0.02)
        answer = client.get(f"/uploads/batches/{batch}")
    assert answer.json()["done"] and not answer.json()["failed"]
    return answer.json()["receipts"]


def visible(dataset):
    return sorted(file.name for file in dataset.iterdir() if not file.name.startswith("."))


def test_a_batch_arrives_and_leaves_nothing_behind(client, dataset, tmp_path):
    archive = pack(tmp_path / "x.zip", ("b.png", png("blue")), ("../evil.png", png("green"))).read_bytes()
    files = [send(client, dataset, "a.txt", b"ohwx a"), send(client, dataset, "x.zip", archive), send(client, dataset, "a.png", png())]
    receipts = hand_in(client, dataset, files)
    assert [(receipt["name"], receipt["outcome"]) for receipt in receipts] == [("a.png", "added"), ("x.zip: b.png", "added"), ("x.zip: ../evil.png", "refused"), ("a.txt", "added")]
    assert visible(dataset) == ["a.png", "a.txt", "b.png"] and list((dataset / ".studio" / "uploads").iterdir()) == []


def test_a_batch_is_taken_in_once_however_often_it_is_handed_in(client, dataset):
    files = [send(client, dataset, "a.png", png())]
    assert hand_in(client, dataset, files) == hand_in(client, dataset, files) and visible(dataset) == ["a.png"]


def test_a_large_file_comes_in_pieces_and_equals_what_was_sent(client, dataset):
    data = np.random.default_rng(0).integers(0, 256, 2 * CHUNK + 5, dtype=np.uint8).tobytes()
    sent = send(client, dataset, "x.zip", data)
    assert hashlib.sha256(Inbox(dataset).whole(sent["identity"]).read_bytes()).digest() == hashlib.sha256(data).digest()


def test_a_file_chosen_again_goes_on_where_it_stopped(client, dataset):
    announced = {"folder": str(dataset), "name": "x.zip", "size": 10, "modified": 5}
    identity = client.post("/uploads", json=announced).json()["identity"]
    client.put(f"/uploads/{identity}", params={"folder": str(dataset), "offset": 0}, content=b"1234")
    assert client.post("/uploads", json=announced).json()["offset"] == 4
    assert client.post("/uploads", json={**announced, "modified": 6}).json()["offset"] == 0


@pytest.mark.parametrize("offset", [0, 3, 5, 10, 10**11])
def test_a_piece_at_the_wrong_place_is_answered_with_the_right_one(client, dataset, offset):
    identity = client.post("/uploads", json={"folder": str(dataset), "name": "x.zip", "size": 10, "modified": 5}).json()["identity"]
    client.put(f"/uploads/{identity}", params={"folder": str(dataset), "offset": 0}, content=b"1234")
    answer = client.put(f"/uploads/{identity}", params={"folder": str(dataset), "offset": offset}, content=b"x")
    assert answer.status_code == 409 and answer.json() == {"offset": 4}


def test_no_piece_is_longer_than_allowed_or_announced(client, dataset):
    identity = client.post("/uploads", json={"folder": str(dataset), "name": "x.zip", "size": 10, "modified": 5}).json()["identity"]
    for content in (b"x" * 11, bytes(CHUNK + 1)):
        assert client.put(f"/uploads/{identity}", params={"folder": str(dataset), "offset": 0}, content=content).status_code == 422
    assert client.post("/uploads", json={"folder": str(dataset), "name": "x.zip", "size": 10, "modified": 5}).json()["offset"] == 0


@pytest.mark.parametrize("identity", ["..%2f..%2fevil", "x", "0" * 32, "0" * 32 + "-", "0" * 32 + "-5%0a", "0" * 32 + "-99999999999999", "G" * 32 + "-5"])
def test_only_an_identity_names_a_file(client, dataset, identity):
    answer = client.put(f"/uploads/{identity}", params={"folder": str(dataset), "offset": 0}, content=b"x")
    assert answer.status_code in (404, 422) and not (dataset / ".studio").exists()


@pytest.mark.parametrize("folder", ["/etc", "..", "", "data/../..", "data/cache"])
def test_no_folder_but_a_listed_one_is_written(client, dataset, folder):
    assert client.post("/uploads", json={"folder": folder, "name": "a.png", "size": 1, "modified": 0}).status_code == 422
    assert client.put(f"/uploads/{'0' * 32}-5", params={"folder": folder, "offset": 0}, content=b"x").status_code == 422
    assert client.post(f"/uploads/batches/{BATCH}", json={"folder": folder, "files": [{"identity": "0" * 32 + "-5", "name": "a.png"}]}).status_code == 422


@pytest.mark.parametrize(("name", "size", "words"), [("a.heic", 5, "Most Compatible"), ("a.exe", 5, "neither"), ("a.jpg", 300 << 20, "limit"), ("a.txt", 200_000, "limit"), ("a.zip", 5 << 30, "limit")])
def test_what_could_not_be_taken_is_refused_before_it_is_sent(client, dataset, name, size, words):
    answer = client.post("/uploads", json={"folder": str(dataset), "name": name, "size": size, "modified": 0})
    assert answer.status_code == 422 and words in answer.json()["what"] + answer.json()["fix"]


def test_too_much_on_the_way_and_a_full_disk_are_said(client, dataset, monkeypatch):
    monkeypatch.setattr(inbox_module, "MOST_WAITING", 100)
    assert client.post("/uploads", json={"folder": str(dataset), "name": "a.jpg", "size": 80, "modified": 0}).status_code == 200
    assert "on their way" in client.post("/uploads", json={"folder": str(dataset), "name": "b.jpg", "size": 80, "modified": 0}).json()["what"]
    monkeypatch.setattr(inbox_module, "free_bytes", lambda _: 2**29)
    answer = client.post("/uploads", json={"folder": str(dataset), "name": "c.jpg", "size": 1, "modified": 0})
    assert answer.status_code == 422 and "0.5 GiB left" in answer.json()["what"]


def test_a_disk_that_fills_up_keeps_what_was_whole(dataset, monkeypatch):
    inbox = Inbox(dataset)
    identity, _ = inbox.open("x.zip", 10, 0, time.time())
    inbox.append(identity, 0, b"1234")

    class Full:
        def __init__(self, file, mode):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, piece):
            os.truncate(self.file, 5)
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(inbox_module, "open", Full, raising=False)
    with pytest.raises(UserError, match="no space left"):
        inbox.append(identity, 4, b"567890")
    monkeypatch.undo()
    assert inbox.append(identity, 4, b"567890") == 10 and inbox.whole(identity).read_bytes() == b"1234567890"


def test_two_writers_of_one_file_do_not_mix(dataset):
    inbox, data = Inbox(dataset), np.random.default_rng(1).bytes(200_000)
    identity, _ = inbox.open("x.zip", len(data), 0, time.time())

    def write():
        offset = 0
        while offset < len(data):
            try:
                offset = inbox.append(identity, offset, data[offset : offset + 1000])
            except WrongOffset as wrong:
                offset = wrong.offset

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inbox.whole(identity).read_bytes() == data


def test_what_nobody_comes_back_for_is_forgotten_after_a_day(dataset):
    inbox, now = Inbox(dataset), time.time()
    old, _ = inbox.open("old.zip", 10, 0, now)
    (inbox.folder / "batch-left-by-a-kill").mkdir()
    inbox.open("new.zip", 10, 0, now + SECONDS_KEPT - 60)
    assert inbox.file(old).exists()
    inbox.open("new.zip", 10, 0, now + SECONDS_KEPT + 60)
    assert [entry.name.endswith("-10.part") for entry in inbox.folder.iterdir()] == [True]
    assert not inbox.file(old).exists()


def test_a_file_that_did_not_arrive_whole_is_named_and_kept(client, dataset):
    identity = client.post("/uploads", json={"folder": str(dataset), "name": "a.png", "size": 1000, "modified": 5}).json()["identity"]
    client.put(f"/uploads/{identity}", params={"folder": str(dataset), "offset": 0}, content=b"1234")
    receipts = hand_in(client, dataset, [{"identity": identity, "name": "a.png"}, send(client, dataset, "b.png", png())])
    assert [receipt["outcome"] for receipt in receipts] == ["refused", "added"] and "whole" in receipts[0]["what"]
    assert client.post("/uploads", json={"folder": str(dataset), "name": "a.png", "size": 1000, "modified": 5}).json()["offset"] == 4


def test_unknown_batches_and_junk_are_answered_in_words_and_codes(client, dataset):
    assert "restarted" in client.get(f"/uploads/batches/{BATCH}").json()["what"]
    assert client.post("/uploads/batches/..", json={"folder": str(dataset), "files": []}).status_code in (404, 405, 422)
    for junk in ({}, {"folder": str(dataset), "name": "", "size": 1, "modified": 0}, {"folder": str(dataset), "name": "a.png", "size": -1, "modified": 0}, {"folder": str(dataset), "name": "a.png" * 2000, "size": 1, "modified": 0}):
        assert client.post("/uploads", json=junk).status_code == 422
    with pytest.raises(Refused):
        Inbox(dataset).file("../x")


@pytest.fixture
def running(routes, tmp_path):
    """The routes behind the gate, on a real socket."""
    config = uvicorn.Config(Gate(routes, Credentials(TOKEN, b"x" * 32), Brake()), host="127.0.0.1", port=0, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def test_a_proxy_that_cuts_every_stream_in_the_middle_only_makes_it_slower(running, dataset):
    """12 megapixels in pieces, of which the proxy lets at most 300 kB through per connection."""
    rng = np.random.default_rng(2)
    Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)).resize((4000, 3000), Image.Resampling.NEAREST).save(dataset.parent / "a.jpg", quality=95)
    data = (dataset.parent / "a.jpg").read_bytes()
    assert len(data) > 2_000_000

    def ask(port, method, address, body):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(method, address, body, {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    announced = json.dumps({"folder": str(dataset), "name": "a.jpg", "size": len(data), "modified": 0})
    with CutProxy(running, 300_000) as proxy:
        offset, tries = 0, 0
        while offset < len(data):
            tries += 1
            assert tries < 60
            state = ask(proxy.port, "POST", "/uploads", announced)
            offset = state["offset"]
            try:
                ask(proxy.port, "PUT", f"/uploads/{state['identity']}?folder={dataset}&offset={offset}", data[offset : offset + CHUNK])
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            offset = ask(proxy.port, "POST", "/uploads", announced)["offset"]
        assert proxy.cuts >= len(data) // 300_000 - 1
    assert Inbox(dataset).whole(state["identity"]).read_bytes() == data


def test_nobody_is_deleted_while_photos_are_taken_in_and_none_are_while_somebody_is(client, dataset, tmp_path, monkeypatch):
    files, holds, go_on = [send(client, dataset, "a.png", png())], threading.Event(), threading.Event()

    def slow(*arguments):
        holds.set()
        go_on.wait(20)
        return take_in(*arguments)

    with nobody_at_work(tmp_path / "output"):
        refused = client.post(f"/uploads/batches/{BATCH}", json={"folder": str(dataset), "files": files})
    assert refused.status_code == 422 and "being deleted" in refused.json()["what"] and visible(dataset) == []
    monkeypatch.setattr("ui.server.uploads.take_in", slow)
    client.post(f"/uploads/batches/{BATCH}", json={"folder": str(dataset), "files": files})
    assert holds.wait(20)
    with pytest.raises(Refused, match="taking in photos"), nobody_at_work(tmp_path / "output"):
        pytest.fail("it began all the same")
    go_on.set()
    assert hand_in(client, dataset, files)[0]["outcome"] == "added"


def test_no_piece_arrives_while_somebody_is_deleted_and_no_batch_for_who_is_gone(client, dataset, tmp_path, monkeypatch):
    files = [send(client, dataset, "a.png", png())]
    announced = {"folder": str(dataset), "name": "b.png", "size": 10, "modified": 1}
    with nobody_at_work(tmp_path / "output"):
        answers = [client.post("/uploads", json=announced), client.put(f"/uploads/{files[0]['identity']}", params={"folder": str(dataset), "offset": 0}, content=b"x")]
    assert [answer.status_code for answer in answers] == [422, 422] and all("being deleted" in answer.json()["what"] for answer in answers)

    @contextlib.contextmanager
    def after_a_deletion(output, what):
        """Between the click and the sign the person went."""
        monkeypatch.setattr(Studio, "listing", lambda self, place: [])
        yield

    monkeypatch.setattr("ui.server.uploads.at_work", after_a_deletion)
    answer = client.post(f"/uploads/batches/{BATCH}", json={"folder": str(dataset), "files": files})
    assert answer.status_code == 422 and "not one of the dataset folders" in answer.json()["what"] and visible(dataset) == []
