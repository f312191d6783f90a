"""Pages of other origins, proxies, and where the service stands."""
import re

import pytest

from signing import form
from who import SECRET, bearer, problem
from who_stage import FORM, MEDIA, PATCH, Stage

ELSEWHERE = {"Origin": "https://elsewhere.example"}


@pytest.fixture
def stage(world):
    return Stage(world)


def test_pages_of_named_origins_may_call(world):
    s = Stage(world, CORS_ORIGINS="https://crm.example, http://localhost:3000")
    page, stranger = {"Origin": "https://crm.example"}, {"Origin": "https://crm.example.evil"}
    asked = {**page, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range,authorization"}
    target = f"/api/recordings/{s.tape.sid}/stream"
    leave = s.get(target, asked, 204, method="OPTIONS")
    assert leave.header("access-control-allow-origin") == "https://crm.example"
    assert leave.header("access-control-allow-credentials") == "true" and int(leave.header("access-control-max-age")) > 0
    assert {"GET", "HEAD"} <= set(leave.header("access-control-allow-methods").split(", "))
    allowed = {name.lower() for name in leave.header("access-control-allow-headers").split(", ")}
    assert {"authorization", "range", "if-range", "content-type", "prefer", "x-business-id"} <= allowed
    assert "Origin" in leave.header("vary") and leave.body == b""
    calls = s.get(f"/api/calls/{s.tape.call_sid}", {**page, "Access-Control-Request-Method": "PATCH"}, 204, method="OPTIONS")
    assert "PATCH" in calls.header("access-control-allow-methods").split(", ")
    refusal = s.get(target, {**asked, **stranger}, 403, method="OPTIONS")
    assert not refusal.header("access-control-allow-origin") and "Origin" in refusal.header("vary")
    assert s.get(target, page, 405, method="OPTIONS").header("allow")
    played = s.get(target, {**page, **bearer(s.a.viewer), **MEDIA}, 206)
    exposed = {name.lower() for name in played.header("access-control-expose-headers").split(", ")}
    assert {"accept-ranges", "content-range", "content-length", "etag", "retry-after"} <= exposed
    for answer in (played, s.get(target, page, 401), s.get("/api/nothing", page, 404), s.get("/api/calls/x", {**page, **bearer(s.a.viewer)}, 400),
                   s.get("/healthz", page, 200), s.get(target, page, 405, method="PUT"),
                   s.get(f"/api/calls/{s.tape.call_sid}", {**page, **bearer(s.a.key("agent")), **PATCH}, 413, method="PATCH", body=b"x" * 70000)):
        assert answer.all("access-control-allow-origin") == ["https://crm.example"], answer
        assert answer.all("vary") == ["Origin"], answer
    for origin in (stranger, {}, {"Origin": "null"}, {"Origin": "http://crm.example"}):
        answer = s.get(target, {**origin, **bearer(s.a.viewer)}, 200)
        assert not answer.header("access-control-allow-origin") and answer.all("vary") == ["Origin"]
    cookie = s.session(s.a.key("agent"))
    retry = f"/api/recordings/{s.tape.sid}/retry"
    s.get(retry, {**cookie, **page}, 200, method="POST", body=b"")
    problem(s.get(retry, {**cookie, **stranger}, method="POST", body=b""), 403)


def test_without_origins_nobody_elsewhere_may_call(stage):
    s = stage
    answer = s.get("/api/calls", {**ELSEWHERE, **bearer(s.a.viewer)}, 200)
    assert not answer.header("access-control-allow-origin") and not answer.header("vary")
    asked = {**ELSEWHERE, "Access-Control-Request-Method": "GET"}
    assert not s.get("/api/calls", asked, 403, method="OPTIONS").header("access-control-allow-origin")


ORIGINS = [  # headers, and whether an unsafe method with the cookie may
    ({}, True),
    ({"Origin": "http://calls.example"}, True),
    ({"Origin": "https://calls.example"}, False),
    ({"Origin": "http://calls.example:81"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": "http://calls.example", "Sec-Fetch-Site": "cross-site"}, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "cross-site"}, False),
]


def test_a_cookie_acts_only_for_pages_of_ours(stage):
    s = stage
    cookie = {**s.session(s.a.key("agent")), "Host": "calls.example"}
    target = f"/api/recordings/{s.tape.sid}/retry"
    for headers, may in ORIGINS:
        answer = s.get(target, {**cookie, **headers}, method="POST", body=b"")
        assert answer.status == (200 if may else 403), (headers, answer)
        s.get("/api/calls", {**cookie, **headers}, 200)  # a safe method


def test_a_trusted_proxy_says_under_which_scheme(world):
    for trusted, status in (("127.0.0.1", 200), (None, 403)):
        s = Stage(world, TRUSTED_PROXIES=trusted)
        headers = {**s.session(s.a.key("agent")), "Host": "calls.example", "X-Forwarded-Proto": "https",
                   "Origin": "https://calls.example"}
        s.get(f"/api/recordings/{s.tape.sid}/retry", headers, status, method="POST", body=b"")
        s.server.stop()


FORWARDED = [  # X-Forwarded-Proto, X-Forwarded-For, whether the client used https
    ("https,http", "192.0.2.1, 10.0.0.7", True),  # 10.0.0.7 is a trusted proxy, which used http to the nearest one
    ("https, http", "192.0.2.1:5678, 10.0.0.7:41", True),
    ("https,http", "192.0.2.1, [::ffff:10.0.0.7]:443", True),
    ("https,http", "192.0.2.1, [::ffff:10.0.0.7]", True),
    ("https,http", "192.0.2.1, 10.0.0.7:x", False),  # no address of a trusted proxy
    ("https,http", "192.0.2.1, [::ffff:10.0.0.7]443", False),
    ("https,http", "192.0.2.1, 10.0.0.7:", False),
    ("https,http", "192.0.2.1, 192.0.2.7", False),
    ("https,http", None, False),  # a client wrote "https", the nearest proxy appended "http"
    ("http,https", None, True),
    ("http,https,http", "10.0.0.9, 192.0.2.1, 10.0.0.7", True),
    ("HTTPS", "192.0.2.1, 10.0.0.7", True),
    ("https,", None, False),
]


def test_of_several_proxies_the_outermost_trusted_one_says_under_which_scheme(world):
    s = Stage(world, TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8")
    cookie = {**s.session(s.a.key("agent")), "Host": "calls.example", "Origin": "https://calls.example"}
    for proto, address, is_https in FORWARDED:
        headers = {**cookie, "X-Forwarded-Proto": proto, **({"X-Forwarded-For": address} if address else {})}
        answer = s.get(f"/api/recordings/{s.tape.sid}/retry", headers, method="POST", body=b"")
        assert answer.status == (200 if is_https else 403), (proto, address, answer)


# ---- where the service stands ----

def test_links_carry_the_path_and_requests_come_with_and_without(world):
    s = Stage(world)
    s.server.stop()
    server = s.server = world.again(s.server, JWT_SECRET=SECRET, PUBLIC_BASE_URL="https://calls.example/app/")
    for base in ("", "/app"):
        played = server.get(f"{base}/api/recordings/{s.tape.call_sid}/stream", s.a.viewer)
        assert played.status == 200 and re.fullmatch(r"/app/api/recordings/RE\w+/stream", played.header("content-location"))
        row = server.get(f"{base}/api/recordings/{s.tape.sid}/status", s.a.viewer).json()
        assert row["stream_url"] == f"/app/api/recordings/{s.tape.sid}/stream"
    made = server.post(f"/app/api/recordings/{s.tape.sid}/url", s.a.key("agent")).json()["url"]
    world.secrets.add(made.split("sig=")[1])
    assert made.startswith(f"https://calls.example/app/api/recordings/{s.tape.sid}/stream?")
    path = made.removeprefix("https://calls.example")
    assert server.get(path).status == 200 and server.get(path.removeprefix("/app")).status == 200
    cookie = server.post("/app/api/session", s.a.viewer).all("set-cookie")[0]
    assert re.fullmatch(r"__Secure-callreel=[\w-]{43}; Path=/app; HttpOnly; SameSite=Lax; Secure; Max-Age=43200", cookie)
    token_of = re.search(r"token=([\w-]+)", world.done("signin", "--business", s.a.id,
                                                       env={"PUBLIC_BASE_URL": "https://calls.example/app/"})).group(1)
    world.secrets.add(token_of)
    page = server.get(f"/app/signin?token={token_of}").body.decode()
    assert 'action="/app/signin"' in page and server.get("/calls").header("location") == "/app/"
    own = {**FORM, "Origin": "https://calls.example"}
    assert server.post("/app/signin", headers=own, body=form({"token": token_of})).header("location") == "/app/"
    assert server.get("/application/api/calls", s.a.viewer).status == 404


COOKIES = [  # PUBLIC_BASE_URL, FRAME_ANCESTORS, how the cookie is called, and kept to
    (None, None, "callreel", "Path=/; HttpOnly; SameSite=Lax"),
    ("http://calls.example", None, "callreel", "Path=/; HttpOnly; SameSite=Lax"),
    ("https://calls.example", None, "__Host-callreel", "Path=/; HttpOnly; SameSite=Lax; Secure"),
    ("https://calls.example", "'self' https://crm.example", "__Host-callreel",
     "Path=/; HttpOnly; SameSite=None; Secure; Partitioned"),
]


def test_the_cookie_is_kept_to_where_the_service_stands(world, provider):
    first = world.server()
    business = world.business(provider)
    key = business.viewer
    first.stop()
    for public, ancestors, name, attributes in COOKIES:
        server = world.server(PUBLIC_BASE_URL=public, FRAME_ANCESTORS=ancestors)
        text = server.post("/api/session", key).all("set-cookie")[0]
        assert re.fullmatch(rf"{name}=[\w-]{{43}}; {attributes}; Max-Age=43200", text), text
        cookie = text.split(";")[0]
        assert server.get("/api/session", headers={"Cookie": f"other=x; {cookie}"}).status == 200
        server.stop()
