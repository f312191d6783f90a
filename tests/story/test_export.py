"""GET /api/calls.csv: the rows of a list, all of them, safe for a spreadsheet, without holding anything for a slow client."""
import csv
import io
import json
import sqlite3
import threading

import pytest

import provider as p
from callreel import eventually
from test_api import MERGE, assert_problem

pytestmark = pytest.mark.sanitized
COLUMNS = ["call_sid", "parent_call_sid", "started_at", "ended_at", "direction", "from", "to", "customer_number", "customer_name",
           "caller_name", "own_number", "agent", "status", "duration", "tags", "ref", "metadata", "recordings", "recording_sid",
           "recording_status", "recording_duration"]


@pytest.fixture
def stage(world, provider):
    return Stage(world, provider)


class Stage:
    def __init__(self, world, provider):
        self.world, self.provider = world, provider
        self.server, self.business = world.server(), world.business(provider)
        self.viewer = self.business.viewer

    def tell(self, n):
        """Calls that ended at one time; a later one of the list was longer, so it began earlier."""
        sids = [p.sid("CA") for _ in range(n)]
        for i, call in enumerate(sids):
            self.business.webhook_add_call(self.server, call, CallDuration=str(i), Timestamp="Mon, 30 Nov 2026 05:00:00 +0000")
        return sids

    def rows(self, query="", key=None):
        answer = self.server.get(f"/api/calls.csv?{query}", key or self.viewer)
        assert answer.status == 200 and answer.complete, answer
        text = answer.body.decode("utf-8")
        assert text.startswith("\ufeffcall_sid,") and text.endswith("\r\n") and "\n" not in text.replace("\r\n", "")
        rows = list(csv.reader(io.StringIO(text[1:], newline=""), strict=True))
        assert rows[0] == COLUMNS and {len(r) for r in rows} == {len(COLUMNS)}
        return [dict(zip(COLUMNS, r)) for r in rows[1:]]


def test_an_export_has_every_row_of_the_list_over_many_pages(stage):
    sids = stage.tell(250)
    assert [r["call_sid"] for r in stage.rows()] == sids
    assert [r["call_sid"] for r in stage.rows("sort=started_at&limit=1&count=1")] == sids[::-1]
    assert [r["call_sid"] for r in stage.rows("sort=-duration&min_duration=20&max_duration=239")] == sids[20:240][::-1]
    assert [r["call_sid"] for r in stage.rows("search=5550199&offset=245")] == sids[245:]
    assert [r["call_sid"] for r in stage.rows("since=2027-01-01")] == []
    cursor = stage.server.get("/api/calls?limit=100", stage.viewer).json()["next_cursor"]
    assert [r["call_sid"] for r in stage.rows(f"cursor={cursor}")] == sids[100:]
    answer = stage.server.get("/api/calls.csv", stage.viewer)
    assert answer.header("content-type") == "text/csv; charset=utf-8; header=present"
    assert answer.header("content-disposition").startswith('attachment; filename="calls_20') and answer.header("cache-control") == "no-store"
    head = stage.server.call("HEAD", "/api/calls.csv", key=stage.viewer)
    assert (head.status, head.body) == (200, b"") and head.header("content-disposition") == answer.header("content-disposition")
    assert stage.server.get("/api/calls", stage.viewer).status == 200


def test_cells_are_what_the_host_wrote_and_never_a_formula(stage):
    tape = stage.provider.tape(seconds=2)
    stage.business.webhook_add_call(stage.server, tape.call_sid, CallerName='=HYPERLINK("http://x","y")')
    stage.business.tell(stage.server, tape)
    stage.world.wait_state(tape.sid, business_id=stage.business.id)
    body = {"customer_name": 'לוי, "דנה"\r\nשורה שנייה', "ref": "\t=1+1", "agent": "@SUM(A1)", "tags": ["-1", "חוב"], "metadata": {"a": 1.50}}
    assert stage.server.call("PATCH", f"/api/calls/{tape.call_sid}", MERGE, json.dumps(body).encode(), stage.business.key("agent")).status == 200
    answer = stage.server.get("/api/calls.csv", stage.viewer)
    [row] = list(csv.reader(io.StringIO(answer.body.decode()[1:], newline="")))[1:]
    row = dict(zip(COLUMNS, row))
    assert row["customer_name"] == 'לוי, "דנה"\r\nשורה שנייה' and row["caller_name"] == '\'=HYPERLINK("http://x","y")'
    assert (row["ref"], row["agent"], row["tags"], row["metadata"]) == ("'\t=1+1", "'@SUM(A1)", "'-1, חוב", '{"a":1.5}')
    assert (row["from"], row["customer_number"], row["own_number"]) == ("'+15005550100", "'+15005550100", "'+15005550199")
    assert (row["recordings"], row["recording_sid"], row["recording_status"], row["parent_call_sid"]) == ("1", tape.sid, "ready", "")


