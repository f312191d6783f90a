"""The start of processes: several at once, a database that is held, a port that is taken."""
import sqlite3

from callreel import eventually


def test_many_first_starts_at_once_agree(world, provider):
    """On an empty directory one process creates database, key and store, and no other finds them incomplete."""
    servers = [world.launch(f"server{n}") for n in range(5)]
    for server in servers:
        server.wait_listening()
    business = world.business(provider)
    tape = provider.tape()
    business.tell(servers[0], tape)
    world.wait_state(tape.sid)
    for server in servers:
        eventually(lambda: server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).status == 200)
    assert len(world.sql("select 1 from settings where name = 'store_id'")) == 1 and tape.downloads == 1


def test_a_start_with_an_account_waits_for_a_held_database(world):
    first = world.server()
    settings = {"TWILIO_ACCOUNT_SID": "AC" + "a" * 32, "TWILIO_AUTH_TOKEN": "t" * 32}
    held = sqlite3.connect(world.database, isolation_level=None, check_same_thread=False)
    held.execute("begin immediate")
    second = world.launch("second", **settings)
    waiting = eventually(lambda: second.log_lines("held by another process") or not second.alive())
    held.execute("rollback")
    held.close()
    assert waiting and second.alive()
    second.wait_listening()
    assert world.sql("select account_sid from businesses")[0]["account_sid"] == settings["TWILIO_ACCOUNT_SID"]
    assert first.alive()


def test_a_port_that_is_taken_is_called_so(world):
    server = world.server()
    done = world.run("serve", env={"LISTEN": f"127.0.0.1:{server.port}"})
    assert done.returncode == 1 and "LISTEN" in done.stderr and "in use" in done.stderr
