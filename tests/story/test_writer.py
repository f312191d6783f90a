"""The database writer: no business waits for the writes of another, and tables with a ceiling are trimmed."""
import json
import select
import sqlite3
from collections import Counter

import provider as p
from callreel import eventually
from wire import Connection

CHANGES_KEPT = 100_000


def change_quickly(world, count, business_id=1):
    """As many changes as many recordings make, at once."""
    with sqlite3.connect(world.database, timeout=20) as db:
        db.execute("""
            with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
            insert into changes (kind, business_id, id, at_ms)
            select 'call', ?, printf('CA%032x', i), ? from n""", (count, business_id, int(world.clock.now_ms())))
    db.close()


def changes(world):
    [row] = world.sql("select count(*) n, min(seq) oldest, max(seq) newest from changes")
    return row


def test_changes_keep_their_ceiling_however_quickly_they_come(world, provider):
    world.server()
    world.business(provider)
    for _ in range(3):  # within the minute after which old ones go in any case
        change_quickly(world, 60_000)
        kept = eventually(lambda: (c := changes(world))["n"] <= CHANGES_KEPT * 1.1 and c, 10, "changes are forgotten")
        assert kept["newest"] - kept["oldest"] + 1 == kept["n"]


def fail_many(world, business_id, count, code="provider_error"):
    """Inserts recordings that have failed permanently, each of its own call."""
    with sqlite3.connect(world.database, timeout=20) as db:
        db.execute("""
            with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ?)
            insert into recordings (business_id, recording_sid, status, first_seen_at, failed_at, fail_count, error_code, for_good)
            select ?, printf('RE%032x', i), 'failed', 1, 1, 8, ?, 1 from n""", (count, business_id, code))
    db.close()


def failed(world, business_id):
    [row] = world.sql("select count(*) n from recordings where business_id = ? and status = 'failed' and failed_at = 1", business_id)
    return row["n"]


def busy_business(world):
    """One whose provider knows none of its recordings."""
    return world.business(world.provider(), "Busy")


def test_retrying_many_answers_at_once_and_goes_on_while_anothers_webhooks_are_taken(world, provider):
    server = world.server(DOWNLOADS_PER_BUSINESS=1)
    busy, quiet = busy_business(world), world.business(provider, "Quiet")
    fail_many(world, busy.id, 5_000)
    admin = busy.key("admin")
    with Connection(server.port) as webhooks:
        answer = server.post("/api/recordings/retry?code=provider_error", admin)
        assert answer.status == 202 and answer.json() == {"queued": 80, "more": True}
        seen = []
        while (stats := server.get("/api/stats", admin).json())["retrying"]:
            seen.append(stats["retrying"]["provider_error"])
            target, headers, body = quiet.signed(server.port, "call", quiet.call_fields(p.sid("CA")))
            assert webhooks.call("POST", target, headers, body).status == 204
    assert seen and seen == sorted(seen) and len(set(seen)) > 2, "progress can be seen"
    assert failed(world, busy.id) == 0 and "provider_error" not in stats["failures"]
    assert server.log_lines("Failed recordings queued again")


def test_retrying_many_goes_on_after_a_crash(world):
    server = world.server(DOWNLOADS_PER_BUSINESS=1)
    busy = busy_business(world)
    admin = busy.key("admin")
    fail_many(world, busy.id, 20_000)
    assert server.post("/api/recordings/retry", admin).json()["more"]
    server.kill()
    assert 0 < failed(world, busy.id) < 20_000
    world.again(server)
    eventually(lambda: failed(world, busy.id) == 0, 20, "all are queued again")


def test_new_credentials_release_many(world):
    server = world.server(DOWNLOADS_PER_BUSINESS=1)
    busy = busy_business(world)
    fail_many(world, busy.id, 1_000, "auth_failed")
    world.done("business", "set", busy.id, "--auth-token-file", world.secret_file(busy.token + "0"))
    world.secrets.add(busy.token + "0")
    eventually(lambda: failed(world, busy.id) == 0, 10, "all are queued again")
    assert server.alive()


