"""No business can see anything of another."""
import hashlib
import json
import sqlite3
import time

import pytest

import provider as p
from callreel import eventually
from signing import form, signature

pytestmark = pytest.mark.sanitized
MEDIA = {"Range": "bytes=0-"}


@pytest.fixture
def two(world):
    """Two businesses of one service, and a recording of the first that is ready, with parent and child."""
    server = world.server()
    mine, theirs = world.provider(), world.provider()
    a, b = world.business(mine, "A"), world.business(theirs, "B")
    tape = mine.tape(seconds=5)
    a.webhook_add_call(server, tape.call_sid, Direction="inbound")
    a.tell(server, tape)
    world.wait_state(tape.sid, business_id=a.id)
    assert server.get(f"/api/recordings/{tape.sid}/stream", a.viewer).body == tape.mp3  # now in the open-file cache
    return server, a, b, tape


def shape(answer, ids):
    """An answer without what is the id's own, and the date."""
    text = answer.body
    for one in ids:
        text = text.replace(one.encode(), b"{id}")
    headers = sorted((k, v.replace(ids[0], "{id}")) for k, v in answer.headers if k not in ("date",))
    return answer.status, text, headers


def test_anothers_ids_cannot_be_told_from_unknown_ones(world, two):
    server, a, b, tape = two
    asks = [("GET", "/api/recordings/{}/status"), ("GET", "/api/recordings/{}/stream"), ("GET", "/api/recordings/file/{}"),
            ("HEAD", "/api/recordings/{}/stream"), ("GET", "/api/recordings/{}/download"),
            ("POST", "/api/recordings/{}/prepare"), ("POST", "/api/recordings/{}/retry"), ("POST", "/api/recordings/{}/url"),
            ("GET", "/api/recordings/{}/waveform"), ("GET", "/api/recordings/{}/card"), ("DELETE", "/api/recordings/{}")]
    calls = [("GET", "/api/calls/{}"), ("GET", "/api/calls/{}/download"), ("GET", "/api/calls/download/{}"),
             ("PATCH", "/api/calls/{}")]
    key = b.key("admin")
    before = world.sql("select * from recordings")
    for prefix, known, list_of_asks in (("RE", tape.sid, asks), ("CA", tape.call_sid, asks + calls)):
        unknown = p.sid(prefix)
        for method, target in list_of_asks:
            for media in ({}, MEDIA):
                headers = {"Content-Type": "application/merge-patch+json", **media} if method == "PATCH" else media
                body = b'{"ref": "x"}' if method == "PATCH" else None
                theirs = server.call(method, target.format(known), headers, body, key)
                nobodys = server.call(method, target.format(unknown), headers, body, key)
                assert theirs.status == 404, (method, target, theirs)
                assert shape(theirs, [known]) == shape(nobodys, [unknown]), (method, target)
    assert world.sql("select * from recordings") == before
    listed = server.get("/api/calls?legs=all", key).json()
    assert listed["calls"] == []
    for search in (tape.call_sid, tape.sid, "15005550100"):
        assert server.get(f"/api/calls?search={search}", key).json()["calls"] == []


def test_the_same_sids_in_two_businesses_are_two_objects(world, two):
    server, a, b, tape = two
    theirs = next(provider for provider in world.providers if provider.account_sid == b.account_sid)
    twin = theirs.tape(seconds=3)
    del theirs.tapes[twin.sid]
    twin.sid, twin.call_sid = tape.sid, tape.call_sid
    theirs.tapes[twin.sid] = twin
    b.webhook_add_call(server, twin.call_sid)
    b.tell(server, twin)
    world.wait_state(twin.sid, business_id=b.id)
    assert twin.mp3 != tape.mp3
    for one in (tape.sid, tape.call_sid):
        assert server.get(f"/api/recordings/{one}/stream", a.viewer).body == tape.mp3
        assert server.get(f"/api/recordings/{one}/stream", b.viewer).body == twin.mp3
        assert server.get(f"/api/recordings/{one}/stream", a.viewer).body == tape.mp3
    assert world.file_of(tape.sid, a.id) != world.file_of(twin.sid, b.id)


