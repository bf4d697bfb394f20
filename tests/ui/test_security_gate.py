"""S1-S7 against the running studio: closed without the token, hard to guess, one's own pages only, safe headers on everything."""

import asyncio
import functools
import re
import socket
import time

import pytest

from core.errors import Refused, UserError
from tests.ui.running import HOST, SECRET, TOKEN, routes_of
from ui.layout import LOG_OUT, masthead
from ui.server.bodies import LARGEST_BODY
from ui.server.credentials import Credentials, access_token, cookie_secret, new_cookie_secret
from ui.server.gate import SHUT_PATHS, Gate
from ui.server.login import LONGEST_DELAY, MOST_WAITING, Brake

CLOSED = (303, 401, 403, 404)
OPEN = {("GET", "/healthz"), ("HEAD", "/healthz"), ("POST", "/login")}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def login(running, token, **headers):
    return running.ask("POST", "/login", FORM | headers, f"token={token}".encode())


def test_every_route_of_ours_and_of_gradio_is_closed_without_the_token(running):
    routes = routes_of(running.app)
    assert len(routes) > 80 and all(any(word in path for _, path in routes) for word in ("queue/join", "heartbeat", "pwa_icon", "/uploads/batches", "/lora", "/photos"))
    began = time.monotonic()
    for method, path in sorted(routes - OPEN):
        answer = running.ask(method, path)
        assert answer.status in CLOSED and b"version" not in answer.body and b"components" not in answer.body, (method, path, answer.status)
    assert time.monotonic() - began < 20  # streams too answer at once


def test_a_route_that_is_added_later_is_closed_by_construction(running):
    running.app.add_api_route("/made-up", lambda: "private", methods=["GET", "POST"])
    assert ("GET", "/made-up") in routes_of(running.app)
    assert running.ask("GET", "/made-up").status == 401 and running.ask("POST", "/made-up").status == 401


@pytest.mark.parametrize(
    "path",
    ["//config", "/./config", "/login/../config", "/healthz/../config", "/%68ealthz/..%2fconfig", "/healthz/", "/healthz?/config", "/LOGIN", "/login/", "/login/x", "/docs", "/redoc", "/openapi.json", "/.env", "/.git/config", "/metrics", "/gradio_api/mcp/sse", "/gradio_api/file=/etc/passwd", "/gradio_api/heartbeat/x", "/static/../config", "*", "/config%00", "/\\config", "http://elsewhere/config"],
)  # fmt: skip
def test_ways_around_are_closed(running, path):
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"):
        answer = running.ask(method, path)
        assert answer.status in (*CLOSED, 400, 405) or (path.startswith("/healthz?") and answer.body in (b"", b'{"ok":true}')), (method, path, answer.status)
        assert b"components" not in answer.body


@pytest.mark.parametrize("agent", [{"accept": "text/html"}, {"accept": "*/*"}, {}, {"user-agent": "curl/8"}])
def test_the_page_leads_every_client_to_the_login(running, agent):
    for method in ("GET", "HEAD"):
        answer = running.ask(method, "/", agent)
        assert (answer.status, answer.header("location"), answer.body) == (303, "login", b"")
        assert running.ask(method, "/login", agent).status == 200


def test_health_and_login_are_open_and_say_nothing(running):
    assert running.ask("GET", "/healthz").json() == {"ok": True} and running.ask("HEAD", "/healthz").status == 200
    page = running.ask("GET", "/login")
    assert page.status == 200 and TOKEN not in page.text and str(running.root) not in page.text


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN[1:], TOKEN + "x", TOKEN.upper(), "é", "\udcff", "x" * 3000, "Bearer", f"{TOKEN}\n{TOKEN}"])
def test_a_wrong_token_does_not_open(running, token):
    raw = token.encode("utf-8", "surrogateescape").replace(b"\n", b"%0a")
    assert running.ask("POST", "/login", FORM, b"token=" + raw).status in (401, 413)
    for scheme in ("Bearer", "bearer", "Basic", "Token", ""):
        answer = running.ask("GET", "/config", {"authorization": f"{scheme} ".encode() + token.replace("\n", "").encode("utf-8", "surrogateescape")})
        assert answer.status in (401, 429)
        running.gate.brake.__init__()


