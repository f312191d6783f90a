"""demo: adds businesses and calls, from a simulator that it starts or from one that runs."""
import json
import os
import signal
import subprocess

import pytest

from callreel import CALLREEL, PATIENCE, eventually


def demo(world, server, *options):
    return world.run("demo", "--json", "--server", f"http://127.0.0.1:{server.port}", *options, within=60)


def told(world, done):
    assert done.returncode == 0, done
    said = json.loads(done.stdout)
    assert said["businesses"] == [1, 2] and said["calls"] == 40
    states = said["recordings"]
    assert states["ready"] >= 20 and states["failed"] >= 5 and states["missing"] >= 1, states
    assert sum(states.values()) == world.sql("select count(*) as n from recordings")[0]["n"]
    return said


@pytest.mark.sanitized
def test_two_businesses_with_forty_calls_in_all_states(world):
    server = world.server()
    said = told(world, demo(world, server))
    rows = world.sql("select business_id, direction, customer_name, top_sid = call_sid as top from calls")
    assert {row["business_id"] for row in rows} == {1, 2} and {row["direction"] for row in rows} == {"inbound", "outbound"}
    names = [row["customer_name"] for row in rows if row["top"]]
    assert len(names) == 40 and all(names) and "Maya Rosen" in names and "נועה לוי" in names
    assert len(rows) > 45, "some calls have a second leg"
    assert world.sql("select max(n) as n from (select count(*) as n from recordings group by call_sid)")[0]["n"] == 2
    codes = {row["error_code"] for row in world.sql("select distinct error_code from recordings where status = 'failed'")}
    assert codes >= {"not_audio", "provider_error", "absent_too_short", "not_found_at_provider"}, codes
    key = world.make_key("--business", "2", "--role", "viewer")
    page = server.get("/api/calls?limit=100", key).json()
    assert len(page["calls"]) == 20 and any(ord(c["customer_name"][0]) > 0x500 for c in page["calls"])
    port = int(said["simulator"].rsplit(":", 1)[1])
    with pytest.raises(OSError):
        __import__("socket").create_connection(("127.0.0.1", port), 1)


@pytest.mark.sanitized
def test_a_simulator_that_runs_is_used(world):
    simulator = world.simulator()
    world.secrets.add(simulator.token)
    server = world.server()
    said = told(world, demo(world, server, "--sim", simulator.base_url, "--account", simulator.account_sid,
                            "--auth-token-file", world.secret_file(simulator.token)))
    assert said["simulator"] == simulator.base_url and simulator.alive()


def test_the_command_that_it_prints_works_in_another_shell(world):
    server = world.server()
    done = world.run("demo", "--server", f"http://127.0.0.1:{server.port}", within=60)
    assert done.returncode == 0, done
    command = done.stderr.strip().splitlines()[-1].strip()
    assert command.endswith("signin --business 1"), command
    said = subprocess.run(["sh", "-c", command], cwd="/", env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=30)
    assert said.returncode == 0 and "/signin?token=" in said.stdout, said


def test_staying_keeps_the_simulator_until_a_signal(world):
    server = world.server()
    log = world.directory / "demo"
    with open(log, "wb") as out:
        child = subprocess.Popen([str(CALLREEL), "demo", "--stay", "--server", f"http://127.0.0.1:{server.port}"],
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=world.environment(),
                                 start_new_session=True)
    try:
        eventually(lambda: "until Ctrl-C" in log.read_text(), 60)
        children = [pid for pid in os.listdir("/proc") if pid.isdigit() and parent_of(pid) == child.pid]
        assert len(children) == 1
    finally:
        child.send_signal(signal.SIGINT)
        code = child.wait(20 * PATIENCE)
    assert code == 0 and not os.path.exists(f"/proc/{children[0]}")


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


@pytest.mark.sanitized
def test_without_a_server_nothing_is_made(world):
    done = world.run("demo", "--server", "http://127.0.0.1:9")
    assert done.returncode == 1 and "callreel serve" in done.stderr
    assert world.sql("select * from businesses") == []
    done = world.run("demo")
    assert done.returncode == 2 and "--server" in done.stderr, "LISTEN has port 0"
    for argv in (("--sim", "http://127.0.0.1:9"), ("--account", "AC1"), ("extra",),
                 ("--sim", "http://127.0.0.1:9", "--account", "AC1", "--auth-token-file", "x")):
        assert world.run("demo", *argv).returncode == 2, argv
