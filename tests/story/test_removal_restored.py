"""An older backup of the database is restored: check names everything that was removed since, and it can be removed again."""
import json
import shutil

from callreel import eventually
from test_holds import NUMBER
from test_prune import ready_tapes


def findings(world):
    done = world.run("check", "--json")
    return [f for f in json.loads(done.stdout)["findings"] if "older backup" in f["finding"]]


def back_up(world):
    """Makes a backup of the database. Returns its path."""
    path = world.directory / "backup.db"
    if world.schema:
        world.schema.dump(path)
    else:
        world.done("backup", path)
    return path


def restore(world, path):
    if world.schema:
        world.schema.restore(path)
        return
    shutil.copyfile(path, world.database)
    for more in ("-wal", "-shm"):
        (world.data_dir / f"callreel.db{more}").unlink(missing_ok=True)


def undone(world, business):
    """The findings from the kept copy of the audit, and the exit status of the command."""
    compared = world.run("audit", "compare", world.directory / "audit.csv", "--business", business.id)
    lines = compared.stdout.splitlines()
    named = {phrase: sorted(line.split()[0].rstrip(",") for line in lines if phrase in line)
             for phrase in ("is there again", "holds no more", "is undone:")}
    return {phrase: names for phrase, names in named.items() if names}, compared.returncode


def asked_for(provider, *tapes):
    """How often the provider was asked for them. It is asked for lists of calls besides."""
    return sum(tape.sid in ask.path for tape in tapes for ask in provider.asks)


def is_done(world):
    return not world.sql("select 1 from tasks") and (world.recordings() / ".removals").exists()


def test_what_was_removed_and_held_since_an_older_backup_is_named_and_done_again(world, provider):
    """Retention removed one recording, a person another one; one was held, one was held and freed, a number was erased. What check
    says to run names them before anything is played or removed, and the provider is asked for nothing."""
    server = world.server()
    acme = world.business(provider)
    admin = acme.key("admin")
    world.private.add(NUMBER)
    due, held, deleted, kept = ready_tapes(world, server, acme, provider, [40, 50, 2, 1])
    call = lambda method, target, body=None: server.call(method, target, {"Content-Type": "application/json"}, body, admin)
    asked, backup = asked_for(provider, due, held, deleted, kept), back_up(world)
    hold = lambda tape: call("PUT", f"/api/recordings/{tape.sid}/hold", b'{"reason":"Case 17"}').status
    erase = lambda: call("POST", "/api/erasure", json.dumps({"number": NUMBER}).encode()).json()
    assert hold(held) == hold(kept) == 204 and call("DELETE", f"/api/recordings/{kept.sid}/hold").status == 204
    assert call("DELETE", f"/api/recordings/{deleted.sid}").status == 204
    certificate = erase()
    eventually(lambda: not world.sql("select 1 from erasures where ended_at is null"), 10)
    world.done("business", "set", acme.id, "--retention", 30)
    world.pass_time(65)
    world.wait_state(due.sid, "expired")
    eventually(lambda: is_done(world), 5)
    assert findings(world) == [], "the database knows of it"
    (world.directory / "audit.csv").write_bytes(server.get("/api/audit.csv", admin).body)
    server.stop()
    restore(world, backup)
    assert {world.state(tape.sid) for tape in (due, held, deleted, kept)} == {"ready"}
    [finding] = findings(world)
    assert all(word in finding["mend"] for word in ("audit compare", "--role web", "prune", ".removals"))
    assert world.run("check").returncode == 1
    erasure = f"erasure:{certificate['erasure_id']}"
    assert undone(world, acme) == ({"is there again": sorted([due.sid, deleted.sid]), "holds no more": [held.sid],
                                    "is undone:": [erasure]}, 1)
    # Follows the advice: holds first, by a process that removes nothing.
    world.done("business", "set", acme.id, "--retention", 30)
    server.role = "web"
    server = world.again(server)
    world.pass_time(65)
    assert hold(held) == 204 and call("DELETE", f"/api/recordings/{deleted.sid}").status == 204
    again = erase()
    assert again["digest"] == certificate["digest"] and world.state(held.sid) == world.state(due.sid) == "ready"
    server.stop()
    assert [r["recording_sid"] for r in json.loads(world.done("prune", "--json"))["recordings"]] == [due.sid]
    assert undone(world, acme)[0].keys() == {"is undone:"}, "the audit has no number, so only its own entry can show that"
    (world.recordings() / ".removals").unlink()
    server.role = "all"
    server = world.again(server)
    eventually(lambda: is_done(world), 10, "and the next removal writes its mark again")
    assert findings(world) == []
    world.pass_time(65)
    for tape in (due, deleted):
        acme.tell(server, tape)
        assert server.get(f"/api/recordings/{tape.sid}/stream", acme.viewer).status == 410
        assert not list(world.recordings().rglob(f"*{tape.sid}*"))
    for tape in (held, kept):
        assert server.get(f"/api/recordings/{tape.sid}/stream", acme.viewer).status == 200
    assert asked_for(provider, due, held, deleted, kept) == asked == 4, "the provider was asked for nothing again"


def test_retention_removes_again_by_itself_what_an_older_backup_brings_back(world, provider):
    server = world.server()
    acme = world.business(provider)
    world.done("business", "set", acme.id, "--retention", 30)
    [due] = ready_tapes(world, server, acme, provider, [29.9])
    backup = back_up(world)
    world.pass_time(86400)
    world.wait_state(due.sid, "expired")
    eventually(lambda: is_done(world), 5)
    server.stop()
    restore(world, backup)
    assert world.state(due.sid) == "ready"
    server = world.again(server)
    world.wait_state(due.sid, "expired")
    assert server.get(f"/api/recordings/{due.sid}/stream", acme.viewer).status == 410 and asked_for(provider, due) == 1