def test_the_token_counts_in_the_header_and_the_form_only(running):
    assert running.ask("GET", "/config", {"authorization": f"Bearer {TOKEN}"}).status == 200
    for target in (f"/config?token={TOKEN}", f"/?token={TOKEN}", f"/login?token={TOKEN}"):
        assert not running.ask("GET", target).header("set-cookie") and b"components" not in running.ask("GET", target).body
    for header in ({"authorization": f"Basic {TOKEN}"}, {"authorization": TOKEN}, {"x-token": TOKEN}, {"cookie": f"__Host-studio={TOKEN}"}):
        assert running.ask("GET", "/config", header).status == 401


def test_tokens_and_signatures_are_compared_in_constant_time():
    import inspect

    import ui.server.credentials as module

    source = inspect.getsource(module.Credentials)
    assert source.count("hmac.compare_digest(") == 2 and "self.token ==" not in source


def test_guessing_is_braked_ever_harder_and_the_owner_still_gets_in(running):
    answers = [login(running, f"guess-{number}") for number in range(13)]
    assert [answer.status for answer in answers] == [401] * 10 + [429] * 3 and answers[-1].header("retry-after") == "60"
    began = time.monotonic()
    assert login(running, TOKEN).status == 303 and time.monotonic() - began < 0.5
    began = time.monotonic()
    assert running.ask("GET", "/config", {"authorization": "Bearer guess"}).status == 429 and time.monotonic() - began >= 0.3
    assert running.ask("GET", "/config").status == 401 and running.ask_as_owner("GET", "/config").status == 200


def test_the_brake_grows_is_bounded_and_forgets_after_a_minute():
    now, slept = [0.0], []

    async def sleep(seconds):
        slept.append(seconds)

    brake = Brake(lambda: now[0], sleep)
    statuses = [asyncio.run(brake.wrong()) for _ in range(30)]
    assert statuses == [401] * 10 + [429] * 20 and slept[:4] == [0.1, 0.2, 0.4, 0.8] and max(slept) == LONGEST_DELAY
    now[0] = 60.0
    assert asyncio.run(brake.wrong()) == 401

    async def flood():
        waiting = Brake(lambda: now[0], lambda seconds: asyncio.sleep(0.05))
        assert {await waiting.wrong() for _ in range(10)} == {401}
        began = time.monotonic()
        await asyncio.gather(*(waiting.wrong() for _ in range(50 * MOST_WAITING)))
        return time.monotonic() - began

    assert asyncio.run(flood()) < 2


def test_a_token_that_is_easy_to_guess_is_refused():
    for weak in ("short", "a" * 40, "abcabcabcabcabcabc", "with spaces in the token", "tokén-of-enough-length"):
        with pytest.raises(Refused):
            Credentials(weak, SECRET)


def test_the_cookie_is_strict_signed_and_dies_with_its_token(running):
    cookie = login(running, TOKEN).header("set-cookie")
    assert cookie.startswith("__Host-studio=") and all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/", "Max-Age=1209600")) and "Domain" not in cookie
    value = cookie.split("=", 1)[1].split(";")[0]
    assert running.ask("GET", "/config", {"cookie": f"__Host-studio={value}"}).status == 200
    expires, signature = value.split(".")
    rotated = Credentials("another-token-of-length", SECRET).cookie()
    other_secret = Credentials(TOKEN, b"x" * 32).cookie()
    for forged in (f"{int(expires) + 9}.{signature}", value[:-1], f"{int(time.time()) - 9}.{signature}", "", ".", "x.y", f"{'9' * 40}.{signature}", f"-1.{signature}", f"{expires}.", f"１.{signature}", rotated, other_secret):
        assert running.ask("GET", "/config", {"cookie": f"__Host-studio={forged}".encode()}).status == 401, forged
    for name in ("studio", "__Secure-studio", "__host-studio"):  # what another pod's page could plant
        assert running.ask("GET", "/config", {"cookie": f"{name}={value}"}).status == 401


def test_an_expired_cookie_is_refused(running, monkeypatch):
    value = running.gate.credentials.cookie()
    long_after = time.time() + 15 * 86400
    monkeypatch.setattr("ui.server.credentials.time.time", lambda: long_after)
    assert running.ask("GET", "/config", {"cookie": f"__Host-studio={value}"}).status == 401


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "LOCALHOST"])
def test_through_a_tunnel_the_cookie_is_one_that_plain_http_keeps(running, host):
    cookie = running.ask("POST", "/login", FORM | {"host": host}, f"token={TOKEN}".encode()).header("set-cookie")
    assert cookie.startswith("studio=") and "Secure" not in cookie and "HttpOnly" in cookie
    assert running.ask("GET", "/config", {"host": host, "cookie": cookie.split(";")[0]}).status == 200


