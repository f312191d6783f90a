"""The API as programs use it: errors, lists and keys."""
import json
from urllib.parse import quote, unquote

import pytest

import provider as p
from callreel import eventually

pytestmark = pytest.mark.sanitized
MEDIA = {"Range": "bytes=0-"}
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def stage(world, provider):
    server = world.server()
    business = world.business(provider)
    return server, business


def assert_problem(answer, status, what=""):
    assert answer.status == status, (what, answer)
    assert answer.header("content-type").split(";")[0] == "application/problem+json", (what, answer)
    problem = answer.json()
    assert set(problem) >= {"type", "title", "status", "code", "detail"} and problem["status"] == status, (what, problem)
    assert answer.header("cache-control") == "no-store"
    assert answer.header("x-content-type-options") == "nosniff" and answer.header("referrer-policy") == "no-referrer"


def test_errors_come_in_their_order_and_shape(world, provider, stage):
    server, business = stage
    tape = provider.tape()
    business.tell(server, tape)
    viewer, agent, admin = business.viewer, business.key("agent"), business.key("admin")
    bad = "cr_" + "x" * 40
    unknown = p.sid("RE")
    cases = [
        (404, "GET", "/api/nothing", None), (404, "GET", "/api/recordings", bad), (404, "GET", "/api/calls/x/y/z", None),
        (404, "GET", "/api/calls/", viewer), (404, "GET", "//api/calls", viewer), (404, "GET", "/API/calls", viewer),
        (405, "POST", "/api/calls", None), (405, "DELETE", "/api/calls", bad), (405, "PUT", f"/api/calls/{unknown}", viewer),
        (405, "GET", f"/api/recordings/{tape.sid}/prepare", None), (405, "POST", f"/api/recordings/{tape.sid}/stream", bad),
        (401, "GET", "/api/calls", None), (401, "GET", "/api/calls", bad), (401, "GET", "/api/recordings/x/status", None),
        (401, "POST", f"/api/recordings/{unknown}/retry", bad), (401, "GET", "/api/calls?limit=0", None),
        (403, "POST", "/api/recordings/x/retry", viewer), (403, "POST", f"/api/recordings/{unknown}/retry", viewer),
        (403, "PATCH", f"/api/calls/{tape.call_sid}", viewer), (403, "POST", "/api/recordings/retry", agent),
        (415, "PATCH", "/api/calls/x", agent), (413, "PATCH", "/api/calls/x", agent),
        (400, "GET", "/api/recordings/x/status", viewer), (400, "GET", "/api/recordings/x/stream", viewer),
        (400, "GET", f"/api/recordings/{tape.sid[:-1]}/status", viewer), (400, "GET", f"/api/recordings/{tape.sid}a/status", viewer),
        (400, "GET", f"/api/recordings/XX{tape.sid[2:]}/status", viewer), (400, "GET", f"/api/calls/{tape.sid[:-1]}g", viewer),
        (400, "GET", "/api/recordings/%2e%2e/status", viewer), (400, "POST", "/api/recordings/x/prepare", viewer),
        (404, "GET", f"/api/recordings/{unknown}/status", viewer), (404, "GET", f"/api/recordings/{unknown}/stream", viewer),
        (404, "GET", f"/api/calls/{p.sid('CA')}", viewer), (404, "POST", f"/api/recordings/{unknown}/prepare", viewer),
        (404, "POST", f"/api/recordings/{unknown}/retry", agent), (404, "GET", f"/api/calls/download/{p.sid('CA')}", viewer),
        (404, "GET", f"/api/calls/{p.sid('CA')}/download", viewer), (404, "GET", f"/api/recordings/file/{unknown}", viewer),
    ]
    for status, method, target, key in cases:
        body, headers = (b"", {}) if method in ("POST", "PUT", "PATCH") else (None, {})
        if status == 413:
            body, headers = b"x" * (64 * 1024 + 1), MERGE
        answer = server.call(method, target, headers, body, key)
        assert_problem(answer, status, (method, target))
        if status == 401:
            assert answer.header("www-authenticate") == "Bearer"
        if status == 405:
            assert answer.header("allow"), target
    assert set(server.post("/api/calls", None).header("allow").replace(" ", "").split(",")) >= {"GET", "HEAD"}
    assert "POST" in server.get(f"/api/recordings/{tape.sid}/prepare").header("allow")
    head = server.call("HEAD", f"/api/recordings/{unknown}/status", key=viewer)
    assert (head.status, head.body) == (404, b"") and int(head.header("content-length")) > 0


