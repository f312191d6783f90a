"""The audit: who did what to what, when, and that it can't be changed quietly."""
import csv
import io
import json
import re
import sqlite3
from pathlib import Path

import pytest

from callreel import eventually
from who import SECRET, bearer, claims, token

pytestmark = pytest.mark.sanitized
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def stage(world, provider):
    return Stage(world, provider)


class Stage:
    def __init__(self, world, provider):
        self.world = world
        self.server, self.business = world.server(JWT_SECRET=SECRET, TRUSTED_PROXIES="127.0.0.1"), world.business(provider)
        self.tape = provider.tape()
        self.business.tell(self.server, self.tape)
        world.wait_state(self.tape.sid, business_id=self.business.id)
        self.path = f"/api/recordings/{self.tape.sid}"
        self.admin = bearer(self.business.key("admin"))
        self.dana = bearer(token(claims(self.business.id, "agent", sub="dana")))

    def call(self, method, path, who=None, value=None, status=None, **headers):
        body = None if value is None else json.dumps(value).encode()
        answer = self.server.call(method, path, {**(JSON if value is not None else {}), **(who or self.dana), **headers}, body)
        assert status is None or answer.status == status, answer
        return answer

    def rows(self):
        rows = self.world.sql("select actor, role, action, object, ip, details from audit where business_id = ? order by number",
                              self.business.id)
        return [tuple(row.values()) for row in rows]

    def actions(self):
        return [row[2] for row in self.rows()]

    def fill(self, count):
        """count entries of edits."""
        for n in range(count):
            self.call("PATCH", f"/api/calls/{self.tape.call_sid}", value={"ref": str(n)}, status=200)

    def tamper(self, script):
        with sqlite3.connect(self.world.database) as db:
            db.executescript(script)

    def verify(self, *words):
        return self.world.run("audit", "verify", "--business", str(self.business.id), *words)


def test_what_people_do_is_audited_with_who_and_where(stage):
    before = len(stage.rows())
    address = {"X-Forwarded-For": "198.51.100.7"}
    call = f"/api/calls/{stage.tape.call_sid}"
    stage.call("PATCH", call, value={"ref": "A7", "tags": ["x"]}, status=200, **address)
    note = stage.call("POST", f"{stage.path}/notes", value={"text": "very secret"}, status=201, **address).json()["id"]
    stage.call("DELETE", f"{stage.path}/notes/{note}", status=204, **address)
    url = stage.call("POST", f"{stage.path}/url", status=200, **address).json()["url"]
    key = stage.call("POST", "/api/keys", stage.admin, {"name": "secret name"}, 201).json()
    stage.call("DELETE", f"/api/keys/{key['key_id']}", stage.admin, status=204)
    stage.call("PATCH", "/api/business", stage.admin, {"name": "New name"}, 200)
    stage.call("DELETE", "/api/urls", stage.admin, status=204)
    rows = stage.rows()[before:]
    assert [r[2] for r in rows] == ["edit", "note_add", "note_delete", "share", "key_created", "key_revoked",
                                    "settings_changed", "url_revoked"]
    assert rows[0] == ("user:dana", "agent", "edit", stage.tape.call_sid, "198.51.100.7", '{"fields":["ref","tags"]}')
    assert rows[1][3] == stage.tape.sid and json.loads(rows[1][5]) == {"note_id": note}
    assert rows[4][0].startswith("key:") and rows[4][1] == "admin" and rows[4][3] == f"key:{key['key_id']}"
    assert rows[4][4] == "127.0.0.1" and rows[6][3] == f"business:{stage.business.id}"
    told = json.dumps(rows)
    assert "secret" not in told and "New name" not in told and "sig" not in told and url not in told
    assert stage.verify().returncode == 0


@pytest.mark.threads
def test_a_play_is_audited_once_a_playback_and_a_download_besides(stage):
    before = len(stage.rows())
    for n in range(5):
        stage.call("GET", f"{stage.path}/stream", status=206, Range=f"bytes={n}-{n}")
    stage.call("HEAD", f"{stage.path}/download", status=200)
    stage.call("GET", f"{stage.path}/download", status=200)
    stage.call("GET", f"{stage.path}/stream", stage.admin, status=200)
    eventually(lambda: len(stage.rows()) == before + 3, what="three entries")
    rows = stage.rows()[before:]
    assert [(r[0].split(":")[0], r[2], r[3]) for r in rows] == [
        ("user", "play", stage.tape.sid), ("user", "download", stage.tape.sid), ("key", "play", stage.tape.sid)]
    assert stage.verify().returncode == 0


