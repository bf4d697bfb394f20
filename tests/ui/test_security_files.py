"""S8-S10, S13-S15 against the running studio: files by our own listings only, uploads and archives that stay where they belong, weights that run no code."""

import io
import json
import os
import pickle
import struct
import time

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from core.dataset.inbox import CHUNK
from tests.core.archives import LINK, pack, png, png_that_claims
from ui.server.files import picture_file

INNER = "/gradio_api/file="


def test_gradios_own_file_route_gives_nothing_away(running):
    root = running.root
    (root / "anna" / ".hidden.png").write_bytes(b"x")
    (root / "link").symlink_to("/etc")
    wanted = [
        "/etc/passwd", "/proc/self/environ", "/etc/rp_environment", "file:///etc/passwd", "../app.py", "app.py", "%2e%2e/app.py", "..%2f..%2fetc%2fpasswd", "data/demo-subject/photo-01.png", "presets/fast.yaml", "http://169.254.169.254/x", "http://127.0.0.1:1/", "//etc/passwd",
        f"{running.output}/.secrets/access_token", f"{running.output}/secret.txt", f"{running.output}/anna.safetensors", f"{running.output}/anna/run.json", f"{root}/anna/photo-0.png", f"{root}/anna/.hidden.png", f"{root}/anna/evil.html", f"{root}/anna/evil.svg", f"{root}/link/passwd",
    ]  # fmt: skip
    for target in wanted:
        for route in (INNER, "/gradio_api/file/", "/file="):
            answer = running.ask_as_owner("GET", route + target)
            assert answer.status in (403, 404), (route + target, answer.status)
            assert running.ask_as_owner("HEAD", route + target).status in (403, 404, 405)


def test_our_file_routes_serve_what_was_listed_with_a_fixed_type(running):
    folder = running.dataset
    picture = running.ask_as_owner("GET", "/pictures/samples/anna/step-000000-0.webp")
    photo = running.ask_as_owner("GET", f"/photos?folder={folder}&name=photo-1&side=64")
    lora = running.ask_as_owner("GET", "/lora/anna.safetensors")
    assert [answer.header("content-type") for answer in (picture, photo, lora)] == ["image/webp", "image/webp", "application/octet-stream"]
    assert lora.body == b"weights" and lora.header("content-disposition").startswith("attachment") and all(answer.header("cache-control").startswith("private") for answer in (picture, photo, lora))


@pytest.mark.parametrize(
    "path",
    [
        "/lora/secret.txt", "/lora/..%2fanna.safetensors", "/lora/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/lora/.secrets", "/lora/anna.safetensors%00.png", "/lora/ANNA.safetensors", f"/lora/{'a' * 300}.safetensors", "/lora/",
        "/pictures/samples/anna/note.txt", "/pictures/samples/anna/page.html", "/pictures/samples/anna/link.png", "/pictures/samples/berta/outside.png", "/pictures/samples/../secret.txt", "/pictures/samples/anna/..%2f..%2fsecret.txt", "/pictures/samples/anna/step-000000-0.webp%00",
        "/pictures/samples/other/step-000000-0.webp", "/pictures/anna.safetensors", "/pictures/.secrets/access_token/x", "/pictures//etc/passwd", f"/pictures/samples/anna/{'a' * 300}.png", "/pictures/samples/anna/", "/pictures/%2fetc/passwd/x",
        "/photos?folder=/etc&name=passwd", "/photos?folder=data/demo-subject&name=../../app", "/photos?folder=data/demo-subject/..&name=photo-01", "/photos?folder=&name=", "/photos?folder=%00&name=x", "/photos?folder=data/cache&name=x",
        "/report?folder=/etc", "/report?folder=data/demo-subject/../..", "/scripts/../app.py", "/scripts/..%2fgate.py", "/scripts/gate.py", "/scripts/upload.js%00",
    ],
)  # fmt: skip
def test_nothing_but_listed_files_is_served(running, path):
    assert running.ask_as_owner("GET", path).status == 404, path


def test_a_dataset_photo_is_always_sent_as_a_picture_of_ours(running):
    for name in ("evil", "evil.html", "evil.svg", "photo-0.png"):
        answer = running.ask_as_owner("GET", f"/photos?folder={running.dataset}&name={name}")
        assert answer.status == 404 and b"<script" not in answer.body
    (running.dataset / "broken.png").write_bytes(b"<script>alert(1)</script>")
    try:
        answer = running.ask_as_owner("GET", f"/photos?folder={running.dataset}&name=broken")
        assert b"<script" not in answer.body and answer.header("content-type").startswith("image/") and answer.header("x-content-type-options") == "nosniff"
    finally:
        (running.dataset / "broken.png").unlink()


