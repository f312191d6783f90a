"""Moving an installation from SQLite to PostgreSQL: migrate --from."""
import json
import signal
import subprocess

import pytest

import postgres
import wire
from callreel import CALLREEL, eventually

pytestmark = pytest.mark.skipif(not postgres.SERVER, reason="CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)")
SQLITE = {"DATABASE_URL": "", "DATABASE_SCHEMA": ""}


@pytest.fixture
def old(world):
    """The world's commands and servers use SQLite until the story says otherwise."""
    world.settings.update(SQLITE)
    return f"sqlite://{world.data_dir}/callreel.db"


def on_postgres(world):
    world.settings.update(world.schema.settings)


def test_an_installation_moves_with_all_that_it_has(world, old, provider):
    server = world.server()
    acme = world.business(provider)
    tapes = [provider.tape(2 + i) for i in range(4)]
    for tape in tapes:
        acme.webhook_add_call(server, tape.call_sid, From="+15005550133", CallerName="Dana Levi")
        acme.tell(server, tape)
        eventually(lambda: server.get(f"/api/recordings/{tape.sid}/status", acme.viewer).json()["status"] == "ready")
    agent = {"Authorization": f"Bearer {acme.key('agent')}", "Content-Type": "application/merge-patch+json"}
    body = json.dumps({"tags": ["urgent"], "agent": "Noa", "customer_name": "דנה לוי", "metadata": {"a": 1}}).encode()
    assert server.call("PATCH", f"/api/calls/{tapes[0].call_sid}", agent, body).status == 200
    url = server.post(f"/api/recordings/{tapes[1].sid}/url?ttl=600", acme.key("agent")).json()["url"]
    before = server.get("/api/calls", acme.viewer).json()
    on_postgres(world)
    refused = world.run("migrate", "--from", old)
    assert refused.returncode == 1 and "a process serves it" in refused.stderr
    server.stop()
    report = json.loads(world.done("migrate", "--from", old, "--json"))
    assert report["tables"]["recordings"] == 4 and report["tables"]["calls"] == 4
    server = world.server("moved")
    assert server.get("/api/calls", acme.viewer).json() == before
    for tape in tapes:
        assert server.get(f"/api/recordings/{tape.sid}/stream", acme.viewer).body == tape.mp3
        assert tape.downloads == 1
    assert server.get(url).status == 200
    for query in ("tag=urgent", "agent=Noa", "search=0133", "search=dana"):
        eventually(lambda: server.get(f"/api/calls?{query}", acme.viewer).json()["calls"], 15, query)
    assert server.get("/api/stats", acme.key("admin")).json()["recordings"]["ready"] == 4
    assert json.loads(world.done("audit", "verify", "--json"))["faults"] == []
    assert world.business(provider, "Next").id == 2
    tape = provider.tape(2)
    acme.tell(server, tape)
    world.wait_state(tape.sid)


def test_a_move_that_was_killed_goes_on_and_is_not_served_before(world, old):
    simulator = world.simulator()
    world.business(simulator)
    wire.call(simulator.port, "POST", "/sim/calls", {}, json.dumps({"count": 3000, "recording": False}).encode())
    world.done("reconcile")
    on_postgres(world)
    child = subprocess.Popen([str(CALLREEL), "migrate", "--from", old], env=world.environment(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    eventually(lambda: len(world.sql("select 1 from calls")) >= 400, 20)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(world.sql("select 1 from calls")) < 3000
    refused = world.run("serve")
    assert refused.returncode == 1 and "not finished" in refused.stderr
    assert json.loads(world.done("migrate", "--from", old, "--json"))["tables"]["calls"] == 3000
    assert len(world.sql("select 1 from calls")) == 3000
    world.server()


def test_rows_of_its_own_are_not_mixed_with_others(world, old, provider):
    world.business(provider)
    on_postgres(world)
    world.business(provider, "Another")
    refused = world.run("migrate", "--from", old)
    assert refused.returncode == 1 and "of its own" in refused.stderr
