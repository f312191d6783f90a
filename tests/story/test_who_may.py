"""Access: every endpoint with every kind of credential."""
import re
import time

import pytest

import provider as p
from callreel import ROOT
from who import b64, bearer, claims, problem, token
from who_stage import MEDIA, PATCH, Stage, altered

JSON = {"Content-Type": "application/json"}
ELSEWHERE = {"Origin": "https://elsewhere.example"}
RANKS = {"viewer": 0, "agent": 1, "admin": 2}


@pytest.fixture
def stage(world):
    return Stage(world)


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
    Endpoint("GET", "/api/recordings/{recording}/card", "media"),
    Endpoint("GET", "/api/recordings/{recording}/status", "viewer"),
    Endpoint("GET", "/api/recordings/{recording}/notes", "viewer"),
    Endpoint("POST", "/api/recordings/{recording}/notes", "viewer", 201, headers=PATCH, body=b'{"text":"x"}'),
    Endpoint("PATCH", "/api/recordings/{recording}/notes/{note}", "author", headers=PATCH, body=b'{"text":"y"}'),
    Endpoint("DELETE", "/api/recordings/{recording}/notes/{note}", "author", 204),
    Endpoint("GET", "/api/recordings/{recording}/transcript", "viewer", 404),
    Endpoint("PUT", "/api/recordings/{recording}/transcript", "agent", 404, headers={**JSON, "If-Match": '"1-x"'}, body=b'{"segments":[]}'),
    Endpoint("POST", "/api/recordings/{recording}/transcribe", "agent", 409),
    Endpoint("POST", "/api/recordings/{recording}/prepare", "viewer"),
    Endpoint("POST", "/api/recordings/{recording}/retry", "agent"),
    Endpoint("POST", "/api/recordings/{recording}/url", "agent"),
    Endpoint("DELETE", "/api/recordings/{doomed}", "admin", 204),
    Endpoint("PUT", "/api/recordings/{recording}/hold", "admin", 204, headers=JSON, body=b'{"reason":"court"}'),
    Endpoint("DELETE", "/api/recordings/{recording}/hold", "admin", 204),
    Endpoint("PUT", "/api/calls/{call}/hold", "admin", 204, headers=JSON, body=b'{"reason":"court"}'),
    Endpoint("DELETE", "/api/calls/{call}", "admin", 409),
    Endpoint("DELETE", "/api/calls/{call}/hold", "admin", 204),
    Endpoint("GET", "/api/holds", "admin", about="list"),
    Endpoint("POST", "/api/holds", "admin", 400, about="list", headers=JSON, body=b'{"number":"+1","reason":"court"}'),
    Endpoint("DELETE", "/api/holds/999999", "admin", 404, about="list"),
    Endpoint("POST", "/api/erasure", "admin", 400, about="list", headers=JSON, body=b'{"number":"+1"}'),
    Endpoint("GET", "/api/erasure/999999", "admin", 404, about="list"),
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
    """headers may be made again for each request. who: None for nobody, else (role, "a" | "b")."""

    def __init__(self, name, who, headers, query=None, cookie=False, url_of=None, platform=None):
        self.name, self.who, self.make, self.query = name, who, headers, query
        self.cookie, self.url_of, self.platform = cookie, url_of, platform

    def headers(self):
        return dict(self.make() if callable(self.make) else self.make)


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
    yield Credential("a JWT within leeway", ("viewer", "a"), bearer(s.jwt(lives=-1)))
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
    """A route that is added is requested with every credential, too."""
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
    """The answer holds objects of the business alone."""
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


def test_what_another_made_is_unknown_byte_for_byte(stage):
    """Keys, sessions, sign-in links, signed URLs, notes; and places in lists."""
    s = stage
    mine, theirs = bearer(s.b.key("admin")), bearer(s.a.key("admin"))
    ask = s.server.call
    s.session(s.a.viewer)
    ask("POST", "/api/signin-links", {**PATCH, **theirs}, b'{"role":"viewer"}')
    s.sign(s.tape.sid), s.sign(s.tape.sid)
    note = s.note(s.a.viewer)

    def listed(what):
        return ask("GET", f"/api/{what}", theirs).json()[what]

    hold = ask("POST", "/api/holds", {**PATCH, **theirs}, b'{"number":"+972501112222","reason":"x"}').json()["hold_id"]
    erasure = ask("POST", "/api/erasure", {**PATCH, **theirs}, b'{"number":"+972503334444"}').json()["erasure_id"]
    key_id, url = listed("keys")[0]["key_id"], listed("urls")[0]["url_id"]
    kinds = {row["kind"]: row["session_id"] for row in listed("sessions")}
    assert set(kinds) == {"session", "link"}

    def other(hexadecimal):
        return hexadecimal[:-1] + ("0" if hexadecimal[-1] != "0" else "1")

    own = p.sid("RE")
    pairs = [("DELETE", "/api/keys/{}", key_id, 999999), ("DELETE", "/api/urls/{}", url, other(url)),
             *(("DELETE", "/api/sessions/{}", one, other(one)) for one in kinds.values()),
             ("DELETE", "/api/holds/{}", hold, 999999), ("GET", "/api/erasure/{}", erasure, 999999),
             ("DELETE", f"/api/recordings/{s.tape.sid}/notes/{{}}", note, note + 1),
             ("PATCH", f"/api/recordings/{own}/notes/{{}}", note, note + 1),
             ("GET", "/api/audit?object={}", s.tape.sid, p.sid("RE")), ("GET", "/api/audit.csv?object={}", s.tape.sid, p.sid("RE")),
             ("GET", "/api/audit?actor={}", f"key:{key_id}", "key:999999")]
    for method, target, known, unknown in pairs:
        told = []
        for one in (known, unknown):
            answer = ask(method, target.format(one), {**PATCH, **mine}, b'{"text":"y"}' if method == "PATCH" else None)
            told.append((answer.status, answer.body, [h for h in answer.headers if h[0] != "date"]))
        assert told[0] == told[1], target
        assert told[0][0] == (200 if "/audit" in target else 404), (target, told)
    assert {row["session_id"] for row in listed("sessions")} >= set(kinds.values())
    assert key_id in [row["key_id"] for row in listed("keys")] and url in [row["url_id"] for row in listed("urls")]
    # A place in another's list is one in the own list.
    place = ask("GET", "/api/urls?limit=1", theirs).json()["next_cursor"]
    assert place and ask("GET", f"/api/urls?cursor={place}", mine).json() == {"urls": [], "next_cursor": None}
    place = ask("GET", "/api/audit?limit=1", theirs).json()["next"]
    seen = ask("GET", f"/api/audit?cursor={place}", mine).json()["entries"]
    assert all(f"key:{key_id}" != entry["actor"] for entry in seen)
