"""The server as the internet sees it: closed without the token, only our own pages may call, files by listing only."""

import time

import pytest
from PIL import Image
from starlette.testclient import TestClient

import ui.server.gate as gate_module
from core.presets import guide_variables
from core.runs import RunStore
from ui.server.files import picture_file
from ui.server.gate import Gate, access_token, cookie_secret
from ui.server.serve import build_app
from ui.studio import Studio

TOKEN = "a-token-of-enough-length"
HOST = "https://pod-7860.example.net"


@pytest.fixture(scope="module")
def app(tmp_path_factory, demo_subject):
    root = tmp_path_factory.mktemp("output")
    (root / "samples" / "anna").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(root / "samples" / "anna" / "step-000000-0.webp")
    (root / "samples" / "anna" / "note.txt").write_text("no picture")
    (root / "anna.safetensors").write_bytes(b"weights")
    (root / "secret.txt").write_text("secret")
    return build_app(Studio(RunStore(root), guide_variables({})), TOKEN, b"secret" * 8)


@pytest.fixture
def client(app):
    app.failed_tries.clear()
    return TestClient(app, base_url=HOST, follow_redirects=False)


@pytest.fixture
def owner(client):
    assert client.post("/login", data={"token": TOKEN}).status_code == 303
    return client


def routes(app):
    """(method, path) of every route, those of mounted applications too."""
    for route in app.routes:
        inner = getattr(route, "app", None) or getattr(route, "original_router", None)
        if hasattr(inner, "routes"):
            yield from routes(inner)
        for method in getattr(route, "methods", None) or ():
            yield method, route.path


def test_every_route_is_closed_without_the_token(app, client):
    found = {(method, path) for method, path in routes(app.app) if path != "/healthz"}
    assert len(found) > 60
    for method, path in found:
        answer = client.request(method, path.replace("{", "").replace("}", "").replace(":path", ""))
        assert answer.status_code in (303, 401), (method, path, answer.status_code)


@pytest.mark.parametrize("path", ["/config", "//config", "/./config", "/login/../config", "/healthz/../config", "/%68ealthz/..%2fconfig", "/docs", "/openapi.json", "/.env", "/gradio_api/file=/etc/passwd", "/photos", "/pictures/samples/anna/step-000000-0.webp", "/lora/anna.safetensors", "/gradio_api/heartbeat/x"])
def test_ways_around_are_closed(client, path):
    assert client.get(path).status_code in (303, 401, 404)


def test_health_and_login_are_open_and_say_nothing(client):
    assert client.get("/healthz").json() == {"ok": True}
    page = client.get("/login")
    assert page.status_code == 200 and TOKEN not in page.text and "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/").headers["location"] == "login"


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é", "x" * 3000])
def test_a_wrong_token_does_not_open(client, token):
    assert client.post("/login", data={"token": token}).status_code in (401, 413)
    assert client.get("/config", headers={"authorization": f"Bearer {token}".encode()}).status_code == 401
    assert client.get(f"/config?token={TOKEN}").status_code == 401


def test_the_cookie_is_strict_and_signed(client):
    cookie = client.post("/login", data={"token": TOKEN}).headers["set-cookie"]
    assert cookie.startswith("__Host-studio=") and all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/")) and "Domain" not in cookie
    value = cookie.split("=", 1)[1].split(";")[0]
    expires, signature = value.split(".")
    for forged in (f"{int(expires) + 9}.{signature}", value[:-1], f"{int(time.time()) - 9}.{signature}", "", "x.y", f"{'9' * 40}.{signature}"):
        assert client.get("/config", headers={"cookie": f"__Host-studio={forged}"}, cookies=None).status_code in (200, 401)
        assert TestClient(client.app, base_url=HOST).get("/config", headers={"cookie": f"__Host-studio={forged}"}).status_code == 401