def test_a_platform_key_acts_for_the_business_it_names(world, two):
    server, a, b, tape = two
    key = world.platform_key
    url = f"/api/recordings/{tape.sid}/stream"
    eventually(lambda: server.get(url, key, {"X-Business-Id": str(a.id)}).status == 200)
    assert server.get(url, key, {"X-Business-Id": str(b.id)}).status == 404
    assert server.get(url, key).status == 400
    assert server.get(url, key, {"X-Business-Id": "999"}).status == 404
    for odd in ("x", "-1", "0", "1,2", "99999999999999999999"):
        assert server.get(url, key, {"X-Business-Id": odd}).status in (400, 404), odd
    assert server.get(url, b.viewer, {"X-Business-Id": str(a.id)}).status == 404  # ignored with any other credential
    assert server.get(url, a.viewer, {"X-Business-Id": str(b.id)}).status == 200


def test_webhooks_that_name_anothers_objects_get_nothing_of_them(world, two):
    server, a, b, tape = two
    before_row, before_call = world.row(tape.sid, a.id), world.sql("select * from calls where business_id = ?", a.id)
    mine = next(provider for provider in world.providers if provider.account_sid == a.account_sid)
    asked = len(mine.asks)
    # the other's URL, SIDs and parent, signed with b's own token
    steal = {"AccountSid": b.account_sid, "CallSid": p.sid("CA"), "RecordingSid": tape.sid, "RecordingUrl": tape.url,
             "RecordingStatus": "completed", "RecordingDuration": "5"}
    assert b.webhook(server, "recording", steal).status == 204
    row = world.wait_state(tape.sid, "failed", business_id=b.id)
    assert row["error_code"] == "forbidden_url" and row["for_good"] == 1
    play = server.get(f"/api/recordings/{tape.sid}/stream", b.viewer, MEDIA)
    assert (play.status, play.code()) == (502, "forbidden_url")
    child = p.sid("CA")
    b.webhook_add_call(server, child, ParentCallSid=tape.call_sid)
    told = server.get(f"/api/calls/{child}", b.viewer).json()
    assert told["has_recording"] is False and told["recordings"] == []
    assert server.get(f"/api/recordings/{child}/stream", b.viewer, MEDIA).status in (202, 404)
    assert server.get(f"/api/calls/{tape.call_sid}", b.viewer).status == 404
    # a says nothing about it
    assert child not in json.dumps(server.get(f"/api/calls/{tape.call_sid}", a.viewer).json())
    assert world.row(tape.sid, a.id) == before_row
    assert world.sql("select * from calls where business_id = ?", a.id) == before_call
    assert len(mine.asks) == asked
    # b's token does not sign for a, nor a's account in b
    target = f"/webhooks/twilio/{a.id}/recording"
    mark = signature(b.token, f"http://127.0.0.1:{server.port}{target}", steal)
    world.signatures.add(mark)
    headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Twilio-Signature", mark)]
    assert server.call("POST", target, headers, form(steal)).status == 403
    assert b.webhook(server, "recording", {**steal, "AccountSid": a.account_sid}).status == 403


