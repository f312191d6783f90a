"""The commands, and settings that are refused at the start."""
import json
import sqlite3
import stat
import threading

import pytest

import provider as p
from callreel import eventually

pytestmark = pytest.mark.sanitized
MEDIA = {"Range": "bytes=0-"}
COMMANDS = ("serve", "migrate", "business", "key", "status", "fetch", "retry", "version")


@pytest.mark.parametrize("name, value", [
    ("LISTEN", "nonsense"), ("LISTEN", "127.0.0.1:99999"), ("LISTEN", "127.0.0.1"), ("PUBLIC_BASE_URL", "ftp://x"),
    ("PUBLIC_BASE_URL", "https://u:p@x"), ("PUBLIC_BASE_URL", "https://x/?a=b"), ("DATABASE_URL", "mysql://x"), ("DATABASE_URL", "sqlite://x"),
    ("MIN_FREE_BYTES", "-1"), ("MIN_FREE_BYTES", "lots"), ("MIN_FREE_BYTES", "1 GiB"), ("SECRETS_KEY", "short"),
    ("SECRETS_KEY", "!" * 44), ("TWILIO_ACCOUNT_SID", "AC123"), ("TWILIO_BASE_URL", "nonsense"), ("TWILIO_BASE_URL", "file:///x"),
    ("RECORDING_FORMATS", "ogg"), ("RECORDING_FORMATS", "mp3,,wav"), ("RECORDING_FORMATS", ","),
    ("DOWNLOADS_PER_BUSINESS", "0"), ("DOWNLOADS_TOTAL", "x"), ("DOWNLOADS_TOTAL", "99999999999999999999"),
    ("MAX_RECORDING_BYTES", "10"), ("PLAY_WAIT", "55"), ("PLAY_WAIT", "-1"), ("MEDIA_CACHE", "forever"), ("CONNECTIONS", "0"),
    ("LISTENERS_PER_BUSINESS", "0"), ("EVENTS_PER_BUSINESS", "-5"), ("DRAIN_TIMEOUT", "1e3"), ("DRAIN_DELAY", "0x10"),
    ("JWT_SECRET", "too short"), ("LOG_LEVEL", "loud"), ("LOG_FORMAT", "xml"), ("CORS_ORIGINS", "*"),
    ("TRUSTED_PROXIES", "everybody"), ("JWT_PUBLIC_KEY_FILE", "/nonexistent"),
])
def test_a_bad_setting_is_refused_by_its_name(world, name, value):
    done = world.run("serve", env={name: value})
    assert done.returncode in (1, 2), done
    assert name in done.stderr, done.stderr
    if name in ("SECRETS_KEY", "JWT_SECRET"):
        assert value not in done.stderr
    config = world.directory / "config"
    config.write_text(f"# a comment\n{name}={value}\n")
    done = world.run("serve", "--config", config, env={name: ""})  # the environment's would win
    assert done.returncode in (1, 2) and name in done.stderr, done.stderr


def test_a_files_unknown_name_is_refused(world):
    config = world.directory / "config"
    for text, wanted in (("DOWNLOAD_TOTAL=3\n", "DOWNLOAD_TOTAL"), ("LISTEN\n", "line 1"), ("=x\n", "line 1"),
                         ("PLAY_WAIT=3\nPLAY_WAIT=4\n", "PLAY_WAIT")):
        config.write_text(text)
        done = world.run("serve", "--config", config)
        assert done.returncode in (1, 2) and wanted in done.stderr, (text, done.stderr)
    assert world.run("serve", "--config", world.directory / "nowhere").returncode in (1, 2)
    # names of other programs in the environment are ignored
    config.write_text("PLAY_WAIT=3\n\n# nothing\n")
    server = world.server(DOWNLOAD_TOTAL="x")
    assert server.get("/readyz").status == 200


def test_a_secrets_file_that_others_can_read_is_refused(world, provider):
    path = world.directory / "token"
    path.write_text(provider.token)
    add = ("business", "add", "--name", "Acme", "--account-sid", provider.account_sid, "--auth-token-file", path)
    for mode, code in ((0o644, 1), (0o640, 1), (0o604, 1), (0o660, 1), (0o600, 0)):
        path.chmod(mode)
        done = world.run(*add)
        assert (done.returncode != 0) == bool(code), (oct(mode), done)
        if code:
            assert str(path) in done.stderr and provider.token not in done.stderr
    path.chmod(0o644)
    done = world.run("serve", env={"JWT_SECRET_FILE": path})
    assert done.returncode in (1, 2) and "JWT_SECRET_FILE" in done.stderr
    assert world.run(*add[:-1], world.directory / "nowhere").returncode != 0
    empty = world.secret_file("")
    assert world.run(*add[:-1], empty).returncode != 0


