"""Access: every endpoint with every kind of credential; sessions, links, signed URLs, origins."""
import json
import re
import threading
import time

import pytest

import provider as p
import wire
from callreel import ROOT, eventually
from signing import form
from who import SECRET, b64, bearer, claims, cookie_of, problem, sign_in, token

MEDIA = {"Range": "bytes=0-"}
PATCH = {"Content-Type": "application/merge-patch+json"}
ELSEWHERE = {"Origin": "https://elsewhere.example"}
RANKS = {"viewer": 0, "agent": 1, "admin": 2}


@pytest.fixture
def stage(world):
    """Two businesses; a call of the first with two recordings that are ready and hot."""
    return Stage(world)


class Stage:
    def __init__(self, world, **settings):
        self.world = world
        self.server = world.server(JWT_SECRET=SECRET, **settings)
        world.secrets.add(SECRET)
        mine, theirs = world.provider(), world.provider()
        self.a, self.b = world.business(mine, "A"), world.business(theirs, "B")
        self.tape, self.twin, self.doomed = mine.tape(seconds=2), mine.tape(seconds=2), mine.tape(seconds=2)
        self.a.tell_call(self.server, self.tape.call_sid)
        for tape in (self.twin, self.tape):
            self.a.tell(self.server, tape)
            world.wait_state(tape.sid, business_id=self.a.id)
        self.a.tell(self.server, self.doomed, "in-progress", RecordingDuration="-1")
        self.get(f"/api/recordings/{self.tape.sid}/stream", bearer(self.a.viewer), 200)

    def get(self, target, headers=(), status=None, method="GET", body=None):
        answer = self.server.call(method, target, headers, body)
        assert status is None or answer.status == status, answer
        return answer

    def sign(self, sid, ttl=600, key=None):
        answer = self.server.post(f"/api/recordings/{sid}/url?ttl={ttl}", key or self.a.key("agent"))
        assert answer.status == 200, answer
        self.world.secrets.add(answer.json()["url"].split("sig=")[1])
        return answer.json()["url"]

    def note(self, key):
        answer = self.server.post(f"/api/recordings/{self.tape.sid}/notes", key, PATCH, b'{"text":"a note"}')
        assert answer.status == 201, answer
        return answer.json()["id"]

    def session(self, credential):
        cookie = sign_in(self.server, credential)
        self.world.secrets.add(cookie["Cookie"].split("=", 1)[1])
        return cookie

    def jwt(self, business=None, role="viewer", **more):
        return token(claims((business or self.a).id, role, **more))


# ---- the table: endpoints ----

class Endpoint:
    """needs: the least role; "author": a viewer who wrote it, which none of these did, or an admin; "media": a viewer or a signed URL; "open": nobody; "platform": a platform key, for others it is
    not there. about: whether it names an object."""

    def __init__(self, method, target, needs, status=200, about="object", headers=None, body=None, platform=True):
        self.method, self.target, self.needs, self.status, self.about = method, target, needs, status, about
        self.headers, self.body, self.platform = headers or {}, body, platform

    def __repr__(self):
        return f"{self.method} {self.target}"


