"""Calls that no webhook reported are found through the provider's lists: by reconcile, by backfill, and by a server itself."""
import http.server
import json
import signal
import subprocess
import threading

import pytest

import wire
from callreel import CALLREEL, eventually
from provider import sid

AGO = "2026-01-01T08:00:00Z"


def fault(simulator, *faults):
    answer = wire.call(simulator.port, "PUT", "/sim/faults", {}, json.dumps({"faults": faults}).encode())
    assert answer.status == 204, answer


def lists(simulator):
    return wire.call(simulator.port, "GET", "/sim/lists").json()["requests"]


def make_many(simulator, count, **wishes):
    answer = wire.call(simulator.port, "POST", "/sim/calls", {}, json.dumps({"count": count, **wishes}).encode())
    assert answer.status == 201, answer


def taken(world, *argv):
    return json.loads(world.done(*argv, "--json"))


@pytest.mark.sanitized
@pytest.mark.threads
def test_reconcile_finds_a_call_and_its_recording_that_no_webhook_told_of(world):
    simulator = world.simulator()
    acme = world.business(simulator)
    made = simulator.make_call(legs=2)
    report = taken(world, "reconcile")
    assert (report["accounts"], report["calls"], report["recordings"], report["queued"]) == (1, 2, 1, 1)
    server = world.server()
    world.wait_state(made["recording_sid"])
    call = server.get(f"/api/calls/{made['call_sid']}", acme.viewer).json()
    assert call["status"] == "completed" and call["direction"] == "inbound" and call["legs"] == [made["child_call_sid"]]
    assert taken(world, "reconcile")["recordings"] == 0
    assert simulator.counts(made["recording_sid"])["downloads"] == 1


def test_a_server_reconciles_at_its_start_and_as_often_as_it_is_told(world):
    simulator = world.simulator()
    world.business(simulator)
    first = simulator.make_call()["recording_sid"]
    world.server(RECONCILE_EVERY=600)
    world.wait_state(first)
    second = simulator.make_call()["recording_sid"]
    world.clock.advance(605)
    world.wait_state(second)


def test_two_servers_reconcile_one_at_a_time(world):
    simulator = world.simulator()
    world.business(simulator)
    make_many(simulator, 1500, recording=False)
    servers = [world.launch(f"server{i}", RECONCILE_EVERY=600) for i in range(2)]
    for server in servers:
        server.wait_listening()
    eventually(lambda: len(world.sql("select 1 from calls")) == 1500, 20)
    assert lists(simulator) <= 6 # two pages of calls, one of recordings; the second server may have looked once more


def test_expired_stays_expired(world):
    simulator = world.simulator()
    acme = world.business(simulator)
    made = simulator.make_call()
    taken(world, "reconcile")
    server = world.server()
    world.wait_state(made["recording_sid"])
    answer = server.call("DELETE", f"/api/recordings/{made['recording_sid']}", [("Authorization", f"Bearer {acme.key('admin')}")])
    assert answer.status == 204
    report = taken(world, "reconcile")
    assert report["queued"] == 0
    assert taken(world, "backfill", "--since", "2020-01-01")["queued"] == 0
    assert world.state(made["recording_sid"]) == "expired"


def test_backfill_begins_at_its_date_and_goes_after_everything_else(world):
    simulator = world.simulator()
    world.business(simulator)
    old = simulator.make_call(start_time=AGO)["recording_sid"]
    older = simulator.make_call(start_time="2025-06-01T08:00:00Z")["recording_sid"]
    assert taken(world, "reconcile")["recordings"] == 0
    assert taken(world, "backfill", "--since", "2025-12-31")["recordings"] == 1
    assert world.row(older) is None
    assert world.row(old)["rank"] == 2


@pytest.mark.parametrize("faults", [["list_429:2"], ["list_500:2"], ["list_gone:1"], ["list_shift"]])
def test_a_list_that_makes_trouble_is_read_to_its_end(world, faults):
    simulator = world.simulator()
    world.business(simulator)
    make_many(simulator, 2500, recording=False)
    fault(simulator, *faults)
    report = taken(world, "reconcile")
    assert report["calls"] == 2500 and report["failed"] == []