def test_the_seal_key_is_made_once_and_needed(world, provider):
    server = world.server()
    business = world.business(provider)
    key = business.viewer
    eventually(lambda: server.get("/api/calls", key).status == 200)
    server.stop()
    sealed = world.data_dir / "secrets.key"
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o600
    for table in ("businesses", "keys", "settings"):
        text = repr(world.sql(f"select * from {table}"))
        assert provider.token not in text and key not in text, table
    kept = sealed.read_bytes()
    sealed.chmod(0o644)
    done = world.run("serve")
    assert done.returncode in (1, 2)
    sealed.chmod(0o600)
    sealed.unlink()
    lost = world.launch("lost", SECRETS_KEY="A" * 43 + "=")
    eventually(lambda: not lost.alive() or "Listening" in lost.log())
    if lost.alive():
        lost.port = lost.listening_port(r'msg="?Listening"?.* address="?127\.0\.0\.1:(\d+)')
        assert lost.get("/readyz").status == 503
        lost.kill()
    else:
        assert "SECRETS_KEY" in lost.log() or "secret" in lost.log()
    sealed.touch(0o600)
    sealed.write_bytes(kept)
    server = world.again(server)
    assert server.get("/api/calls", key).status == 200


def test_help_and_exit_codes(world):
    assert world.run("--help").returncode == 0 and all(c in world.run("--help").stdout for c in COMMANDS)
    for command in COMMANDS:
        done = world.run(command, "--help")
        assert done.returncode == 0 and f"callreel {command}" in done.stdout, command
        done = world.run(command, "--no-such-option")
        assert done.returncode == 2 and done.stderr, command
    for argv in ((), ("nothing",), ("business",), ("business", "nothing"), ("key",), ("key", "create"), ("fetch",),
                 ("serve", "--role", "cook"), ("serve", "extra"), ("migrate", "extra"), ("version", "extra"),
                 ("business", "add"), ("business", "add", "--name"), ("key", "create", "--business", "x", "--role", "viewer"),
                 ("key", "create", "--business", "1", "--role", "king"), ("retry", "--code", "nope"),
                 ("retry", "--since", "yesterday"), ("fetch", "nonsense")):
        done = world.run(*argv)
        assert done.returncode == 2, (argv, done)
        assert done.stderr and not done.stdout, argv
    for argv in (("business", "set", "77", "--name", "x"), ("key", "create", "--business", "77", "--role", "viewer"),
                 ("key", "revoke", "77"), ("business", "remove", "77"), ("fetch", p.sid("RE")), ("fetch", p.sid("CA"))):
        done = world.run(*argv)
        assert done.returncode == 1 and done.stderr, (argv, done)
    assert world.done("version").strip()
    help_text = world.run("serve", "--help").stdout
    for setting in ("LISTEN", "DATA_DIR", "PLAY_WAIT", "LOG_FORMAT", "DRAIN_TIMEOUT"):
        assert setting in help_text


def test_the_first_command_makes_the_database(world):
    assert not world.database.exists()
    made = json.loads(world.done("business", "add", "--json", "--name", "Näme \"x\""))
    assert made == {"business_id": 1, "name": "Näme \"x\""}
    assert stat.S_IMODE(world.database.stat().st_mode) == 0o600
    assert world.run("business", "add", "--name", "Two", "--id", "1").returncode == 1
    assert json.loads(world.done("business", "add", "--json", "--name", "Two", "--id", "40"))["business_id"] == 40
    assert json.loads(world.done("business", "add", "--json", "--name", "Three"))["business_id"] == 41
    listed = json.loads(world.done("business", "list", "--json"))
    listed = listed["businesses"] if isinstance(listed, dict) else listed
    assert [b["business_id"] for b in listed] == [1, 40, 41]
    assert world.done("migrate") is not None
    key = json.loads(world.done("key", "create", "--json", "--business", "40", "--role", "agent"))
    assert key["role"] == "agent" and key["business_id"] == 40
    world.secrets.add(key["key"])
    plain = world.run("key", "create", "--business", "40")
    made = next(word for word in plain.stdout.split() if word.startswith("cr_"))
    assert plain.returncode == 0 and made not in world.done("key", "list")


def test_a_schema_too_new_is_refused(world):
    world.done("migrate")
    with sqlite3.connect(world.database) as db:  # a later release's scripts that only add leave this one able to run
        db.execute("insert into schema_migrations select max(number) + 1, 'adds', 0, 0 from schema_migrations")
    db.close()
    world.done("status")
    with sqlite3.connect(world.database) as db:  # one that takes away says whom it leaves behind
        db.execute("insert into schema_migrations select max(number) + 1, 'takes_away', max(number) + 1, 0 from schema_migrations")
    db.close()
    for argv in (("serve",), ("status",), ("business", "list"), ("migrate",)):
        done = world.run(*argv)
        assert done.returncode == 1 and "new" in done.stderr, (argv, done)