def test_guessing_is_braked_and_the_owner_still_gets_in(client):
    answers = [client.post("/login", data={"token": f"guess-{number}"}).status_code for number in range(14)]
    assert answers == [401] * 10 + [429] * 4
    assert client.post("/login", data={"token": TOKEN}).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "same-site"}, {"sec-fetch-site": "cross-site"}, {"origin": "https://other-7860.example.net"}, {"origin": "null"}, {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}],
)
def test_other_pages_cannot_call_with_the_owners_cookie(owner, headers):
    for answer in (owner.get("/config", headers=headers), owner.post("/gradio_api/queue/join", json={}, headers=headers)):
        assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers


def test_a_link_from_elsewhere_may_open_the_page(owner):
    assert owner.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}).status_code == 200


def test_the_page_works_with_the_cookie_and_carries_safe_headers(owner):
    answer = owner.get("/config")
    assert answer.status_code == 200 and TOKEN not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["x-robots-tag"] == "noindex" and answer.headers["x-frame-options"] == "SAMEORIGIN"


def test_websockets_are_closed(client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect) as raised, client.websocket_connect("/anything"):
        pass
    assert raised.value.code == 4403


def test_pictures_and_loras_are_served_to_the_owner(owner):
    assert owner.get("/pictures/samples/anna/step-000000-0.webp").headers["content-type"] == "image/webp"
    assert owner.get("/lora/anna.safetensors").content == b"weights"
    photo = owner.get("/photos", params={"folder": "data/demo-subject", "name": "photo-01", "side": 64})
    assert photo.status_code == 200 and photo.headers["content-type"] == "image/webp"


@pytest.mark.parametrize("path", ["/lora/secret.txt", "/lora/..%2fanna.safetensors", "/pictures/samples/anna/note.txt", "/pictures/samples/../secret.txt", "/pictures/samples/anna/..%2f..%2fsecret.txt", "/pictures/anna.safetensors", "/photos?folder=/etc&name=passwd", "/photos?folder=data/demo-subject&name=../../app"])
def test_nothing_but_listed_files_is_served(owner, path):
    assert owner.get(path).status_code == 404


def test_links_are_not_followed(tmp_path):
    (tmp_path / "samples" / "anna").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "outside.png")
    (tmp_path / "samples" / "anna" / "link.png").symlink_to(tmp_path / "outside.png")
    (tmp_path / "samples" / "berta").symlink_to(tmp_path)
    assert picture_file(tmp_path, "samples/anna/link.png") is None and picture_file(tmp_path, "samples/berta/outside.png") is None


@pytest.mark.parametrize("path", ["/gradio_api/file=../app.py", "/gradio_api/file=/proc/self/environ", "/gradio_api/file=app.py", "/gradio_api/file=data/demo-subject/photo-01.png"])
def test_gradios_own_file_route_gives_nothing_away(owner, path):
    assert owner.get(path).status_code in (403, 404)


def test_token_and_secret_are_kept_for_the_owner_only(tmp_path):
    token, secret = access_token(tmp_path / "s", {}), cookie_secret(tmp_path / "s")
    assert len(token) >= 24 and access_token(tmp_path / "s", {}) == token and cookie_secret(tmp_path / "s") == secret
    assert access_token(tmp_path / "s", {"APP_TOKEN": "given"}) == "given"
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "s").iterdir())


def test_a_short_token_is_refused():
    with pytest.raises(ValueError, match="16"):
        Gate(lambda *_: None, "short", b"x")


def test_without_a_token_other_origins_are_still_refused(tmp_path):
    local = TestClient(build_app(Studio(RunStore(tmp_path), {}), None, b"x" * 32), base_url="http://127.0.0.1:7860")
    assert local.get("/config").status_code == 200
    assert local.get("/config", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert gate_module.COOKIE_SECONDS > 0


def test_gradios_risky_switches_are_off(app):
    page = next(route.app.blocks for route in app.app.routes if hasattr(getattr(route, "app", None), "blocks"))
    config = page.config
    assert not config.get("run_history") and not config.get("analytics_enabled") and not config.get("mcp_server") and not config.get("is_space")
    assert all(dependency["api_visibility"] == "private" for dependency in config["dependencies"])
    assert len(config["dependencies"]) >= 10