@pytest.mark.threads
def test_plays_before_the_end_of_the_process_are_written(stage):
    before = len(stage.rows())
    stage.call("GET", f"{stage.path}/stream", status=200)
    stage.server.stop()
    assert stage.actions()[before:] == ["play"]
    assert "Audit entries lost" not in stage.server.log()


@pytest.mark.parametrize("script, words", [
    ("update audit set actor = 'user:noa' where number = {5}", "entry {5} does not fit"),
    ("delete from audit where number = {5}", "entry {5} is missing"),
    ("update audit set number = -1 where number = {5}; update audit set number = {5} where number = {6};"
     " update audit set number = {6} where number = -1", "entry {5} does not fit"),
    ("insert into audit select business_id, {9} + 1, at, actor, role, action, object, ip, details, digest from audit"
     " where number = {9}", "entry {10} stands behind the end"),
    ("delete from audit where number = {9}", "entry {9} is missing"),
    ("insert into audit select business_id, 0, at, actor, role, action, object, ip, details, digest from audit"
     " where number = {9}", "entry 0 stands before the beginning"),
    ("delete from audit_heads", "entry {5} stands behind the end"),
    # a value of another type reads the same, but filters do not find it
    *((f"update audit set {column} = cast({column} as blob) where number = {{5}}", "entry {5} does not fit")
      for column in ("at", "actor", "role", "action", "object", "ip", "details", "digest")),
    ("update audit set at = at + 0.4 where number = {5}", "entry {5} does not fit"),
    ("update audit set number = cast(number as blob) where number = {9}", "entry {9} does not fit"),
    ("update audit set number = number + 0.5 where number = {5}", "entry {5} does not fit"),
    ("update audit_heads set digest = cast(digest as blob)", "the end of the chain has another digest"),
    ("update audit_heads set number = number + 0.4", "the end of the chain has another digest"),
])
def test_a_file_edited_by_hand_is_found_with_its_place(stage, script, words):
    first = len(stage.rows())
    stage.fill(9)
    numbers = [first + n for n in range(12)]
    assert "0 faults" in stage.verify().stdout
    stage.tamper(script.format(*numbers))
    found = stage.verify()
    assert found.returncode == 1 and words.format(*numbers) in found.stdout, found
    every = stage.world.run("audit", "verify")
    assert every.returncode == 1 and words.format(*numbers) in every.stdout, every
    as_json = json.loads(stage.verify("--json").stdout)
    assert as_json["faults"] and as_json["faults"][0]["business_id"] == stage.business.id


def test_the_logged_digest_shows_a_chain_that_was_made_anew(stage):
    stage.fill(3)
    stage.server.stop()
    server = stage.world.again(stage.server, JWT_SECRET=SECRET)
    line = next(line for line in server.wait_lines("Audit digest") if f"business={stage.business.id} " in line)
    number, digest = re.search(r"entry=(\d+) .*digest=([0-9a-f]{64})", line).groups()
    assert stage.verify("--expect", f"{number}:{digest}").returncode == 0
    server.stop()
    stage.tamper("delete from audit; delete from audit_heads")
    stage.server = stage.world.again(server, JWT_SECRET=SECRET)
    stage.fill(int(number) + 1)
    assert stage.verify().returncode == 0
    assert "has another digest than --expect" in stage.verify("--expect", f"{number}:{digest}").stdout


def listed(stage, query="", who=None, status=200, path="/api/audit", **headers):
    answer = stage.call("GET", f"{path}?{query}", who or stage.admin, status=status, **headers)
    return answer.json() if path == "/api/audit" and "Accept" not in headers else answer


def test_an_admin_lists_entries_by_each_filter_page_by_page(stage):
    stage.fill(7)
    stage.call("POST", f"{stage.path}/url", status=200)
    page, seen = listed(stage, "limit=3"), []
    while True:
        seen += page["entries"]
        if not page["next"]:
            break
        page = listed(stage, f"limit=3&cursor={page['next']}")
    assert [e["id"] for e in seen] == list(range(len(stage.rows()), 0, -1))
    assert set(seen[0]) == {"id", "at", "actor", "role", "action", "object", "ip", "details", "digest"}
    share = seen[0]
    assert (share["actor"], share["role"], share["action"], share["object"]) == ("user:dana", "agent", "share", stage.tape.sid)
    assert set(share["details"]) == {"url_id"} and len(share["digest"]) == 64
    for query, wanted in (("actor=user:dana", lambda e: e["actor"] == "user:dana"), ("action=edit", lambda e: e["action"] == "edit"),
                          (f"object={stage.tape.call_sid}", lambda e: e["object"] == stage.tape.call_sid),
                          (f"action=share&actor=user:dana&object={stage.tape.sid}", lambda e: e == share),
                          (f"since={share['at']}", lambda e: e["at"] >= share["at"]),
                          (f"until={share['at']}", lambda e: e["at"] < share["at"]), ("actor=user:nobody", lambda e: False)):
        assert listed(stage, "limit=500&" + query)["entries"] == [e for e in seen if wanted(e)], query
    for query in ("action=plays", "limit=0", "limit=501", "cursor=x", "since=yesterday", "cursor=1.0"):
        assert listed(stage, query, status=400)["code"] == "bad_request", query
    listed(stage, who=stage.dana, status=403)