def test_credentials_of_every_wrong_kind_are_401(world, stage):
    server, business = stage
    key = business.viewer
    for value in ("", "Bearer", "Bearer ", f"Basic {key}", key, f"Bearer {key} x", f"Bearer {key}x", f"Bearer {key[:-1]}",
                  f"Bearer {key.upper()}", "Bearer cr_", "Bearer " + "A" * 5000, f"Token {key}"):
        answer = server.get("/api/calls", headers=[("Authorization", value)])
        assert answer.status == 401 and answer.header("www-authenticate") == "Bearer", value
    assert server.get("/api/calls", headers=[("Authorization", f"bearer {key}")]).status == 200
    assert server.get("/api/calls", headers=[("Authorization", f"Bearer {key}")] * 2).status in (400, 401)


def test_a_call_is_edited_by_merge_patch(world, stage):
    server, business = stage
    call = p.sid("CA")
    business.webhook_add_call(server, call)
    agent = business.key("agent")
    url = f"/api/calls/{call}"

    def patch(value, headers=MERGE, key=agent):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return server.call("PATCH", url, headers, body, key)

    answer = patch({"customer_name": "Zoë", "ref": "order-7", "metadata": {"a": [1, 2.5, None, {"b": "ü"}]}})
    assert answer.status == 200
    assert answer.json()["customer_name"] == "Zoë" and answer.json()["metadata"] == {"a": [1, 2.5, None, {"b": "ü"}]}
    assert patch({"metadata": {"c": 1, "a": None}}).json()["metadata"] == {"c": 1}
    written = b'{"price":1.10,"big":12345678901234567890,"exp":1e5,"huge":-1e999,"list":[1.0,{"x":2.50}],"text":"1.10"}'
    for times in range(2):  # and once more over what is stored
        answer = patch(b'{"metadata":' + written + b"}")
        assert written[1:] in answer.body and written[1:] in server.get(url, business.viewer).body
    assert b'"metadata":{"c":1,' in patch(b'{"metadata":{"price":null,"big":null,"exp":null,"huge":null,"list":null,"text":null,"d":7.00}}').body
    assert b'"d":7.00' in patch(b'{"metadata":{"e":null}}').body and patch({"metadata": {"d": None}}).json()["metadata"] == {"c": 1}
    assert patch({"customer_name": None}).json()["customer_name"] is None
    assert server.get(url, business.viewer).json()["ref"] == "order-7"
    assert patch({}).status == 200
    assert patch({"ref": "x" * 200}).status == 200 and patch({"ref": "é" * 200}).status == 200
    for wrong in (b"", b"{", b"[]", b'"x"', b"null", b"1", b'{"ref": 1}', b'{"ref": "a", "ref": "b"', b'{"metadata": []}',
                  b'{"metadata": "x"}', b'{"status": "completed"}', b'{"other": 1}', b'{"ref": "\xff"}', b'{"ref": "a\\u0000b"}',
                  json.dumps({"ref": "x" * 201}).encode(), json.dumps({"ref": "é" * 201}).encode(),
                  json.dumps({"metadata": {"a": "x" * 4096}}).encode(), b"[" * 30000, b'{"metadata":' + b'{"a":' * 3000 + b"1" + b"}" * 3001):
        assert_problem(patch(wrong), 400, wrong[:80])
    assert patch({"ref": "y"}, {"Content-Type": "application/json"}).status in (200, 415)
    assert patch({"ref": "z"}, {"Content-Type": "text/plain"}).status == 415
    assert patch({"ref": "z"}, key=business.viewer).status == 403
    # a webhook that comes later takes nothing of it away
    business.webhook_add_call(server, call, SequenceNumber="9")
    assert server.get(url, business.viewer).json()["metadata"] == {"c": 1}


@pytest.fixture
def many(stage, world, provider):
    """60 calls, a second apart; every third outbound, every fourth with a recording."""
    server, business = stage
    calls = []
    for i in range(60):
        tape = provider.tape(seconds=1)
        tape.default = p.status(500) if i % 8 == 0 else p.whole
        started = f"Thu, 01 Aug 2024 04:00:{i:02} +0000"
        outbound = i % 3 == 0
        business.webhook_add_call(server, tape.call_sid, "busy" if i % 5 == 0 else "completed", Timestamp=started,
                           StartTime=started, Direction="outbound-api" if outbound else "inbound",
                           From=f"+1500555{i:04}" if not outbound else "+15005550199",
                           To="+15005550199" if not outbound else f"+1500777{i:04}")
        if i % 4 == 0:
            business.tell(server, tape, RecordingStartTime=started)
            world.wait_state(tape.sid, "failed" if i % 8 == 0 else "ready")
        calls.append((tape, outbound))
    return server, business, calls