ENDPOINTS = [
    Endpoint("GET", "/api/calls", "viewer", about="list"),
    Endpoint("GET", "/api/calls.csv", "viewer", about="list"),
    Endpoint("GET", "/api/calls/{call}", "viewer"),
    Endpoint("PATCH", "/api/calls/{call}", "agent", headers=PATCH, body=b'{"ref":"1"}'),
    Endpoint("GET", "/api/calls/{call}/download", "media-by-call"),
    Endpoint("GET", "/api/calls/download/{call}", "media-by-call"),
    Endpoint("GET", "/api/recordings/{recording}/download", "media"),
    Endpoint("GET", "/api/recordings/{recording}/stream", "media"),
    Endpoint("HEAD", "/api/recordings/{recording}/stream", "media"),
    Endpoint("GET", "/api/recordings/{recording}/stream", "media", 206, headers=MEDIA),
    Endpoint("GET", "/api/recordings/file/{recording}", "media"),
    Endpoint("GET", "/api/recordings/{recording}/waveform", "media"),
    Endpoint("GET", "/api/recordings/{recording}/status", "viewer"),
    Endpoint("GET", "/api/recordings/{recording}/notes", "viewer"),
    Endpoint("POST", "/api/recordings/{recording}/notes", "viewer", 201, headers=PATCH, body=b'{"text":"x"}'),
    Endpoint("PATCH", "/api/recordings/{recording}/notes/{note}", "author", headers=PATCH, body=b'{"text":"y"}'),
    Endpoint("DELETE", "/api/recordings/{recording}/notes/{note}", "author", 204),
    Endpoint("POST", "/api/recordings/{recording}/prepare", "viewer"),
    Endpoint("POST", "/api/recordings/{recording}/retry", "agent"),
    Endpoint("POST", "/api/recordings/{recording}/url", "agent"),
    Endpoint("DELETE", "/api/recordings/{doomed}", "admin", 204),
    Endpoint("POST", "/api/recordings/retry", "admin", about="list"),
    Endpoint("GET", "/api/stats", "admin", about="list"),
    Endpoint("HEAD", "/api/events", "viewer", about="list"),
    Endpoint("GET", "/api/session", "viewer", about="list"),
    Endpoint("POST", "/api/session", "viewer", 204, about="list", platform=False),
    Endpoint("DELETE", "/api/session", "viewer", 204, about="list"),
    Endpoint("GET", "/healthz", "open"),
    Endpoint("GET", "/readyz", "open"),
    Endpoint("GET", "/metrics", "platform"),
    Endpoint("POST", "/webhooks/twilio/1/call", "open", 415),
    Endpoint("POST", "/webhooks/twilio/1/recording", "open", 415),
    Endpoint("GET", "/api/nothing", "none-such", 404),
    Endpoint("GET", "/api/setup", "admin", about="list"),
    Endpoint("GET", "/api/keys", "admin", about="list"),
    Endpoint("POST", "/api/keys", "admin", 400, about="list", headers=PATCH, body=b"[]"),
    Endpoint("DELETE", "/api/keys/999999", "admin", 404, about="list"),
    Endpoint("POST", "/api/signin-links", "admin", 400, about="list", headers=PATCH, body=b"[]"),
    Endpoint("GET", "/api/business", "admin", about="list"),
    Endpoint("PATCH", "/api/business", "admin", about="list", headers=PATCH, body=b"{}"),
    Endpoint("GET", "/api/sessions", "admin", about="list"),
    Endpoint("DELETE", "/api/sessions/0123456789abcdef", "admin", 404, about="list"),
    Endpoint("GET", "/api/urls", "admin", about="list"),
    Endpoint("GET", "/api/audit", "admin", about="list"),
    Endpoint("GET", "/api/audit.csv", "admin", about="list"),
    Endpoint("DELETE", "/api/urls/0123456789abcdef", "admin", 404, about="list"),
    Endpoint("POST", "/api/calls", "no-method", 405),
    Endpoint("DELETE", "/api/sessions", "admin", 204, about="list"),  # each request of a cookie has a new session
    Endpoint("DELETE", "/api/urls", "admin", 204, about="list"),  # last: the signed URLs end
]


OF_THE_PAGE = ("/", "/calls", "/calls/{}", "/health", "/settings", "/signed-out", "/assets/{}", "/favicon.svg", "/embed/{}",
               "/callreel-player.js", "/api/openapi.yaml")


# ---- the table: credentials ----

class Credential:
    """headers may be made anew for each request. who: None for nobody, else (role, "a" | "b")."""

    def __init__(self, name, who, headers, query=None, cookie=False, url_of=None, platform=None):
        self.name, self.who, self.make, self.query = name, who, headers, query
        self.cookie, self.url_of, self.platform = cookie, url_of, platform

    def headers(self):
        return dict(self.make() if callable(self.make) else self.make)


def altered(text):
    return text[:-2] + ("AA" if text[-2:] != "AA" else "BB")