def test_bad_parameters_are_refused_as_by_the_list(stage):
    for query in ("sort=x", "limit=0", "search=a", "min_duration=x", "tag=" + "x" * 41, "sort=duration&cursor=AAAA"):
        answers = [stage.server.get(f"/api/{what}?{query}", stage.viewer) for what in ("calls.csv", "calls")]
        assert_problem(answers[0], 400, query)
        assert answers[0].body == answers[1].body
    assert stage.server.post("/api/calls.csv", stage.viewer).status == 405
    assert stage.server.get("/api/calls.csv").status == 401


def begin_export(stage):
    """An export whose client reads its head only. Under a sanitizer beside other work a read may take longer than it may: 503; one
    that was left may still have its place: 429."""
    begun = []

    def begins():
        connection = stage.server.connect(receive_buffer=2048)
        connection.ask("GET", "/api/calls.csv", {"Authorization": f"Bearer {stage.viewer}"})
        head = connection.read_head()
        assert head.status in (200, 429, 503), head
        if head.status == 200:
            begun.append(connection)
        else:
            connection.close()
        return begun

    eventually(begins, 20, "an export begins")
    return begun[0]


def begin_two_and_ask(stage):
    """Two exports, and the answer to a third one. A read that takes too long also ends an export that has begun, which frees its
    place: then both begin again."""
    for _ in range(10):
        slow = [begin_export(stage) for _ in range(2)]
        refused = stage.server.get("/api/calls.csv", stage.viewer)
        if refused.status == 429:
            break
        for connection in slow:
            connection.close()
    return slow, refused


@pytest.mark.threads
def test_two_exports_at_once_are_the_most_and_a_client_that_leaves_frees_its_place(stage):
    db = sqlite3.connect(stage.world.database, timeout=20)  # more than sockets hold
    db.execute("with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) insert into calls (business_id, call_sid,"
               " top_sid, metadata, first_seen_at, sort_at) select ?, printf('CA%032x', i), printf('CA%032x', i), ?, 1, i from n",
               (stage.business.id, json.dumps({"a": "x" * 4000})))
    db.commit()
    db.close()
    slow, refused = begin_two_and_ask(stage)
    assert refused.status == 429 and refused.header("retry-after"), refused
    theirs = stage.world.business(stage.world.provider(), "B")
    assert stage.rows(key=theirs.viewer) == []
    stage.tell(1)  # the database takes writes meanwhile
    slow[0].close()
    eventually(lambda: stage.server.get("/api/calls.csv?limit=1&ref=none", stage.viewer).status == 200, 5, "a place is free")


@pytest.mark.threads
def test_exports_of_two_processes_and_edits_meanwhile(stage):
    sids = stage.tell(130)
    other = stage.world.server("other", "web")
    found = {}

    def export(server):
        answer = server.get("/api/calls.csv?sort=started_at", stage.viewer)
        found[server.name] = (answer.status, [r.split(",")[0] for r in answer.body.decode().split("\r\n")[1:-1]])

    threads = [threading.Thread(target=export, args=(server,)) for server in (stage.server, other)]
    for t in threads:
        t.start()
    for call in sids[:20]:
        stage.server.call("PATCH", f"/api/calls/{call}", MERGE, b'{"ref":"x"}', stage.business.key("agent"))
    for t in threads:
        t.join()
    assert found == {"server": (200, sids[::-1]), "other": (200, sids[::-1])}