def test_status_fetch_and_retry_work_beside_a_running_server(world, provider):
    server = world.server()
    business = world.business(provider)
    good, bad, later = provider.tape(), provider.tape(), provider.tape()
    bad.acts = [p.status(501)]
    business.tell(server, good)
    business.tell(server, bad)
    business.tell(server, later, "in-progress")
    world.wait_state(good.sid)
    world.wait_state(bad.sid, "failed")
    status = json.loads(world.done("status", "--json"))
    assert status["recordings"]["ready"] == 1 and status["recordings"]["failed"] == 1 and status["workers"] == 1
    assert status["failures"] == {"provider_error": 1} and status["fills"] == []
    assert "ready" in world.done("status")
    (node,) = status["nodes"]
    assert (node["role"], node["pid"], node["address"]) == ("all", server.pid, f"127.0.0.1:{server.port}")
    assert node["version"] in world.done("version") and node["live"] and node["takes_fills"] and node["fills"] == 0
    assert node["started_at"] <= node["last_seen_at"] and node["storage_full_since"] is None
    assert f"127.0.0.1:{server.port}" in world.done("status")
    path = world.done("fetch", good.sid).strip()
    assert open(path, "rb").read() == good.mp3 and good.downloads == 1
    path = world.done("fetch", later.call_sid).strip()
    assert open(path, "rb").read() == later.mp3
    assert world.run("fetch", good.sid, "--business", "77").returncode == 1
    assert "1" in world.done("retry", "--code", "provider_error")
    world.wait_state(bad.sid)
    assert "0" in world.done("retry")


def test_status_lists_the_processes_and_what_they_do(world, provider):
    web, worker = world.server("web", "web"), world.server("worker", "worker")
    business = world.business(provider)
    gate = threading.Event()
    tape = provider.tape(seconds=60)
    tape.default = p.pause_at(100_000, gate)
    business.tell(web, tape)
    nodes = lambda: {n["role"]: n for n in json.loads(world.done("status", "--json"))["nodes"]}
    eventually(lambda: nodes()["worker"]["fills"] == 1)
    assert (nodes()["web"]["fills"], nodes()["web"]["takes_fills"]) == (0, False)
    assert "downloads 1" in world.done("status")
    worker.kill()
    world.clock.advance(31)
    eventually(lambda: not nodes()["worker"]["live"])
    assert "NOT SEEN for" in world.done("status")
    gate.set()


def test_fetch_does_not_wait_for_room(world, provider):
    server = world.server(role="web")
    business = world.business(provider)
    tape = provider.tape()
    business.tell(server, tape, "in-progress")
    for beside in (None, "worker"):
        if beside:
            world.server("full", role=beside, MIN_FREE_BYTES=1 << 60)
            eventually(lambda: json.loads(world.done("status", "--json"))["workers_full"] == 1)
        fetch = world.run("fetch", tape.sid, env={"MIN_FREE_BYTES": str(1 << 60)})
        assert fetch.returncode == 1 and "is queued: There is no room on the disk" in fetch.stderr, fetch
    assert tape.asks == []


def test_fetch_works_without_a_server(world, provider):
    server = world.server(role="web")
    business = world.business(provider)
    eventually(lambda: business.webhook(server, "call", business.call_fields(p.sid("CA"))).status == 204)
    tape, broken = provider.tape(), provider.tape()
    broken.default = p.status(500)
    business.tell(server, tape)
    business.tell(server, broken)
    server.stop()
    path = world.done("fetch", tape.sid).strip()
    assert open(path, "rb").read() == tape.mp3 and world.state(tape.sid) == "ready"
    done = world.run("fetch", broken.sid)
    assert done.returncode == 1 and "provider" in done.stderr and not done.stdout


def test_a_business_of_the_settings_is_kept(world, provider):
    token = world.secret_file(provider.token)
    settings = {"TWILIO_ACCOUNT_SID": provider.account_sid, "TWILIO_AUTH_TOKEN_FILE": token, "TWILIO_BASE_URL": provider.base_url}
    server = world.server(**settings)
    businesses = world.sql("select business_id, account_sid from businesses")
    assert businesses == [{"business_id": 1, "account_sid": provider.account_sid}]
    import callreel
    business = callreel.Business(world, 1, provider.account_sid, provider.token)
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    server.stop()
    world.again(server, **settings)
    assert len(world.sql("select * from businesses")) == 1


def test_the_state_of_a_process_that_cannot_listen_is_1(world):
    server = world.server()
    done = world.run("serve", env={"LISTEN": f"127.0.0.1:{server.port}"})
    assert done.returncode == 1 and "LISTEN" in done.stderr + done.stdout


def test_the_view_of_earlier_systems_is_there(world, provider):
    server = world.server()
    business = world.business(provider)
    tape, bad, call = provider.tape(), provider.tape(), p.sid("CA")
    bad.default = p.status(500)
    business.tell(server, tape)
    business.tell(server, bad)
    business.webhook_add_call(server, call)
    world.wait_state(tape.sid)
    world.wait_state(bad.sid, "failed")
    rows = {row["call_sid"]: row for row in world.sql("select * from call_log")}
    assert set(next(iter(rows.values()))) == {
        "call_sid", "parent_call_sid", "business_id", "recording_url", "recording_download_status", "recording_last_enqueue_at",
        "recording_fail_count", "recording_next_retry_at", "final_transcript"}
    assert rows[tape.call_sid]["recording_download_status"] == "ready" and rows[tape.call_sid]["recording_url"] == tape.url
    assert rows[bad.call_sid]["recording_fail_count"] == 1 and rows[bad.call_sid]["recording_next_retry_at"]
    assert rows[call]["recording_url"] is None
