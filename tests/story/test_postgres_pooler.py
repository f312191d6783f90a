"""A pooler before the PostgreSQL server: in session mode everything works; in transaction mode callreel says so and does nothing."""
import shutil
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

import callreel
import postgres
from callreel import ROOT, eventually
from provider import sid

sys.path.insert(0, str(ROOT / "script"))
import postgres_server  # noqa: E402 - found by the line above

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
pytestmark = [pytest.mark.skipif(not postgres.SERVER, reason="CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)"),
              pytest.mark.skipif(not PROGRAM, reason="pgbouncer is not installed")]
WHY = "a pooler in transaction mode is in between"


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Pooler:
    """PgBouncer with its defaults, before the server of these tests."""

    def __init__(self, directory, mode):
        server = urlsplit(postgres.SERVER)
        self.port = postgres_server._free_port()
        self.url = f"postgresql://{server.username}@127.0.0.1:{self.port}{server.path}"
        settings = directory / f"{mode}.ini"
        settings.write_text(f"[databases]\n* = host={server.hostname} port={server.port} user={server.username}\n[pgbouncer]\n"
                            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
                            f"pool_mode = {mode}\ndefault_pool_size = 60\n")
        prefix, user = postgres_server._as_user()  # PgBouncer does not run as root either
        if user:
            shutil.chown(settings, user.pw_uid)
        self.child = subprocess.Popen([*prefix, PROGRAM, "-q", "/dev/stdin"], stdin=settings.open(), stderr=subprocess.DEVNULL)
        eventually(lambda: accepts(self.port), 20)

    def stop(self):
        self.child.terminate()
        self.child.wait(20)


@pytest.fixture
def pooled(tmp_path, request):
    """A world whose DATABASE_URL leads to a pooler in that mode."""
    pooler = Pooler(tmp_path, request.param)
    schema = postgres.Schema()
    world = callreel.World(tmp_path, schema)
    world.settings["DATABASE_URL"] = pooler.url
    yield world
    world.close()
    pooler.stop()


@pytest.mark.parametrize("pooled", ["session"], indirect=True)
def test_everything_works_behind_a_pooler_in_session_mode(pooled):
    assert "up to date" in pooled.done("migrate")
    provider, servers = pooled.provider(), [pooled.server("one"), pooled.server("two", "web")]
    business = pooled.business(provider)
    for server in servers:
        eventually(lambda: business.is_known_to(server))
    tape = provider.tape(seconds=1)
    business.tell(servers[1], tape)  # queued by one process, fetched by the other
    pooled.wait_state(tape.sid)
    assert business.webhook(servers[0], "call", business.call_fields(sid("CA"))).status == 204
    tables = pooled.sql("select distinct schemaname from pg_tables where tablename = 'recordings' and schemaname = 'public'")
    assert tables == []  # each connection has its search path, though the pooler takes no options of the start


@pytest.mark.parametrize("pooled", ["transaction"], indirect=True)
@pytest.mark.parametrize("is_direct", [False, True])
def test_a_pooler_in_transaction_mode_is_refused_and_named(pooled, is_direct):
    """Also with DATABASE_DIRECT_URL: search path, time-outs and locks belong to the session."""
    direct = {"DATABASE_URL": postgres.SERVER}
    pooled.done("migrate", env=direct)
    env = {"DATABASE_DIRECT_URL": postgres.SERVER} if is_direct else {}
    for command in (["migrate"], ["serve"]):
        said = pooled.run(*command, env=env)
        assert (said.returncode, WHY in said.stderr) == (1, True), said.stderr
        assert "DATABASE_URL" in said.stderr and "pool_mode to session" in said.stderr
    said = pooled.run("check", env=env)
    assert said.returncode == 1
    assert [line for line in said.stdout.splitlines() if line.startswith("FAIL  database") and WHY in line], said.stdout
    said = pooled.run("serve", env={**direct, "DATABASE_DIRECT_URL": pooled.settings["DATABASE_URL"]})
    assert (said.returncode, "DATABASE_DIRECT_URL" in said.stderr and WHY in said.stderr) == (1, True), said.stderr