def credentials(s):
    a, b = s.a, s.b
    yield Credential("none", None, {})
    yield Credential("no key", None, bearer("cr_" + "x" * 43))
    yield Credential("another scheme", None, {"Authorization": "Basic eDp5"})
    yield Credential("an empty token", None, {"Authorization": "Bearer "})
    yield Credential("neither key nor JWT", None, bearer("abc"))
    for role in RANKS:
        yield Credential(f"key {role}", (role, "a"), bearer(a.key(role)))
        yield Credential(f"JWT {role}", (role, "a"), bearer(s.jwt(role=role, sub="u-1")))
        yield Credential(f"cookie {role}", (role, "a"), lambda role=role: s.session(a.key(role)), cookie=True)
        yield Credential(f"cookie {role} from elsewhere", (role, "a"),
                         lambda role=role: {**s.session(a.key(role)), **ELSEWHERE}, cookie="elsewhere")
        yield Credential(f"another's key {role}", (role, "b"), bearer(b.key(role)))
    yield Credential("another's JWT", ("admin", "b"), bearer(s.jwt(b, "admin")))
    yield Credential("another's cookie", ("admin", "b"), lambda: s.session(b.key("admin")), cookie=True)
    yield Credential("cookie of a JWT", ("agent", "a"), lambda: s.session(s.jwt(role="agent")), cookie=True)
    yield Credential("a site's cookie", ("admin", "a"),
                     lambda: {**s.session(a.key("admin")), "Sec-Fetch-Site": "cross-site"}, cookie="elsewhere")
    yield Credential("our page's cookie", ("admin", "a"),
                     lambda: {**s.session(a.key("admin")), "Origin": f"http://127.0.0.1:{s.server.port}"}, cookie=True)
    yield Credential("no cookie of ours", None, {"Cookie": "callreel=" + "x" * 43})
    yield Credential("two cookies", ("viewer", "a"),
                     lambda: {"Cookie": s.session(a.viewer)["Cookie"] + "; callreel=" + "y" * 43}, cookie=True)
    yield Credential("an old JWT", None, bearer(s.jwt(lives=-31)))
    yield Credential("a JWT within leeway", ("viewer", "a"), bearer(s.jwt(lives=-15)))
    yield Credential("a JWT of tomorrow", None, bearer(s.jwt(nbf=int(time.time()) + 86400)))
    yield Credential("a JWT of a business that is none", None, bearer(token(claims(999))))
    yield Credential("another host's JWT", None, bearer(token(claims(a.id), secret="x" * 40)))
    yield Credential("an altered JWT", None, bearer(altered(s.jwt())))
    yield Credential("a JWT without signature", None, bearer(b64({"alg": "none"}) + "." + b64(claims(a.id)) + "."))
    yield Credential("a JWT with crit", None,
                     bearer(token(claims(a.id), header={"alg": "HS256", "crit": ["exp"], "exp": 1})))
    yield Credential("a JWT of no role", None, bearer(s.jwt(role="owner")))
    yield Credential("a JWT of the platform", None, bearer(s.jwt(role="platform")))
    yield Credential("a JWT without exp", None, bearer(token(claims(a.id, exp=None))))
    platform = bearer(s.world.platform_key)
    yield Credential("platform", ("admin", "a"), {**platform, "X-Business-Id": str(a.id)}, platform="named")
    yield Credential("platform for another", ("admin", "b"), {**platform, "X-Business-Id": str(b.id)}, platform="named")
    yield Credential("platform for none", ("admin", None), platform, platform="unnamed")
    yield Credential("platform for an unknown one", ("admin", None), {**platform, "X-Business-Id": "999"}, platform="unknown")
    yield Credential("another's business named", ("viewer", "a"), {**bearer(a.viewer), "X-Business-Id": str(b.id)})
    good = s.sign(s.tape.sid).split("?")[1]
    other = s.sign(s.twin.sid).split("?")[1]
    yield Credential("signed URL", ("viewer", "a"), {}, query=good, url_of="this")
    yield Credential("signed URL of another recording", None, {}, query=other, url_of="other")
    yield Credential("altered signed URL", None, {}, query=altered(good), url_of="other")
    yield Credential("signed URL and a bad key", None, bearer("cr_" + "x" * 43), query=good)
    yield Credential("signed URL and another's key", ("admin", "b"), bearer(b.key("admin")), query=good)
    yield Credential("bad signed URL and a good cookie", ("viewer", "a"), lambda: s.session(a.viewer), query=other,
                     cookie=True, url_of="other")
    yield Credential("bad key and a good cookie", None, lambda: {**s.session(a.viewer), **bearer("cr_" + "x" * 43)})


def expected(endpoint, credential):
    """The contract, as data: the status of that endpoint for that credential."""
    unsafe = endpoint.method not in ("GET", "HEAD")
    is_media = endpoint.needs.startswith("media")
    if endpoint.needs in ("open", "none-such", "no-method"):
        return endpoint.status
    if endpoint.needs == "platform":
        return endpoint.status if credential.platform else 404
    if credential.url_of and is_media:  # it is present, so it decides
        return endpoint.status if credential.url_of == "this" and endpoint.needs == "media" else 401
    if credential.who is None or (credential.url_of and not credential.cookie):
        return 401
    role, business = credential.who
    if RANKS[role] < RANKS.get(endpoint.needs, 0) or (credential.cookie == "elsewhere" and unsafe):
        return 403
    if credential.platform and not endpoint.platform:
        return 403
    if credential.platform == "unnamed":
        return 400
    if credential.platform == "unknown":
        return 404
    if credential.name == "a JWT within leeway" and endpoint.method == "POST" and endpoint.target == "/api/session":
        return 401  # the session would have ended already
    if credential.cookie and endpoint.method == "POST" and endpoint.target == "/api/session":
        return 401  # a session makes no session
    if business != "a" and endpoint.about == "object":
        return 404
    if endpoint.needs == "author" and role != "admin":
        return 403
    return endpoint.status


def with_query(target, query):
    return f"{target}?{query}" if query else target


