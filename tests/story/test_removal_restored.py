"""An older backup of the database is restored: what was removed since is named, and can be removed again."""
import json
import shutil

import pytest

from callreel import eventually
from test_prune import ready_tapes


def findings(world):
    done = world.run("check", "--json")
    return [f for f in json.loads(done.stdout)["findings"] if "older backup" in f["finding"]]


def test_check_says_that_an_older_backup_was_restored(world, provider):
    server = world.server()
    acme = world.business(provider)
    admin = acme.key("admin")
    first, second = ready_tapes(world, server, acme, provider, [2, 1])
    backup = world.directory / "backup.db"
    world.done("backup", backup)

    def delete(tape):
        assert server.call("DELETE", f"/api/recordings/{tape.sid}", key=admin).status == 204
        eventually(lambda: not world.sql("select 1 from tasks") and (world.recordings() / ".removals").exists(), 5)
    delete(first)
    assert findings(world) == [], "the database knows of it"
    copy = server.get("/api/audit.csv", admin).body
    (world.directory / "audit.csv").write_bytes(copy)
    server.stop()
    shutil.copyfile(backup, world.database)
    for more in ("-wal", "-shm"):
        (world.data_dir / f"callreel.db{more}").unlink(missing_ok=True)
    [finding] = findings(world)
    assert "audit compare" in finding["mend"] and world.run("check").returncode == 1
    compared = world.run("audit", "compare", world.directory / "audit.csv", "--business", acme.id)
    assert compared.returncode == 1 and first.sid in compared.stdout and second.sid not in compared.stdout
    server = world.again(server)
    delete(first)
    world.run("audit", "compare", world.directory / "audit.csv", "--business", acme.id)
    (world.recordings() / ".removals").unlink()
    assert findings(world) == []
    delete(second)
    assert findings(world) == [] and server.get(f"/api/recordings/{first.sid}/stream", acme.viewer).status == 410