def test_of_a_photo_only_a_small_picture_is_sent_whatever_is_asked_for(running):
    large = running.dataset / "large.jpg"
    Image.effect_noise((3000, 2000), 60).convert("RGB").save(large, quality=95)
    try:
        for side, longest in ((256, 256), (99999, 1024)):
            answer = running.ask_as_owner("GET", f"/photos?folder={running.dataset}&name=large&side={side}")
            with Image.open(io.BytesIO(answer.body)) as sent:
                assert sent.format == "WEBP" and max(sent.size) == longest and len(answer.body) < large.stat().st_size / 5 and "EXIF" not in sent.info
    finally:
        large.unlink()
    assert running.ask_as_owner("GET", f"/photos?folder={running.dataset}&name=large").status == 404


def test_links_are_not_followed(running):
    assert picture_file(running.output, "samples/anna/link.png") is None and picture_file(running.output, "samples/berta/outside.png") is None


INJECTED = [{"path": "/etc/passwd"}, {"path": "/proc/self/environ", "orig_name": "a.png"}, {"path": "../../etc/passwd"}, {"path": None, "url": "http://169.254.169.254/latest/meta-data"}, {"path": "http://127.0.0.1:1/x", "url": "file:///etc/passwd"}]


def test_a_made_up_file_value_copies_nothing_into_any_handler(running):
    before = running.everything_written()
    handlers = [dependency for dependency in running.config()["dependencies"] if dependency["targets"] and dependency["targets"][0][1] == "click"]
    assert len(handlers) >= 20
    pairs = [(handler, INJECTED[number % len(INJECTED)]) for number, handler in enumerate(handlers)] + [(handlers[number], value) for number in (1, 2) for value in INJECTED]
    records = running.call_many([(handler["id"], [value | {"meta": {"_type": "gradio.FileData"}}] * len(handler["inputs"])) for handler, value in pairs])
    assert not any(record["success"] for record, (handler, _) in zip(records, pairs, strict=True) if handler["inputs"])
    assert "root:" not in json.dumps(records) and "/gradio_api/file=" not in json.dumps(records)
    assert running.everything_written() == before


def announce(running, name, size, **more):
    return running.post_json("/uploads", {"folder": str(running.dataset), "name": name, "size": size, "modified": 1} | more)


def piece(running, identity, offset, data):
    return running.ask_as_owner("PUT", f"/uploads/{identity}?folder={running.dataset}&offset={offset}", {"content-type": "application/octet-stream"}, data)


@pytest.mark.parametrize(
    ("name", "size", "status"),
    [("../../evil.png", 5, 200), ("/etc/passwd.png", 5, 200), ("C:\\evil.png", 5, 200), ("a" * 300 + ".png", 5, 200), ("a.heic", 5, 422), ("a.exe", 5, 422), (".htaccess", 5, 422), ("a.jpg", 300 << 20, 422), ("a.zip", 5 << 30, 422), ("", 5, 422), ("a" * 5000, 5, 422), ("a.png", -1, 422), ("a.png", 10**15, 422)],
)  # fmt: skip
def test_an_uploads_name_never_becomes_a_path_and_what_cannot_be_is_refused_at_once(running, name, size, status):
    before = running.everything_written()
    answer = announce(running, name, size)
    assert answer.status == status
    added = set(running.everything_written()) - set(before)
    assert all(file.startswith("anna/.studio/uploads/") and file.endswith(".part") for file in added)
    for file in added:
        (running.root / file).unlink()


@pytest.mark.parametrize("more", ['"name": "\\ud800.png"', '"name": "a.png", "modified": 1e400', '"name": "a.png", "modified": NaN', '"name": ["a.png"]', '"name": "<script>.png", "size": "<script>"'])
def test_an_announcement_that_is_none_is_answered_in_words_and_not_repeated(running, more):
    """A name that is half a character comes from a disk of Windows; what has no words is tried again and again by the page."""
    before = running.everything_written()
    body = f'{{"folder": {json.dumps(str(running.dataset))}, "size": 5, "modified": 1, {more}}}'.encode()
    answer = running.ask_as_owner("POST", "/uploads", {"content-type": "application/json"}, body)
    assert answer.status == 422 and "cannot be understood" in answer.json()["what"] and answer.json()["fix"] and "script" not in answer.text
    assert running.everything_written() == before