@pytest.mark.sanitized
def test_the_table_has_every_route():
    """What is added to the surface is asked with every credential too."""
    rows = re.findall(r'^    \{HTTP_(\w+), "([^"]+)"', (ROOT / "src/api/routes.c").read_text(), re.M)
    assert len(rows) > 20
    told = {(e.method.replace("HEAD", "GET"), re.sub(r"\{\w+\}|(?<=/)(1|999999|0123456789abcdef)(?=/|$)", "{}", e.target)) for e in ENDPOINTS}
    told |= {("GET", "/signin"), ("POST", "/signin")}  # take none of them: the links have stories of their own
    told |= {("GET", path) for path in OF_THE_PAGE}  # the same for everybody: test_ui.py
    lacking = [row for row in rows if (row[0], re.sub(r"\{\w+\}", "{}", row[1])) not in told]
    assert lacking == [], "rows for ENDPOINTS"


def test_every_endpoint_with_every_credential(stage):
    s = stage
    made = list(credentials(s))
    wrong = []
    for endpoint in ENDPOINTS:
        for credential in made:
            note = s.note(s.a.key("admin")) if "{note}" in endpoint.target else None
            target = endpoint.target.format(call=s.tape.call_sid, recording=s.tape.sid, note=note, doomed=s.doomed.sid)
            headers = {**endpoint.headers, **credential.headers()}
            answer = s.server.call(endpoint.method, with_query(target, credential.query), headers, endpoint.body)
            want = expected(endpoint, credential)
            if answer.status != want:
                wrong.append((endpoint, credential.name, want, answer.status))
                continue
            if answer.status < 300:
                check_body(s, endpoint, credential, answer)
            elif endpoint.method != "HEAD":
                problem(answer, want)
    assert not wrong, "\n".join(f"{e!r} with {c}: {w} wanted, {g} got" for e, c, w, g in wrong)


def check_body(s, endpoint, credential, answer):
    """What is answered is the business's own."""
    if endpoint.about == "object" and endpoint.target.endswith(("/stream", "/download")) and endpoint.method == "GET":
        assert answer.body in (s.tape.mp3, s.twin.mp3)
    if endpoint.target == "/api/calls":
        sids = [call["call_sid"] for call in answer.json()["calls"]]
        assert (s.tape.call_sid in sids) == (credential.who[1] == "a")
    if endpoint.target == "/api/calls.csv":
        assert (s.tape.call_sid in answer.body.decode()) == (credential.who[1] == "a")
    if endpoint.target == "/api/session" and endpoint.method == "GET":
        said = answer.json()
        assert set(said) == {"business_id", "subject", "role", "expires_at"}
        assert said["business_id"] == (s.a.id if credential.who[1] == "a" else s.b.id)
        assert said["role"] == credential.who[0]


def test_anothers_object_is_unknown_byte_for_byte(stage):
    s = stage
    key, note = s.b.key("admin"), s.note(s.a.viewer)
    for endpoint in ENDPOINTS:
        if endpoint.about != "object" or "{" not in endpoint.target:
            continue
        told = []
        for call, recording, doomed in ((s.tape.call_sid, s.tape.sid, s.doomed.sid),
                                        (p.sid("CA"), p.sid("RE"), p.sid("RE"))):
            target = endpoint.target.format(call=call, recording=recording, note=note, doomed=doomed)
            answer = s.server.call(endpoint.method, target, {**endpoint.headers, **bearer(key)}, endpoint.body)
            told.append((answer.status, answer.body, [h for h in answer.headers if h[0] != "date"]))
        assert told[0] == told[1], endpoint
        assert told[0][0] == 404


# ---- sessions ----

def test_a_token_of_sixteen_kilobytes_is_read_and_a_longer_one_is_told_so(stage):
    """The token of a host with many groups is large."""
    s = stage
    assert s.get("/api/calls", bearer(s.jwt(groups="g" * 11_900))).status == 200
    refused = s.get("/api/calls", bearer(s.jwt(groups="g" * 12_300)))
    assert refused.status == 401 and refused.json()["detail"] == "The token is longer than 16 KiB."