def listed(server, key, query=""):
    answer = server.get(f"/api/calls{query}", key)
    assert answer.status == 200, (query, answer)
    return answer.json()


def test_lists_are_filtered_and_paged(world, many):
    server, business, calls = many
    key = business.viewer
    total = lambda query: len(listed(server, key, "?limit=100" + query)["calls"])  # noqa: E731
    everything = listed(server, key, "?limit=100")
    order = [c["call_sid"] for c in everything["calls"]]
    assert len(order) == 60 and everything["next_cursor"] is None
    started = [c["started_at"] for c in everything["calls"]]
    if None not in started:
        assert started == sorted(started, reverse=True)
    assert len(listed(server, key)["calls"]) == 25
    # by cursor, by offset
    paged, cursor = [], ""
    while cursor is not None:
        page = listed(server, key, f"?limit=7&cursor={cursor}")
        paged += [c["call_sid"] for c in page["calls"]]
        cursor = page["next_cursor"]
    assert paged == order
    assert [c["call_sid"] for c in listed(server, key, "?limit=10&offset=20")["calls"]] == order[20:30]
    assert listed(server, key, "?offset=60")["calls"] == []
    # filters
    assert total("&direction=outbound") == 20 and total("&direction=inbound") == 40 and total("&direction=all") == 60
    assert total("&status=busy") == 12 and total("&status=completed") == 48 and total("&status=all") == 60
    assert total("&has_recording=true") == 15 and total("&has_recording=false") == 45 and total("&has_recording=all") == 60
    assert total("&recording_status=ready") == 7 and total("&recording_status=failed") == 8
    assert total("&status=&direction=&has_recording=&search=&limit=&cursor=&unknown=1") >= 25
    assert total("&direction=outbound&has_recording=true&recording_status=ready") == 2
    # search
    tape, _ = calls[7]
    assert total(f"&search={tape.call_sid}") == 1 and total(f"&search={tape.call_sid[:12]}") == 1
    recorded = calls[4][0]
    assert total(f"&search={recorded.sid}") == 1
    assert total("&search=5550007") == 1 and total("&search=%2B1%20500%20555%200007") == 1 and total("&search=001500-555-0007") == 1
    server.call("PATCH", f"/api/calls/{tape.call_sid}", {"Content-Type": "application/merge-patch+json"},
                json.dumps({"customer_name": "Zoë O’Neill-Groß"}).encode(), business.key("agent"))
    for name in ("oneill", "O'NEILL", "zoe", "gross zoe", "ONeill-Gross", "Zo%C3%AB%20Gro%C3%9F"):
        assert total(f"&search={name}".replace(" ", "%20")) == 1, name
    assert total("&search=7770003") == 1 and total("&search=nobody") == 0 and total("&search=%25%25%25") == 0
    agent = business.key("agent")
    server.call("PATCH", f"/api/calls/{tape.call_sid}", MERGE, '{"customer_name": "Renée O\'Hara", "ref": "R-1"}'.encode(), agent)
    for text in ("ren%C3%A9e", "O%27Har", "hara", "REN%C3%89E"):
        assert total(f"&search={text}") == 1, text
    assert total("&ref=R-1") == 1 and total("&ref=R") == 0
    server.call("PATCH", f"/api/calls/{tape.call_sid}", MERGE, '{"customer_name": "לִי בן־גל Zoë 王芳"}'.encode(), agent)
    for text in ("לי", "גל", "zo", "Z%C3%B6", "王芳", "  לי ", "מה"):  # two letters are enough, of any script
        assert total(f"&search={quote(unquote(text))}") == (text != "מה"), text
    # times
    assert total("&since=2024-08-01") == 60 and total("&until=2024-08-01") == 0 and total("&since=2030-01-01T00:00:00Z") == 0
    assert total("&since=2024-08-01T04:00:10Z&until=2024-08-01T04:00:20Z") in (10, 0)