def test_urls_that_may_not_be_asked_are_taken_and_never_asked(world, provider):
    server = world.server()
    business = world.business(provider)
    trap = world.provider(account_sid=provider.account_sid, token="1" * 32)
    path = "/2010-04-01/Accounts/{account}/Recordings/{sid}"
    host, port = "127.0.0.1", provider.port
    urls = [
        trap.base_url + path, f"http://localhost:{port}{path}", f"https://{host}:{port}{path}", f"http://{host}{path}",
        f"http://user:pw@{host}:{port}{path}", f"http://{host}:{port}@{host}:{trap.port}{path}", f"//{host}:{trap.port}{path}",
        f"http://{host}:{port}\\@{host}:{trap.port}{path}", f"http://{host}:{port}{path}#x",
        f"http://{host}:{port}/2010-04-01/Accounts/{p.sid('AC')}/Recordings/{{sid}}",
        f"http://{host}:{port}/2010-04-01/Accounts/{{account}}/Recordings/{p.sid('RE')}",
        f"http://{host}:{port}/x/../2010-04-01/Accounts/{{account}}/Recordings/{{sid}}",
        f"http://{host}:{port}/2010-04-01/Accounts/{{account}}/./Recordings/{{sid}}",
        f"http://{host}:{port}/2010-04-01/Accounts/{{account}}%2fRecordings/{{sid}}",
        f"http://{host}:{port}/2010-04-01/Accounts/{{account}}/Recordings/{{sid}}/../{{sid}}",
        f"http://{host}:{port}/2010-04-01/Accounts/{{account}}/Recordings/{{sid}}/Transcriptions",
        f"http://{host}:{port}/2010-04-01/Accounts/{{account}}/Messages/{{sid}}",
        "file:///etc/passwd", f"gopher://{host}:{port}{path}", "ftp://x/", "http://", "not a url", "x" * 5000,
        f"http://169.254.169.254{path}", f"http://[::1]:{port}{path}",
    ]
    for url in urls:
        tape = provider.tape()
        told = url.replace("{account}", provider.account_sid).replace("{sid}", tape.sid)
        business.tell(server, tape, RecordingUrl=told)
        row = world.wait_state(tape.sid, "failed")
        assert (row["error_code"], row["for_good"]) == ("forbidden_url", 1), url
        server.post(f"/api/recordings/{tape.sid}/retry", business.key("agent"))
        world.wait_state(tape.sid, "failed")
        play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
        assert (play.status, play.code()) == (502, "forbidden_url"), url
    assert provider.asks == [] and trap.asks == []


def test_many_keys_made_at_once_cost_each_process_these_keys_alone(world, provider):
    business = world.business(provider)
    texts = [f"cr_{n:040d}" for n in range(6000)]
    rows = [(business.id, hashlib.sha256(text.encode()).digest()) for text in texts]
    made = "insert into keys (business_id, role, digest, created_at) values (?, 'viewer', ?, 1)"
    db = sqlite3.connect(world.database, timeout=20)
    with db:
        db.executemany(made, rows[:5000])
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    before = server.figures()["callreel_access_rows_total"]
    assert before >= 5000
    with db:
        for row in rows[5000:]:
            key = db.execute(made, row).lastrowid
            db.execute("insert into changes (kind, business_id, id, at_ms) values ('key', ?, ?, ?)",
                       (business.id, str(key), int(time.time() * 1000)))
    db.close()
    for text in (texts[-1], texts[5000], texts[0]):
        eventually(lambda text=text: server.get("/api/calls", text).status == 200, 10, "the key is known")
    assert server.figures()["callreel_access_rows_total"] - before == 1000


def test_every_stopped_account_is_known_to_be_however_many_there_are(world, provider):
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    trial_at, sid = int(time.time() * 1000) + 500_000, p.sid("RE")
    db = sqlite3.connect(world.database, timeout=20)
    with db:
        db.executemany("insert into businesses (name, created_at, auth_failed_at, auth_trial_at) values (?, 1, 1, ?)",
                       [(f"B{i}", trial_at) for i in range(1499)])
    last = world.business(provider)
    with db:
        db.execute("update businesses set auth_failed_at = 1, auth_trial_at = ? where business_id = ?", (trial_at, last.id))
        db.execute("insert into recordings (business_id, recording_sid, first_seen_at, status, enqueued_at, rank)"
                   " values (?, ?, 1, 'queued', 1, 2)", (last.id, sid))
    db.close()
    eventually(lambda: server.figures().get("callreel_accounts_stopped") == 1500, 10, "all are counted")
    answer = server.get(f"/api/recordings/{sid}/stream", last.viewer, headers={"Prefer": "respond-async"})
    assert answer.status == 503 and answer.json()["code"] == "auth_failed", answer