def test_what_a_signed_url_gives_may_be_shown_by_an_isolated_page_elsewhere(stage):
    s = stage
    query = s.sign(s.tape.sid).partition("?")[2]
    for what in ("stream", "download", "waveform"):
        url = f"/api/recordings/{s.tape.sid}/{what}"
        for headers in ({}, {"Range": "bytes=0-1"}):
            assert s.get(f"{url}?{query}", headers).header("cross-origin-resource-policy") == "cross-origin", what
            assert not s.server.get(url, s.a.viewer, headers).header("cross-origin-resource-policy"), what
    stream = f"/api/recordings/{s.tape.sid}/stream"
    etag = s.get(f"{stream}?{query}", {}).header("etag")
    altered = query[:-2] + ("A" if query[-2] != "A" else "B") + query[-1]
    for status, asked, headers in ((416, query, {"Range": "bytes=99999999-"}), (412, query, {"If-Match": '"other"'}),
                                   (304, query, {"If-None-Match": etag}), (401, altered, {}), (401, "sig=", {})):
        answer = s.get(f"{stream}?{asked}", headers, status)
        assert answer.header("cross-origin-resource-policy") == "cross-origin", (status, answer)
    gone = s.get(f"/api/recordings/{s.tape.sid}/nothing?{query}", {}, 404)
    assert not gone.header("cross-origin-resource-policy")


def test_a_session_is_its_credentials_and_no_more(stage):
    s = stage
    made = s.server.post("/api/session", headers=bearer(s.a.key("agent")))
    text = made.all("set-cookie")[0]
    assert re.fullmatch(r"callreel=[\w-]{43}; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200", text), text
    cookie = {"Cookie": cookie_of(made)}
    said = s.get("/api/session", cookie, 200).json()
    assert (said["business_id"], said["role"]) == (s.a.id, "agent")
    s.get(f"/api/recordings/{s.tape.sid}/stream", {**cookie, **MEDIA}, 206)
    hit = s.server.log_lines("Cache HIT")[-1]
    assert re.search(r"\bby=key:\d+\b", hit), hit
    out = s.get("/api/session", cookie, 204, method="DELETE")
    assert "Max-Age=0" in out.all("set-cookie")[0] and out.all("set-cookie")[0].startswith("callreel=;")
    for _ in range(5):  # on any loop
        problem(s.get("/api/session", cookie), 401)
    user = s.session(s.jwt(sub="dana@example.com", lives=100))
    said = s.get("/api/session", user, 200).json()
    assert said["subject"] == "dana@example.com" and said["role"] == "viewer"
    s.get(f"/api/recordings/{s.twin.sid}/stream", user, 200)
    assert re.search(r"\bby=user:~[0-9a-f]{12}$", s.server.log_lines("Cache HIT")[-1])
    s.world.clock.advance(101)  # the JWT's exp, without leeway
    problem(s.get("/api/session", user), 401)
    s.world.clock.advance(12 * 3600)
    fresh = s.session(s.a.viewer)
    s.get("/api/session", fresh, 200)
    s.world.clock.advance(12 * 3600 - 5)
    s.get("/api/session", fresh, 200)
    s.world.clock.advance(10)
    problem(s.get("/api/session", fresh), 401)


def test_of_two_cookies_the_newer_session_counts_and_signing_out_ends_both(stage):
    s = stage
    older = s.session(s.a.viewer)
    s.world.clock.advance(60)
    newer = s.session(s.a.key("agent"))
    for pair in ([older, newer], [newer, older], [older, newer, {"Cookie": "callreel=" + "x" * 43}], [newer, newer]):
        both = {"Cookie": "; ".join(one["Cookie"] for one in pair)}
        assert s.get("/api/session", both, 200).json()["role"] == "agent", pair
        s.get(f"/api/recordings/{s.tape.sid}/stream", {**both, **MEDIA}, 206)
    assert s.get("/api/session", {"Cookie": older["Cookie"] + "; callreel=a b"}, 200).json()["role"] == "viewer"
    many = "; ".join(f"callreel={c * 43}" for c in "abcde")
    problem(s.get("/api/session", {"Cookie": many}), 401)
    out = s.get("/api/session", {"Cookie": f"{newer['Cookie']}; {older['Cookie']}"}, 204, method="DELETE")
    assert sorted("Partitioned" in line for line in out.all("set-cookie")) == [False, True]
    for cookie in (older, newer):
        problem(s.get("/api/session", cookie), 401)
    # the session that is left counts when the newer one has ended
    older, newer = s.session(s.a.viewer), s.session(s.a.viewer)
    s.get("/api/session", newer, 204, method="DELETE")
    s.get("/api/session", {"Cookie": f"{newer['Cookie']}; {older['Cookie']}"}, 200)


def test_a_user_is_told_by_an_id_and_never_by_a_number_or_an_address(stage):
    s = stage
    s.world.private.update({"dana@example.com", "Dana Levi", "15005550123"})

    def by(**more):
        s.get(f"/api/recordings/{s.tape.sid}/stream", {**bearer(s.jwt(**more)), **MEDIA}, 206)
        return re.search(r"\bby=(\S+)$", s.server.log_lines("Cache HIT")[-1]).group(1)
    assert by(sub="auth0|5f7c8ec7c33c6c0412345678") == "user:auth0|5f7c8ec7c33c6c0412345678"
    people = {by(sub=sub) for sub in ("dana@example.com", "Dana Levi", "+15005550123", "15005550123")}
    assert len(people) == 4 and all(re.fullmatch(r"user:~[0-9a-f]{12}", who) for who in people), people
    s.world.clock.advance(601)  # another playback of the same user
    assert by(sub="dana@example.com") in people