def test_the_command_retries_many_beside_a_running_server(world):
    world.server(DOWNLOADS_PER_BUSINESS=1)
    busy = busy_business(world)
    fail_many(world, busy.id, 1_000)
    assert "1000 recordings are queued." in world.done("retry")
    assert failed(world, busy.id) == 0


class Held:
    """Nothing is written by others while it lasts."""

    def __init__(self, world):
        self.db = sqlite3.connect(world.database, timeout=20, isolation_level=None)

    def __enter__(self):
        self.db.execute("begin immediate")

    def __exit__(self, *_):
        self.db.execute("rollback")
        self.db.close()


def send_edit(server, key, call, name):
    sender = Connection(server.port)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/merge-patch+json"}
    sender.ask("PATCH", f"/api/calls/{call}", headers, json.dumps({"customer_name": name}).encode())
    return sender


def test_edits_whose_senders_have_left_are_not_begun(world, provider):
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    hostile, quiet = busy_business(world), world.business(provider, "Quiet")
    call, agent = p.sid("CA"), hostile.key("agent")
    hostile.webhook_add_call(server, call)
    before = server.figures()
    with Held(world):
        senders = [send_edit(server, agent, call, f"Name {n}") for n in range(400)]
        eventually(lambda: server.figures()["callreel_http_connections"] >= 400, 10, "all are asked for")
        stays = send_edit(server, agent, call, "Stays")
        for sender in senders:
            sender.reset()
        eventually(lambda: server.figures()["callreel_http_connections"] < 10, 10, "all have left")
        webhook = Connection(server.port)
        webhook.ask("POST", *quiet.signed(server.port, "call", quiet.call_fields(p.sid("CA"))))
    assert webhook.read_head().status == 204
    assert stays.read_head().status == 200
    now = server.figures()
    changed = {name: now[name] - before[name] for name in now if "database" in name}
    assert changed['callreel_database_writes_total{result="dropped"}'] == 400
    assert changed['callreel_database_job_seconds_count{job="edit"}'] == 1
    assert world.sql("select customer_name from calls where call_sid = ?", call)[0]["customer_name"] == "Stays"


def test_a_business_with_too_much_to_be_written_is_told_to_come_later(world, provider):
    server = world.server()
    hostile, quiet = busy_business(world), world.business(provider, "Quiet")
    call, agent = p.sid("CA"), hostile.key("agent")
    hostile.webhook_add_call(server, call)
    with Held(world):
        senders = [send_edit(server, agent, call, f"Name {n}") for n in range(1_010)]
        answered = select.poll()
        for sender in senders:
            answered.register(sender.socket, select.POLLIN)
        ready = eventually(lambda: len(r := dict(answered.poll(0))) >= 10 and r, 3, "ten are refused")
        refused = next(s for s in senders if s.socket.fileno() in ready)
        answer = refused.read_head()
        assert answer.status == 503 and int(answer.header("retry-after")) >= 1
        webhook = Connection(server.port)
        webhook.ask("POST", *quiet.signed(server.port, "call", quiet.call_fields(p.sid("CA"))))
    assert webhook.read_head().status == 204
    ends = Counter(s.read_head().status for s in senders if s is not refused)
    assert ends[200] + ends[503] == 1_009 and 990 <= ends[200] <= 1_000, ends  # the business's upkeep of its own may take places


def test_a_webhook_that_could_not_be_begun_in_time_is_refused_and_not_written(world, provider):
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    business = world.business(provider)
    refused, taken = p.sid("CA"), p.sid("CA")
    with Held(world):
        answer = business.webhook(server, "call", business.call_fields(refused))
        assert answer.status == 503 and int(answer.header("retry-after")) >= 1
    business.webhook_add_call(server, taken)
    assert [row["call_sid"] for row in world.sql("select call_sid from calls")] == [taken]