def test_bad_parameters_are_400(world, stage):
    server, business = stage
    for query in ("limit=0", "limit=101", "limit=x", "limit=-1", "limit=1.5", "offset=10001", "offset=-1", "offset=x",
                  "cursor=x", "cursor=%00", "search=a1", "search=l", "search=%D7%9C", "search=%D7%9C%D6%B4", "search=%D7%9C1", "search=12", "search=--", "direction=up", "has_recording=maybe", "recording_status=nope",
                  "since=yesterday", "since=2024-13-01", "until=2024-08-01T25:00:00Z", "legs=some",
                  "search=" + "x" * 3000, "status=nope%00"):
        assert_problem(server.get(f"/api/calls?{query}", business.viewer), 400, query)
    for query in ("foo=bar", "&&&", "limit=&x", "status=all"):
        assert server.get(f"/api/calls?{query}", business.viewer).status == 200, query
    for query in ("code=nope", "since=yesterday"):
        assert_problem(server.post(f"/api/recordings/retry?{query}", business.key("admin")), 400, query)


def test_a_cursor_is_not_lost_when_calls_come_in(world, many):
    server, business, calls = many
    first = listed(server, business.viewer, "?limit=10")
    for _ in range(5):
        business.webhook_add_call(server, p.sid("CA"))
    second = listed(server, business.viewer, f"?limit=10&cursor={first['next_cursor']}")
    seen = [c["call_sid"] for c in first["calls"] + second["calls"]]
    assert len(set(seen)) == 20 and set(seen) <= {tape.call_sid for tape, _ in calls}


@pytest.mark.threads
def test_keys_have_roles_and_can_be_revoked_everywhere(world, provider, stage):
    server, business = stage
    other = world.server("other")
    tape = provider.tape()
    tape.default = p.status(500)
    business.tell(server, tape)
    world.wait_state(tape.sid, "failed")
    roles = {role: business.key(role) for role in ("viewer", "agent", "admin")}
    for role, key in roles.items():
        eventually(lambda: other.get("/api/calls", key).status == 200, 2)
    for method, target, body, least in (
        ("GET", "/api/calls", None, 0), ("POST", f"/api/recordings/{tape.sid}/prepare", b"", 0),
        ("PATCH", f"/api/calls/{tape.call_sid}", b"{}", 1), ("POST", f"/api/recordings/{tape.sid}/retry", b"", 1),
        ("POST", "/api/recordings/retry?code=encrypted", b"", 2),
    ):
        for rank, (role, key) in enumerate(roles.items()):
            answer = server.call(method, target, MERGE if method == "PATCH" else {}, body, key)
            assert (answer.status == 403) == (rank < least), (role, target, answer)
    keys = json.loads(world.done("key", "list", "--json"))
    text = json.dumps(keys)
    assert all(secret not in text for secret in roles.values())
    listed_keys = keys["keys"] if isinstance(keys, dict) else keys
    victim = next(k for k in listed_keys if k["role"] == "agent")
    world.done("key", "revoke", victim.get("key_id") or victim.get("id"))
    for one in (server, other):
        answer = eventually(lambda: (lambda a: a if a.status == 401 else None)(one.get("/api/calls", roles["agent"])), 2)
        assert answer.header("www-authenticate") == "Bearer"
        assert one.get("/api/calls", roles["viewer"]).status == 200


@pytest.mark.threads
def test_a_business_is_seen_and_gone_within_two_seconds_everywhere(world, provider, stage):
    server, business = stage
    other = world.server("other")
    mine = world.provider()
    new = world.business(mine, "New")
    key = new.viewer
    call = p.sid("CA")
    for one in (server, other):
        eventually(lambda: one.get("/api/calls", key).status == 200, 2)
        eventually(lambda: new.webhook(one, "call", new.call_fields(call)).status == 204, 2)
    tape = mine.tape()
    new.tell(server, tape)
    row = world.wait_state(tape.sid, business_id=new.id)
    world.done("business", "remove", new.id)
    for one in (server, other):
        eventually(lambda: one.get("/api/calls", key).status == 401, 2)
        eventually(lambda: new.webhook(one, "call", new.call_fields(call)).status == 404, 2)
    assert (world.recordings() / row["name"]).exists() and world.row(tape.sid, new.id)
    assert server.get("/api/calls", business.viewer).status == 200
    again = json.loads(world.done("business", "add", "--json", "--name", "Third"))["business_id"]
    assert again > new.id  # never given twice
    world.done("business", "remove", new.id, "--purge")
    assert not (world.recordings() / row["name"]).exists() and world.row(tape.sid, new.id) is None


def test_health_is_open_to_all_and_tells_no_secrets(world, stage):
    server, _ = stage
    for target in ("/healthz", "/readyz"):
        answer = server.get(target)
        assert answer.status == 200 and str(world.data_dir).encode() not in answer.body
        assert server.call("HEAD", target).status == 200
        assert server.post(target).status == 405