def test_a_platform_key_makes_no_session(stage):
    s = stage
    for headers in ({}, {"X-Business-Id": str(s.a.id)}):
        answer = s.server.post("/api/session", headers={**bearer(s.world.platform_key), **headers})
        problem(answer, 403)
        assert not answer.all("set-cookie")


# ---- links ----

def link(s, *options):
    url = s.world.done("signin", "--business", s.a.id, *options).strip().splitlines()[-1]
    found = re.search(r"/signin\?token=([\w-]{43})$", url)
    s.world.secrets.add(found.group(1))
    return found.group(0)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def press(s, target, headers=(), **fields):
    """Presses the button of a link's page: posts its form."""
    token = target.partition("token=")[2]
    return s.server.call("POST", "/signin", {**FORM, **dict(headers)}, form(fields or {"token": token}))


def refused(answer):
    assert answer.status == 401 and answer.header("content-type").startswith("text/html"), answer
    assert answer.header("www-authenticate") == "Bearer" and answer.header("cache-control") == "no-store"
    assert answer.header("referrer-policy") == "no-referrer" and "frame-ancestors 'self'" in answer.header("content-security-policy")
    assert not answer.all("set-cookie")
    return answer.body.decode()


def test_a_link_signs_in_once_and_for_ten_minutes(stage):
    s = stage
    target = link(s, "--role", "admin")
    for method in ("HEAD", "GET", "HEAD", "GET"):  # whoever only looks at it leaves it unused
        looked = s.get(target, method=method, status=200)
        assert not looked.all("set-cookie") and looked.header("cache-control") == "no-store"
        policy = looked.header("content-security-policy")
        assert "default-src 'none'" in policy and "form-action 'self'" in policy and "script" not in policy, policy
    page = looked.body.decode()
    assert "<bdi>A</bdi> as admin" in page and "replaces" not in page and "<script" not in page
    answer = press(s, target)
    assert answer.status == 303, answer
    assert answer.header("location") == "/" and answer.header("referrer-policy") == "no-referrer"
    cookie = {"Cookie": cookie_of(answer)}
    s.world.secrets.add(cookie["Cookie"].split("=", 1)[1])
    said = s.get("/api/session", cookie, 200).json()
    assert (said["business_id"], said["subject"], said["role"]) == (s.a.id, None, "admin")
    s.get(f"/api/recordings/{s.tape.sid}/stream", cookie, 200)
    assert re.search(r"\bby=user:[0-9a-f]{8}\b", s.server.log_lines("Cache HIT")[-1])
    page = refused(press(s, target))
    assert 'name="key"' in page
    page = refused(s.get(target))
    assert "already used" in page and "נוצל" in page and 'dir="rtl"' in page
    assert refused(s.get(target, method="HEAD")) == ""
    late = link(s)
    s.world.clock.advance(601)
    refused(s.get(late))
    for odd in ("", "?token=", "?token=x", "?token=" + "x" * 43, "?token=" + "x" * 500, "?token=%zz"):
        refused(s.get("/signin" + odd))
    contested = link(s)
    answers = wire.at_once(8, lambda i, ready: (ready(), press(s, contested))[1])
    assert sorted(answer.status for answer in answers) == [303] + 7 * [401]


def test_a_links_page_says_whose_session_it_replaces(stage):
    s = stage
    target = link(s)
    there = s.session(s.jwt(business=s.b, sub="<i>dana</i>"))
    page = s.get(target, there, 200).body.decode()
    assert "replaces" in page and "&#60;i&#62;dana" in page and "<i>" not in page, page
    answer = press(s, target, there)
    assert answer.status == 303
    s.world.secrets.add(cookie_of(answer).split("=", 1)[1])


def test_no_other_site_can_press_the_button(stage):
    s = stage
    target = link(s)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site"}):
        problem(press(s, target, headers), 403)
    assert press(s, target, {"Content-Type": "text/plain"}).status == 415
    own = {"Origin": f"http://127.0.0.1:{s.server.port}", "Sec-Fetch-Site": "same-origin"}
    answer = press(s, target, own)
    assert answer.status == 303, answer
    s.world.secrets.add(cookie_of(answer).split("=", 1)[1])