def test_the_audit_of_another_business_is_not_seen(stage, provider):
    other = stage.world.business(provider, "Other")
    entries = listed(stage, "limit=500", who=bearer(other.key("admin")))["entries"]
    assert {e["object"] for e in entries} <= {f"business:{other.id}"} | {e["object"] for e in entries if e["object"].startswith("key:")}
    assert stage.tape.sid not in json.dumps(entries)


def test_the_audit_is_read_as_csv_and_that_is_audited(stage):
    stage.fill(3)
    for path, headers in (("/api/audit.csv", {}), ("/api/audit", {"Accept": "text/csv"})):
        before = len(stage.rows())
        answer = listed(stage, "action=edit", path=path, **headers)
        assert answer.header("content-type").startswith("text/csv") and "audit_" in answer.header("content-disposition")
        rows = list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"))))
        assert [r["action"] for r in rows] == ["edit"] * 3 and rows[0]["object"] == stage.tape.call_sid
        assert json.loads(rows[0]["details"]) == {"fields": ["ref"]}
        eventually(lambda: len(stage.rows()) == before + 1, what="the export's entry")
        assert stage.rows()[-1][2:4] == ("list_export", "audit")


def test_a_row_that_was_edited_by_hand_is_still_json(stage):
    stage.fill(1)
    stage.tamper("""update audit set details = '{"a":', actor = 'x"y'""")
    assert listed(stage)["entries"][0]["details"] == '{"a":'


def test_after_a_restore_a_kept_copy_says_what_was_removed_since(stage, tmp_path):
    """The copy has an entry of a removal that the database lacks."""
    stage.fill(2)
    kept, lines = tmp_path / "audit.csv", listed(stage, path="/api/audit.csv").body
    kept.write_bytes(lines)
    compare = lambda: stage.world.run("audit", "compare", kept, "--business", stage.business.id)
    eventually(lambda: stage.actions()[-1] == "list_export", what="the export's entry")
    assert compare().returncode == 0, compare()
    head, _, rest = lines.partition(b"\r\n")
    removal = f'900,2026-11-30T00:00:00Z,service,service,expire,{stage.tape.sid},,"{{""reason"":""x, y""}}",{"0" * 64}\r\n'
    kept.write_bytes(head + b"\r\n" + removal.encode() + rest)
    found = compare()
    assert found.returncode == 1 and f"{stage.tape.sid} was removed at 2026-11-30T00:00:00Z and is there again" in found.stdout
    assert "1 are not in the database, 0 are others there; 1 removals are undone" in found.stdout
    stage.tamper("update audit set digest = 'x' || substr(digest, 2) where action = 'edit'")
    assert "2 are others there" in compare().stdout
    for broken in (b"", b"id,at\r\n", head + b"\r\nx\r\n", head + b'\r\n1,"a\r\n', head + b"\r\n1,2,3,4,5,6,7,8,9,10\r\n"):
        kept.write_bytes(broken)
        assert "not as GET /api/audit.csv writes it" in compare().stderr, broken


def test_a_summary_that_was_spoilt_hides_nothing_and_is_found(stage):
    stage.fill(300)
    target = f"limit=500&object={stage.tape.call_sid}"
    whole = len(listed(stage, target)["entries"])
    assert whole >= 300 and "0 faults" in stage.verify().stdout
    for keys in ("x''", "'abc'", "zeroblob(3)", "1"):
        stage.tamper(f"update audit_spans set keys = {keys}")
        assert len(listed(stage, target)["entries"]) == whole, keys
        found = stage.verify()
        assert found.returncode == 1 and "the summary of entries 1 to 256" in found.stdout, found


def test_the_manual_lists_each_action():
    root = Path(__file__).parents[2]
    defined = re.findall(r'^X\(\w+, "(\w+)"', (root / "src/ledger/audit_action.def").read_text(), re.M)
    table = (root / "docs/ops/audit.md").read_text().split("| action | its object |")[1].split("\n\n")[0]
    assert len(defined) > 20 and sorted(re.findall(r"^\| `(\w+)` \|", table, re.M)) == sorted(defined)