def test_cookies_outlive_a_restart_and_end_with_a_new_token(tmp_path):
    token, secret = access_token(tmp_path / "s", {}), cookie_secret(tmp_path / "s")
    cookie = Credentials(token, secret).cookie()
    again = Credentials(access_token(tmp_path / "s", {}), cookie_secret(tmp_path / "s"))
    assert again.is_cookie(cookie) and len(token) >= 24
    assert not Credentials(access_token(tmp_path / "s", {"APP_TOKEN": "a-new-token-from-outside"}), secret).is_cookie(cookie)
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "s").iterdir())


def test_logging_out_ends_every_browsers_cookie_and_the_token_opens_again(running):
    here, elsewhere = running.cookie, {"cookie": login(running, TOKEN).header("set-cookie").split(";")[0]}
    answer = running.ask("POST", "/logout", here)
    assert (answer.status, answer.header("location")) == (303, "login")
    assert answer.header("set-cookie").startswith('__Host-studio="";') and all(word in answer.header("set-cookie") for word in ("Max-Age=0", "Secure", "Path=/"))
    assert [running.ask("GET", "/config", cookie).status for cookie in (here, elsewhere)] == [401, 401]
    assert running.ask("GET", "/config", {"cookie": login(running, TOKEN).header("set-cookie").split(";")[0]}).status == 200


def test_only_a_button_of_the_page_logs_out(running):
    assert running.ask("POST", "/logout").status == 401
    assert running.ask_as_owner("GET", "/logout").status == 405
    assert running.ask_as_owner("POST", "/logout", {"origin": "https://evil.net"}).status == 403 == running.ask_as_owner("POST", "/logout", {"sec-fetch-site": "same-site"}).status
    assert running.ask_as_owner("GET", "/config").status == 200


def test_the_end_of_all_cookies_outlives_a_restart_and_a_disk_that_refuses_it_leaves_them(running, tmp_path, monkeypatch):
    credentials = Credentials(TOKEN, cookie_secret(tmp_path), functools.partial(new_cookie_secret, tmp_path))
    cookie = credentials.cookie()
    credentials.end_all_cookies()
    assert credentials.secret == cookie_secret(tmp_path) and not credentials.is_cookie(cookie) and (tmp_path / "cookie_secret").stat().st_mode & 0o077 == 0

    def refuse():
        raise UserError("There is no space left on the disk.", "", "Free some space.")

    monkeypatch.setattr(running.gate.credentials, "renew", refuse)
    owner = running.cookie
    answer = running.ask("POST", "/logout", owner)
    assert answer.status == 507 and "Nobody was logged out. There is no space left" in answer.text and running.ask("GET", "/config", owner).status == 200


def test_a_page_that_asks_for_no_token_offers_no_logout(running, monkeypatch):
    assert LOG_OUT in masthead(True) and "logout" not in masthead(False)
    monkeypatch.setattr(running.gate, "credentials", Credentials(None, SECRET))
    assert running.ask("POST", "/logout", {"host": "localhost"}).status == 405


def test_a_secret_that_was_copied_with_wide_rights_is_narrowed(tmp_path):
    (tmp_path / "access_token").write_text("a-token-of-enough-length\n")
    (tmp_path / "access_token").chmod(0o644)
    assert access_token(tmp_path, {}) == TOKEN and (tmp_path / "access_token").stat().st_mode & 0o777 == 0o600