def test_the_form_takes_a_key_without_script(stage):
    s = stage
    answer = press(s, "", key=f" {s.a.key('agent')} ")
    assert answer.status == 303 and answer.header("location") == "/", answer
    cookie = {"Cookie": cookie_of(answer)}
    s.world.secrets.add(cookie["Cookie"].split("=", 1)[1])
    assert s.get("/api/session", cookie, 200).json()["role"] == "agent"
    for wrong in ("cr_" + "x" * 43, s.world.platform_key, s.jwt(), "x"):
        assert "not valid" in refused(press(s, "", key=wrong))
    for body in ({"a": "b"}, {"token": "x"}, {"key": ""}):
        refused(press(s, "", **body))


# ---- signed URLs ----

def test_a_signed_url_plays_one_recording_for_a_while(stage):
    s = stage
    answer = s.server.post(f"/api/recordings/{s.tape.sid}/url?ttl=60", s.a.key("agent"))
    told = answer.json()
    assert answer.status == 200 and set(told) == {"url", "expires_at"} and not answer.header("content-location")
    s.world.secrets.add(told["url"].split("sig=")[1])
    assert told["url"].startswith(f"/api/recordings/{s.tape.sid}/stream?")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["expires_at"])
    query = told["url"].split("?")[1]
    paths = [f"/api/recordings/{s.tape.sid}/stream", f"/api/recordings/file/{s.tape.sid}",
             f"/api/recordings/{s.tape.sid}/download"]
    for path in paths:
        assert s.get(f"{path}?{query}", status=200).body == s.tape.mp3
        s.get(f"{path}?{query}", status=200, method="HEAD")
        s.get(f"{path}?x=1&{query}&y=2", MEDIA, 206)
        problem(s.get(f"{path}?{query}".replace(s.tape.sid, s.twin.sid)), 401)
        for wrong in (altered(query), query.replace("exp=", "exp=1"), query.replace("b=", "b=1"), query + "&exp=1",
                      "sig=", "sig=x", query.split("&sig")[0] + "&sig="):
            problem(s.get(f"{path}?{wrong}"), 401)
    download = s.get(f"{paths[2]}?{query}", status=200)
    assert re.fullmatch(rf'attachment; filename="\d{{4}}-\d\d-\d\d_{s.tape.sid}\.mp3"', download.header("content-disposition"))
    with_key = s.get(f"{paths[2]}", bearer(s.a.viewer), 200).header("content-disposition")
    assert s.tape.sid not in with_key and "%2B15005550100" in with_key
    for path in (f"/api/recordings/{s.tape.sid}/status", "/api/calls", f"/api/calls/{s.tape.call_sid}/download"):
        problem(s.get(f"{path}?{query}"), 401)
    problem(s.get(f"/api/recordings/{s.tape.sid}/prepare?{query}", method="POST", body=b""), 401)
    hits = s.server.log_lines("Cache HIT")
    assert sum(bool(re.search(r"\bby=url:[0-9a-f]{16}$", line)) for line in hits) == 1, hits
    s.world.clock.advance(62)
    for path in paths:
        problem(s.get(f"{path}?{query}"), 401)


def test_what_can_be_signed(stage):
    s = stage
    agent = s.a.key("agent")
    by_call = s.server.post(f"/api/recordings/{s.tape.call_sid}/url", agent)
    chosen = re.search(r"/recordings/(RE\w+)/stream", by_call.json()["url"]).group(1)
    s.world.secrets.add(by_call.json()["url"].split("sig=")[1])
    assert by_call.header("content-location") == f"/api/recordings/{chosen}/url"
    assert s.get(by_call.json()["url"], status=200).body == (s.tape if chosen == s.tape.sid else s.twin).mp3
    for ttl, status in (("", 200), ("1", 200), ("86400", 200), ("0", 400), ("86401", 400), ("-1", 400), ("x", 400), ("1.5", 400)):
        answer = s.server.post(f"/api/recordings/{s.tape.sid}/url?ttl={ttl}", agent)
        assert answer.status == status, (ttl, answer)
        if status == 200:
            s.world.secrets.add(answer.json()["url"].split("sig=")[1])
    for sid in (p.sid("RE"), p.sid("CA")):
        problem(s.server.post(f"/api/recordings/{sid}/url", agent), 404)
    problem(s.server.post("/api/recordings/bad/url", agent), 400)
    alone = p.sid("CA")
    s.a.tell_call(s.server, alone)
    problem(s.server.post(f"/api/recordings/{alone}/url", agent), 404)


def test_signed_urls_outlive_a_restart_and_end_with_their_key(world):
    s = Stage(world)
    made = s.sign(s.tape.sid)
    s.server.stop()
    again = world.again(s.server, JWT_SECRET=SECRET)
    assert again.get(made).status == 200
    again.stop()
    other = world.again(again, URL_SIGNING_KEY="a key that signs other URLs")
    problem(other.get(made), 401)