def test_an_account_that_is_refused_is_reported_and_the_others_are_read(world):
    right, wrong = world.simulator("right"), world.simulator("wrong")
    world.business(right, "Right")
    world.business(wrong, "Wrong")
    recording = right.make_call()["recording_sid"]
    world.done("business", "set", "2", "--auth-token-file", world.secret_file("another"))
    done = world.run("reconcile", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["recordings"] == 1 and world.row(recording)
    assert [f["account_sid"] for f in report["failed"]] == [wrong.account_sid] and "401" in report["failed"][0]["why"]


class Lists:
    """Accounts without calls, of which each answer waits until as many are asked at once."""

    def __init__(self, at_once):
        meeting = threading.Barrier(at_once)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                meeting.wait(30)
                body = json.dumps({"calls" if "/Calls" in self.path else "recordings": [], "next_page_uri": None}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.threads
def test_four_accounts_are_read_at_once(world):
    with Lists(at_once=4) as provider:
        for name in "ABCDEFGH":
            world.done("business", "add", "--name", name, "--account-sid", sid("AC"), "--auth-token-file", world.secret_file("token"),
                       "--base-url", provider.base_url)
        assert taken(world, "reconcile")["accounts"] == 8
    status = json.loads(world.done("status", "--json"))["reconcile"]
    assert (status["kind"], status["running"], status["accounts"], status["accounts_read"]) == ("reconcile", False, 8, 8)
    assert status["ended_at"] and "8 of 8 accounts read" in world.done("status")


def test_status_and_check_say_how_far_a_run_is(world):
    simulator = world.simulator()
    world.business(simulator)
    make_many(simulator, 2500, start_time=AGO, recording=False)
    assert json.loads(world.done("status", "--json"))["reconcile"]["kind"] is None
    fault(simulator, "list_429:4")  # it waits for seconds
    child = subprocess.Popen([str(CALLREEL), "backfill", "--since", "2025-12-01"], env=world.environment(),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: json.loads(world.done("status", "--json"))["reconcile"]["running"], 20)
    child.send_signal(signal.SIGKILL)
    child.wait()
    fault(simulator)
    world.clock.advance(100)  # its lease ends
    status = json.loads(world.done("status", "--json"))["reconcile"]
    assert (status["kind"], status["running"], status["ended_at"]) == ("backfill", False, None)
    assert "was interrupted" in world.run("check").stdout and "interrupted" in world.done("status")
    assert taken(world, "backfill", "--since", "2025-12-01")["accounts"] == 1
    status = json.loads(world.done("status", "--json"))["reconcile"]
    assert status["ended_at"] and status["accounts_read"] == 1 and "1 accounts were read" in world.run("check").stdout


def test_a_backfill_that_was_killed_goes_on_where_it_was(world):
    simulator = world.simulator()
    world.business(simulator)
    make_many(simulator, 6000, start_time=AGO, recording=False)
    child = subprocess.Popen([str(CALLREEL), "backfill", "--since", "2025-12-01"], env=world.environment(),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: len(world.sql("select 1 from calls")) >= 2000, 20)
    child.send_signal(signal.SIGKILL)
    child.wait()
    before = lists(simulator)
    world.clock.advance(100)  # the lease of what was killed ends
    taken(world, "backfill", "--since", "2025-12-01")
    assert len(world.sql("select 1 from calls")) == 6000
    assert lists(simulator) - before <= 5 + 1  # pages 3 to 6 of calls, one of them perhaps again, and the recordings


def test_a_shared_account_by_numbers(world):
    simulator = world.simulator()
    world.business(simulator, "North", "+15005550101")
    world.business(simulator, "South", "+15005550102")
    north = simulator.make_call(to="+15005550101", legs=2, booked_on="child")
    south = simulator.make_call(direction="outbound", **{"from": "+15005550102", "to": "+15005550100"})
    nobody = simulator.make_call(to="+15005550177")
    report = taken(world, "reconcile")
    rows = {(r["business_id"], r["call_sid"]) for r in world.sql("select business_id, call_sid from calls")}
    assert rows == {(1, north["call_sid"]), (1, north["child_call_sid"]), (2, south["call_sid"])}
    rows = {(r["business_id"], r["recording_sid"]) for r in world.sql("select business_id, recording_sid from recordings")}
    assert rows == {(1, north["recording_sid"]), (2, south["recording_sid"])}
    assert {(u["sid"], u["fits"]) for u in report["unplaced"]} == \
        {(nobody["call_sid"], "none"), (nobody["recording_sid"], "none")} and report["unplaced_count"] == 2


def test_what_webhooks_lose_at_a_rate_is_there_after_a_reconcile(world):
    server = world.server()
    simulator = world.simulator()
    business = world.business(simulator)
    wire.call(simulator.port, "PUT", "/sim/webhooks", {},
              json.dumps({"url": f"http://127.0.0.1:{server.port}/webhooks/twilio/{business.id}"}).encode())
    fault(simulator, "lose:40")
    recordings = [simulator.make_call(seconds=1)["recording_sid"] for _ in range(20)]
    eventually(lambda: wire.call(simulator.port, "GET", "/sim/webhooks").json()["pending"] == 0)
    taken(world, "reconcile")
    for recording in recordings:
        world.wait_state(recording, within=30)
        assert simulator.counts(recording)["downloads"] == 1