FOREIGN = [
    {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, {"origin": "https://other-7860.proxy.example.net"}, {"origin": "null"}, {"origin": ""},
    {"origin": f"https://{HOST}.evil.net"}, {"origin": f"https://evil.net/{HOST}"}, {"origin": f"https://evil.net@{HOST}"}, {"origin": f"evil://evil://{HOST}"}, {"origin": HOST}, {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"},
]  # fmt: skip


@pytest.mark.parametrize("headers", FOREIGN)
def test_other_pages_cannot_call_with_the_owners_cookie(running, headers):
    asked = [("GET", "/config"), ("GET", "/"), ("GET", "/lora/anna.safetensors"), ("POST", "/gradio_api/queue/join"), ("PUT", "/uploads/x"), ("OPTIONS", "/config")]
    for method, path in asked:
        answer = running.ask_as_owner(method, path, headers)
        assert answer.status == 403 and not [name for name, _ in answer.headers if name.lower().startswith("access-control-")], (method, path)
    assert login(running, TOKEN, **headers).status == 403


@pytest.mark.parametrize("origin", ["http://[", "http://a]b", "https://[::1", "http://a\xbdb", "://", "x" * 5000])
def test_an_origin_that_is_none_is_refused_and_is_no_fault_of_the_server(running, origin, capfd):
    """Parsers stumble over it, and what stumbles on a public address fills its log."""
    answers = [login(running, TOKEN, origin=origin.encode("latin-1")), running.ask_as_owner("GET", "/config", {"origin": origin.encode("latin-1")})]
    assert [answer.status for answer in answers] == [403, 403] and "Traceback" not in capfd.readouterr().err


def test_a_link_from_elsewhere_opens_the_page_and_nothing_else(running):
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert running.ask_as_owner("GET", "/", link).status == 200
    for path in ("/lora/anna.safetensors", "/config", "/gradio_api/heartbeat/x", "/report?folder=data/demo-subject"):
        assert running.ask_as_owner("GET", path, link).status == 403


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": f"https://{HOST}"}, {"origin": "https://outer.example.net", "x-forwarded-host": "outer.example.net"}])
def test_the_studios_own_pages_may_call(running, headers):
    cookie = "__Host-studio=" + running.gate.credentials.cookie()
    answer = running.ask("GET", "/config", {"cookie": cookie} | headers)
    assert answer.status == 200 and not answer.header("access-control-allow-origin")


def websocket(gate, headers):
    sent = []

    async def run():
        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        await gate({"type": "websocket", "path": "/x", "headers": headers, "query_string": b"", "scheme": "ws", "server": ("x", 1), "client": ("x", 1), "subprotocols": [], "root_path": ""}, receive, send)

    asyncio.run(run())
    return sent


def test_websockets_need_the_cookie_and_the_own_origin(running):
    host = (b"host", HOST.encode())
    cookie = (b"cookie", running.cookie["cookie"].encode())
    assert websocket(running.gate, [host]) == [{"type": "websocket.close", "code": 4401}]
    assert websocket(running.gate, [host, cookie, (b"origin", b"https://evil.example")]) == [{"type": "websocket.close", "code": 4403}]


def test_an_upgrade_on_the_wire_is_an_ordinary_refused_request(running):
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert running.ask("GET", "/gradio_api/queue/join", upgrade).status == 401
    assert running.ask_as_owner("GET", "/gradio_api/queue/join", upgrade | {"origin": "https://evil.example"}).status == 403
    assert running.ask_as_owner("GET", "/gradio_api/queue/join", upgrade).status == 405


def raw(running, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(text)
        return connection.recv(200)


@pytest.mark.parametrize("length", ["many", "-1", "1e3", "٣", "5, 6", "9" * 30, ""])
def test_a_content_length_that_is_no_number_is_a_bad_request(running, length):
    assert b" 400 " in raw(running, f"POST /login HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n".encode())


def test_the_gate_itself_refuses_such_a_length_whatever_the_server_lets_through():
    sent = []

    async def run():
        async def send(message):
            sent.append(message)

        async def app(*_):
            raise AssertionError("passed")

        await Gate(app, Credentials(TOKEN, SECRET), Brake())({"type": "http", "method": "POST", "path": "/uploads", "headers": [(b"content-length", b"many")], "query_string": b""}, None, send)

    asyncio.run(run())
    assert sent[0]["status"] == 400


def test_a_body_is_counted_whether_it_announces_its_length_or_comes_in_chunks(running):
    too_much = LARGEST_BODY + (1 << 20)
    announced = running.ask_as_owner("POST", "/gradio_api/queue/join", {"content-type": "application/json", "content-length": str(too_much)}, b"")
    assert announced.status == 413

    def chunks():
        for _ in range(too_much >> 20):
            yield bytes(1 << 20)

    for method, target in (("POST", "/gradio_api/queue/join"), ("PUT", f"/uploads/{'0' * 32}-5?folder={running.dataset}&offset=0")):
        try:
            answer = running.ask_as_owner(method, target, {"content-type": "application/json", "transfer-encoding": "chunked"}, chunks()).status
        except (BrokenPipeError, ConnectionResetError):
            answer = "cut"
        assert answer in (413, 422, "cut")
    assert running.ask_as_owner("GET", "/healthz").status == 200


def test_a_stranger_cannot_make_the_server_read_a_large_login(running):
    assert running.ask("POST", "/login", FORM, b"token=" + bytes(1 << 20)).status == 413


def test_every_answer_carries_safe_headers(running):
    answers = [running.ask("GET", "/"), running.ask("GET", "/login"), running.ask("GET", "/config"), running.ask("GET", "/healthz")]
    answers += [running.ask_as_owner("GET", path) for path in ("/", "/config", "/scripts/upload.js", "/pictures/samples/anna/step-000000-0.webp", "/lora/anna.safetensors", "/theme.css", "/nothing", "/gradio_api/heartbeat/x")]
    assert [answer.status for answer in answers[4:9]] == [200] * 5
    for answer in answers:
        assert answer.header("x-content-type-options") == "nosniff" and answer.header("x-frame-options") in ("SAMEORIGIN", "DENY") and "noindex" in answer.header("x-robots-tag")
        assert answer.header("referrer-policy") == "same-origin" and answer.header("content-security-policy").startswith(("default-src 'self'", "default-src 'none'"))
        assert answer.header("server") == ""


def test_nothing_private_may_be_kept_by_a_cache_in_between(running):
    for method, path in sorted(routes_of(running.app)):
        if method == "GET" and not path.startswith(("/assets", "/svelte", "/static")):
            kept = running.ask_as_owner("GET", path).header("cache-control")
            assert "public" not in kept and any(word in kept for word in ("private", "no-store", "no-cache", "max-age=0")), (path, kept)


def test_streams_are_not_collected_on_the_way(running):
    stream = running.ask_as_owner("GET", "/gradio_api/heartbeat/x")
    assert stream.header("x-accel-buffering") == "no" and "no-transform" in stream.header("cache-control")


def test_what_the_page_never_asks_for_is_not_there_for_the_owner_either(running):
    shut = [path for _, path in routes_of(running.app) if path.startswith(SHUT_PATHS)]
    assert len(shut) >= 20
    for path in [*shut, "/pwa_icon/20000", "/monitoring/summary", "/gradio_api/mcp/sse", "/gradio_api/proxy=http://169.254.169.254/"]:
        for method in ("GET", "POST"):
            assert running.ask_as_owner(method, path).status == 404, path


def test_without_a_token_only_the_machines_local_name_is_answered(running, monkeypatch):
    """A page whose name was made to point at 127.0.0.1 is same-origin with itself and must get nothing."""
    monkeypatch.setattr(running.gate, "credentials", Credentials(None, SECRET))
    assert running.ask("GET", "/config", {"host": "localhost:7860"}).status == 200
    assert running.ask("GET", "/login", {"host": "localhost:7860"}).header("location") == "./"
    for headers in ({"host": "rebound.evil.example:7860"}, {"host": "rebound.evil.example:7860", "origin": "http://rebound.evil.example:7860"}, {"host": "evil.example", "x-forwarded-host": "localhost"}):
        answer = running.ask("GET", "/config", headers)
        assert answer.status == 403 and "localhost" in answer.text
    assert running.ask("GET", "/config", {"host": "localhost:7860", "sec-fetch-site": "cross-site"}).status == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP", "CF-Connecting-IP"])
def test_without_a_token_nothing_that_a_proxy_passes_on_is_answered(running, monkeypatch, header):
    """nginx in front calls us localhost, whatever name the world has called."""
    monkeypatch.setattr(running.gate, "credentials", Credentials(None, SECRET))
    for method, path in (("GET", "/"), ("GET", "/config"), ("GET", "/lora/anna.safetensors"), ("POST", "/gradio_api/queue/join")):
        answer = running.ask(method, path, {"host": "localhost:7860", header: "203.0.113.7"})
        assert answer.status == 403 and "proxy" in answer.text
    assert running.ask("GET", "/healthz", {"host": "localhost:7860", header: "203.0.113.7"}).status == 200


def test_scripts_named_by_their_content_are_kept_by_the_owners_browser_only(running):
    page = running.ask_as_owner("GET", "/").body.decode()
    found = re.findall(r"assets/[\w./-]+-[\w-]{8}\.js", page)
    assert found
    assert running.ask_as_owner("GET", f"/{found[0]}").header("cache-control") == "private, max-age=31536000, immutable"
    for path in (f"/{found[0]}", "/assets/nothing-AAAAAAAA.js"):
        assert "immutable" not in (running.ask("GET", path).header("cache-control") or ""), "nobody else learns of it, and no answer but a whole one is kept"
    assert "immutable" not in running.ask_as_owner("GET", "/assets/nothing-AAAAAAAA.js").header("cache-control")