def test_offsets_lengths_and_folders_are_checked_piece_by_piece(running):
    identity = announce(running, "jump.zip", 10).json()["identity"]
    assert piece(running, identity, 0, b"1234").json() == {"offset": 4}
    assert [piece(running, identity, offset, b"x").status for offset in (0, 3, 5, 10**11, -1)] == [409] * 5
    assert piece(running, identity, 4, b"too long for it").status == 422 and piece(running, identity, 4, bytes(CHUNK + 1)).status == 422
    assert running.ask_as_owner("PUT", f"/uploads/{identity}?folder=/etc&offset=4", body=b"x").status == 422
    assert running.ask_as_owner("PUT", f"/uploads/..%2f..%2fevil?folder={running.dataset}&offset=0", body=b"x").status in (404, 422)
    (running.dataset / ".studio" / "uploads" / f"{identity}.part").unlink()


def test_a_disk_without_room_is_said_before_anything_is_sent(running, monkeypatch):
    monkeypatch.setattr("core.dataset.inbox.free_bytes", lambda folder: 2**29)
    answer = announce(running, "full.jpg", 5)
    assert answer.status == 422 and "0.5 GiB left" in answer.json()["what"]
    assert not list((running.dataset / ".studio" / "uploads").glob("*.part"))


def test_a_volume_over_its_quota_is_answered_507_and_keeps_what_was_whole(running, monkeypatch):
    identity = announce(running, "quota.zip", 10).json()["identity"]
    assert piece(running, identity, 0, b"1234").status == 200

    def over_quota(*_):
        raise OSError(122, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr("core.dataset.inbox.open", over_quota, raising=False)
        answer = piece(running, identity, 4, b"567890")
    assert answer.status == 507 and "no space left" in answer.json()["what"]
    assert piece(running, identity, 4, b"567890").json() == {"offset": 10}
    (running.dataset / ".studio" / "uploads" / f"{identity}.part").unlink()


def test_gradios_own_upload_route_takes_no_more_than_its_limit(running):
    boundary = "edge"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="../../a.png"\r\nContent-Type: image/png\r\n\r\n'.encode()
    body = head + bytes(33 << 20) + f"\r\n--{boundary}--\r\n".encode()
    try:
        status = running.ask_as_owner("POST", "/gradio_api/upload", {"content-type": f"multipart/form-data; boundary={boundary}"}, body).status
    except (BrokenPipeError, ConnectionResetError):
        status = "cut"  # answered before everything was sent
    assert status in (413, "cut")
    assert running.ask("POST", "/gradio_api/upload", {"content-type": f"multipart/form-data; boundary={boundary}"}, head).status == 401


def send_and_take_in(running, name, data, batch):
    announced = announce(running, name, len(data)).json()
    offset = announced["offset"]
    while offset < len(data):
        offset = piece(running, announced["identity"], offset, data[offset : offset + CHUNK]).json()["offset"]
    answer = running.post_json(f"/uploads/batches/{batch}", {"folder": str(running.dataset), "files": [{"identity": announced["identity"], "name": name}]})
    deadline = time.monotonic() + 60
    while not answer.json()["done"] and time.monotonic() < deadline:
        time.sleep(0.05)
        answer = running.ask_as_owner("GET", f"/uploads/batches/{batch}")
    assert answer.json()["done"] and not answer.json()["failed"]
    return answer.json()["receipts"]


def test_a_hostile_archive_leaves_the_good_photos_flat_and_names_every_refusal(running, tmp_path):
    members = [
        ("../../up.png", png("red")), ("/abs.png", png("green")), ("..\\win.png", png("blue")), ("link.png", b"/etc/passwd", LINK), ("x.html", b"<script>alert(1)</script>"), ("x.svg", b"<svg onload='alert(1)'/>"), ("run.sh", b"id"), ("fake.png", b"<script>alert(1)</script>"),
        ("bomb.png", bytes(8 << 20)), ("wide.png", png_that_claims(60000, 60000)), ("cut.png", png("white")[:40]), ("good-of-zip.png", png("black")), ("GOOD-OF-ZIP.PNG", png("yellow")), ("<img src=x onerror=alert(1)>.png", png("navy")), ("con.png", png("pink")), ("-rf.png", png("teal")), ("a‮gnp.png", png("gray")),
    ]  # fmt: skip
    before = set(running.everything_written())
    receipts = send_and_take_in(running, "evil.zip", pack(tmp_path / "evil.zip", *members).read_bytes(), "e" * 16)
    added = set(running.everything_written()) - before
    try:
        outcomes = {receipt["name"].removeprefix("evil.zip: "): receipt["outcome"] for receipt in receipts}
        assert len(receipts) >= len(members) - 1 and all(receipt["what"] for receipt in receipts if receipt["outcome"] == "refused")
        assert all(outcomes[name] == "refused" for name in ("../../up.png", "/abs.png", "link.png", "x.html", "x.svg", "run.sh", "fake.png", "bomb.png", "wide.png", "cut.png"))
        assert added and all(file.count("/") == 1 and file.startswith("anna/") and file.endswith(".png") for file in added)
        assert all(not (set("<>\\:\n‮") & set(file)) and not file.startswith(("anna/-", "anna/.")) for file in added)
        assert len({file.lower() for file in added}) == len(added) and not any((running.root / file).is_symlink() for file in added)
    finally:
        for file in added:
            (running.root / file).unlink()


def test_what_is_no_archive_and_what_has_too_many_members_is_refused_by_name(running, tmp_path):
    before = running.everything_written()
    many = pack(tmp_path / "many.zip", *[(f"{number}.txt", b"x") for number in range(6000)]).read_bytes()
    for name, data, batch in (("no.zip", b"hello", "b" * 16), ("many.zip", many, "c" * 16), ("empty.zip", b"", "d" * 16)):
        receipts = send_and_take_in(running, name, data, batch)
        assert [receipt["outcome"] for receipt in receipts] == ["refused"] and receipts[0]["what"], name
    assert running.everything_written() == before


def test_more_files_than_anybody_drops_at_once_are_answered_and_nothing_is_written(running):
    before = running.everything_written()
    files = [{"identity": f"{number:032x}-5", "name": f"{number}.png"} for number in range(1001)]
    answer = running.post_json(f"/uploads/batches/{'f' * 16}", {"folder": str(running.dataset), "files": files})
    deadline = time.monotonic() + 30
    while answer.status == 200 and not answer.json()["done"] and time.monotonic() < deadline:
        time.sleep(0.05)
        answer = running.ask_as_owner("GET", f"/uploads/batches/{'f' * 16}")
    assert answer.status in (413, 422) or (answer.json()["done"] and {receipt["outcome"] for receipt in answer.json()["receipts"]} == {"refused"})
    assert running.everything_written() == before


class Boom:
    def __reduce__(self):
        return os.system, ("touch /tmp/studio-was-owned",)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("pickle", pickle.dumps(Boom())),
        ("header", struct.pack("<Q", 1 << 40) + b"{}"),
        ("lie", (lambda head: struct.pack("<Q", len(head)) + head + b"\0" * 4)(json.dumps({"w": {"dtype": "F32", "shape": [1 << 20, 1 << 20], "data_offsets": [0, 4]}}).encode())),
        ("nothing", b""),
        ("another", safetensors.numpy.save({f"lora_unet_down_blocks_0_attentions_0.lora_{part}.weight": np.zeros((4, 4), np.float32) for part in ("up", "down")})),
    ],
)  # fmt: skip
def test_weights_that_lie_are_refused_and_run_no_code(running, name, data):
    """Through the page: chosen for a strength grid, which runs as a job of the running studio."""
    from core.evaluation.grid import GridRequest
    from core.evaluation.job import EvaluationJob
    from core.tasks import grid_log, start_evaluation

    file = running.output / f"{name}.safetensors"
    file.write_bytes(data)
    try:
        request = GridRequest(lora=file.name, model_path="presets/pocket-flux", prompts=("a person",), strengths=(1.0,), seed=1, width=64, height=64, num_inference_steps=1, guidance_scale=3.5, text_length=64, precision="fp32")
        grid = start_evaluation(running.studio.trainer, EvaluationJob(aim="grid", request=request), running.studio.store)
        assert running.studio.trainer.wait(120)
        last = grid_log(grid, running.studio.store).ended()
        assert last.kind == "failed" and last.fix and not os.path.exists("/tmp/studio-was-owned")
        assert "unexpected" not in last.where, last.what
    finally:
        file.unlink()