# ---- origins ----

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


# ---- revocation ----

@pytest.mark.sanitized
def test_a_revocation_is_in_force_in_every_process_within_two_seconds(world):
    s = Stage(world)
    servers = [s.server, world.server("web-1", "web", JWT_SECRET=SECRET), world.server("web-2", "web", JWT_SECRET=SECRET)]

    def everywhere(headers, status, target="/api/session"):
        return all(server.get(target, headers=headers).status == status for server in servers for _ in range(4))

    def gone_within_two_seconds(*all_headers):
        eventually(lambda: all(everywhere(headers, 401) for headers in all_headers), 2, "a revocation is in force", every=0.05)

    made = json.loads(world.done("key", "create", "--json", "--business", s.a.id, "--role", "viewer"))
    world.secrets.add(made["key"])
    eventually(lambda: everywhere(bearer(made["key"]), 200), 2)
    of_key, of_jwt = s.session(made["key"]), s.session(s.jwt(sub="x"))
    link_target = link(s)
    pressed = servers[1].post("/signin", headers=FORM, body=form({"token": link_target.partition("token=")[2]}))
    of_link = {"Cookie": cookie_of(pressed)}
    for cookie in (of_key, of_jwt, of_link):
        assert everywhere(cookie, 200)
    key_id = next(row["key_id"] for row in world.sql("select max(key_id) key_id from keys"))
    world.done("key", "revoke", key_id)
    gone_within_two_seconds(bearer(made["key"]), of_key)
    assert everywhere(of_jwt, 200) and everywhere(of_link, 200)
    assert servers[2].call("DELETE", "/api/session", of_jwt).status == 204
    gone_within_two_seconds(of_jwt)
    assert everywhere(of_link, 200)
    signed = s.sign(s.tape.sid)
    assert everywhere({}, 200, signed)
    world.done("business", "remove", s.a.id)
    gone_within_two_seconds(of_link, bearer(s.jwt()), bearer(s.a.viewer))
    eventually(lambda: everywhere({}, 401, signed), 2)


def test_a_play_that_waits_is_not_answered_to_a_session_that_ended(world, provider):
    server = world.server(LOG_LEVEL="debug")
    business = world.business(provider)
    viewer = business.viewer
    cookie = sign_in(server, viewer)
    gate = threading.Event()
    tape = provider.tape(seconds=2)
    tape.acts = [p.hold(gate)]
    business.tell_call(server, tape.call_sid)
    business.tell(server, tape)
    eventually(lambda: provider.asks)
    with server.connect() as waiting:
        waiting.ask("GET", f"/api/recordings/{tape.sid}/download", cookie)
        eventually(lambda: server.log_lines("Cache miss"))
        assert server.call("DELETE", "/api/session", cookie).status == 204
        gate.set()
        world.wait_state(tape.sid)
        assert waiting.read().status == 401
    assert server.get(f"/api/recordings/{tape.sid}/download", viewer).body == tape.mp3


# ---- what an admin asks ----

def test_stats_of_a_business(stage):
    s = stage
    told = s.get("/api/stats", bearer(s.a.key("admin")), 200).json()
    assert set(told) == {"recordings", "queue_depth", "queue_oldest_seconds", "hit_ratio", "bytes", "failures",
                         "retrying", "store_free_bytes", "store_reserved_bytes"}
    assert told["store_free_bytes"] > 0 and told["store_reserved_bytes"] == 0
    assert told["recordings"] == {"missing": 1, "queued": 0, "downloading": 0, "ready": 2, "failed": 0, "expired": 0}
    assert told["bytes"] == len(s.tape.mp3) + len(s.twin.mp3) and told["failures"] == {}
    assert (told["queue_depth"], told["queue_oldest_seconds"], told["hit_ratio"]) == (0, None, 1)
    lost = p.sid("RE")
    fields = {"AccountSid": s.a.account_sid, "CallSid": p.sid("CA"), "RecordingSid": lost, "RecordingStatus": "absent",
              "RecordingUrl": ""}
    assert s.a.webhook(s.server, "recording", fields).status == 204
    told = s.get("/api/stats", bearer(s.a.key("admin")), 200).json()
    assert told["recordings"]["failed"] == 1 and sum(told["failures"].values()) == 1
    s.get(f"/api/recordings/{lost}/stream", bearer(s.a.viewer), 404)
    told = s.get("/api/stats", bearer(s.a.key("admin")), 200).json()
    assert told["hit_ratio"] == 0.5
    empty = s.get("/api/stats", bearer(s.b.key("admin")), 200).json()
    assert empty["recordings"]["ready"] == 0 and empty["bytes"] == 0 and empty["hit_ratio"] is None
