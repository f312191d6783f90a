"""check: it reports each problem with what to do about it, and changes nothing."""
import json
import os
import resource
import socket
import sqlite3
import subprocess

import pytest

import provider as p
from callreel import CALLREEL, PATIENCE, eventually

pytestmark = pytest.mark.sanitized
PUBLIC = {"PUBLIC_BASE_URL": "https://calls.example.com/app/"}


class Found:
    def __init__(self, done):
        said = json.loads(done.stdout)
        self.code, self.said = done.returncode, said
        self.findings = [(f["level"], f["about"], f["finding"], f["mend"] or "") for f in said["findings"]]
        for level in ("ok", "warn", "FAIL"):
            assert said[level.lower()] == sum(1 for f in self.findings if f[0] == level)
        assert self.code == (1 if said["fail"] else 0)
        assert all(mend for level, _, _, mend in self.findings if level != "ok"), "a finding says what to do"

    def only(self, level, about, finding, mend):
        """Of that level there is this one finding."""
        found = [f for f in self.findings if f[0] == level and f[1] == about and finding in f[2] and mend in f[3]]
        assert len(found) == 1, f"{level} {about} {finding!r} {mend!r} in {self.findings}"
        return found[0]

    def failures(self):
        return [f[1:] for f in self.findings if f[0] == "FAIL"]


def check(world, env=None, **options):
    return Found(world.run("check", "--json", env={**PUBLIC, **(env or {})}, **options))


def lists(provider, act=None):
    """The provider's list of recordings, behind its credentials."""
    def answer(ask):
        import base64
        expected = base64.b64encode(f"{provider.account_sid}:{provider.token}".encode()).decode()
        if ask.headers.get("authorization") != f"Basic {expected}":
            return p.status(401)(ask)
        return ask.answer(200, {"Content-Type": "application/json"}, b'{"recordings":[],"next_page_uri":null}')
    provider.pages[f"/2010-04-01/Accounts/{provider.account_sid}/Recordings.json"] = act or answer


def make_sound(world, provider):
    """A server, a worker, a business with credentials that are taken: nothing is wrong."""
    lists(provider)
    world.sound = world.server()
    world.acme = world.business(provider)
    eventually(lambda: world.sql("select 1 from nodes where works <> 0"), 5, "the worker is known")


@pytest.fixture
def sound_world(world, provider):
    make_sound(world, provider)
    return world


def snapshot(directory):
    return {str(path.relative_to(directory)): (path.stat().st_mode, path.stat().st_size, path.stat().st_mtime_ns)
            for path in directory.rglob("*") if path.name != "callreel.db-shm" and path != directory / "recordings"}


def test_a_sound_installation_has_no_failure(sound_world, provider):
    found = check(sound_world)
    assert found.code == 0 and not found.failures() and found.said["warn"] == 0, found.findings
    about = {f[1] for f in found.findings}
    assert about >= {"settings", "files", "secrets", "database", "schema", "volume", "room", "limits", "worker", "provider",
                     "webhooks"}
    urls = found.only("ok", "webhooks", "business 1", "")[2]
    assert "https://calls.example.com/app/webhooks/twilio/1/recording" in urls
    assert "https://calls.example.com/app/webhooks/twilio/1/call" in urls
    (ask,) = [ask for ask in provider.asks if "Recordings.json" in ask.path]
    assert ask.method == "GET" and "PageSize=1" in ask.path
    plain = sound_world.run("check", env=PUBLIC)
    lines = plain.stdout.splitlines()
    assert plain.returncode == 0 and not plain.stderr
    assert all(line.startswith(("ok    ", "warn  ", "FAIL  ")) for line in lines[:-1]) and "0 FAIL" in lines[-1]


def test_looking_changes_nothing(world, provider):
    server = world.server()
    world.business(provider)
    server.stop()
    before = snapshot(world.data_dir)
    check(world)
    assert snapshot(world.data_dir) == before


def test_looking_makes_nothing(world):
    if world.schema:
        pytest.skip("a server's database is there")
    found = check(world)
    assert not world.data_dir.exists(), "what is missing is said, not made"
    found.only("warn", "database", "does not exist yet", "the first command creates it")
    found.only("warn", "business", "no business yet", "business add")


def test_modes_that_let_others_in(sound_world):
    key, database = sound_world.data_dir / "secrets.key", sound_world.database
    key.chmod(0o644)
    database.chmod(0o660)
    sound_world.data_dir.chmod(0o777)
    found = check(sound_world)
    assert found.code == 1
    found.only("FAIL", "files", "secrets.key can be read by others", f"chmod 600 {key}")
    found.only("FAIL", "files", "callreel.db can be read by others", f"chmod 600 {database}")
    found.only("FAIL", "files", "can be written by others", f"chmod 750 {sound_world.data_dir}")
    found.only("FAIL", "secrets", "can be read by others", "readable by its owner alone")


def test_the_wrong_key(sound_world):
    found = check(sound_world, {"SECRETS_KEY": "A" * 43 + "="})
    assert found.code == 1
    found.only("FAIL", "secrets", "encrypted with another key", "put back the SECRETS_KEY")
    assert "A" * 43 not in str(found.findings)


def test_a_key_that_is_gone_is_not_made_anew(sound_world):
    key = sound_world.data_dir / "secrets.key"
    key.unlink()
    found = check(sound_world)
    found.only("FAIL", "secrets", "secrets.key does not exist", "put it back")
    assert not key.exists()


def test_another_volume(sound_world):
    other = sound_world.directory / "other"
    other.mkdir()
    found = check(sound_world, {"RECORDINGS_DIR": str(other)})
    found.only("FAIL", "volume", "has no .store-id", "callreel verify --adopt-store")
    (other / ".store-id").write_text("0123456789abcdef" * 2)
    found = check(sound_world, {"RECORDINGS_DIR": str(other)})
    found.only("FAIL", "volume", "another volume than the database knows", "mount the right one")
    assert sorted(path.name for path in other.iterdir()) == [".store-id"], "the probe is gone again"
    found = check(sound_world, {"RECORDINGS_DIR": str(sound_world.directory / "nowhere")})
    found.only("FAIL", "volume", "can't be opened", "mount it there")
    assert not (sound_world.directory / "nowhere").exists()


@pytest.mark.parametrize("migrated", [False, True])
@pytest.mark.parametrize("held,mend", [("0123456789abcdef" * 2, "callreel verify --adopt-store"), ("scribble", "remove ")])
def test_a_volume_that_a_new_database_will_not_take(world, migrated, held, mend):
    """check finds settings that serve would refuse, before it is started; and following its advice mends them."""
    world.recordings().mkdir(parents=True)
    store_id = world.recordings() / ".store-id"
    store_id.write_text(held)
    if migrated:
        world.done("migrate")
    check(world).only("FAIL", "volume", "has a .store-id", mend)
    refused = world.run("serve")
    assert refused.returncode == 1 and "RECORDINGS_DIR" in refused.stderr, refused
    if held == "scribble":
        store_id.unlink()
    else:
        world.done("verify", "--adopt-store")
    assert not [f for f in check(world).findings if f[0] == "FAIL" and f[1] == "volume"]
    world.server()


def test_a_database_where_no_directory_is(world):
    nowhere = world.directory / "nowhere"
    found = check(world, {"DATABASE_URL": f"sqlite://{nowhere}/callreel.db"})
    found.only("FAIL", "database", f"{nowhere} does not exist", "create it")
    assert world.run("status", env={"DATABASE_URL": f"sqlite://{nowhere}/callreel.db"}).returncode == 1


def test_credentials_of_no_account(world):
    for name in ("TWILIO_AUTH_TOKEN", "TWILIO_API_SECRET"):
        more = {"TWILIO_API_KEY": p.sid("SK")} if name == "TWILIO_API_SECRET" else {}
        found = check(world, {f"{name}_FILE": str(world.secret_file("of nobody")), **more})
        found.only("warn", "settings", f"{name} is set without TWILIO_ACCOUNT_SID", "set TWILIO_ACCOUNT_SID")


def test_two_doors_at_one_address(world):
    found = check(world, {"LISTEN": "127.0.0.1:8431", "ADMIN_LISTEN": "127.0.0.1:8431"})
    found.only("FAIL", "settings", "ADMIN_LISTEN: ", "serve --help")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB, and a function that mounts it again."""
    point = tmp_path / "disk"
    point.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0750", "tmpfs", point], capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("mounting needs root and its capabilities")
    yield point
    subprocess.run(["umount", "-l", point], check=False)


def test_a_volume_that_is_read_only(world, small_disk, provider):
    world.settings["RECORDINGS_DIR"] = str(small_disk)
    make_sound(world, provider)
    assert check(world).code == 0
    world.sound.stop()  # a file that is open for writing keeps the disk from being mounted again
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    check(world).only("FAIL", "volume", "a file can't be made there", "mount it for writing")


def test_too_little_room(sound_world):
    found = check(sound_world, {"MIN_FREE_BYTES": str(1 << 60)})
    found.only("FAIL", "room", "less than MIN_FREE_BYTES", "make room on the volume")


def test_a_schema_too_new(sound_world):
    sound_world.sound.stop()
    with sqlite3.connect(sound_world.database) as db:
        db.execute("insert into schema_migrations values (9999, '9999_future.sql', 9999, 0)")
    db.close()
    found = check(sound_world)
    found.only("FAIL", "schema", "made by a newer release", "install that release")


def test_a_damaged_database(sound_world):
    for _ in range(50):
        sound_world.acme.webhook_add_call(sound_world.sound, p.sid("CA"))
    sound_world.sound.stop()
    with open(sound_world.database, "r+b") as f:
        size = f.seek(0, os.SEEK_END)
        for at in range(4096 * 3, size, 4096 * 2):
            f.seek(at)
            f.write(b"\xff" * 2000)
    done = sound_world.run("check", "--json", env=PUBLIC)
    assert done.returncode == 1 and "restore" in done.stdout, done


def test_no_worker(world, provider):
    world.server("web", "web")
    found = check(world)
    found.only("FAIL", "worker", "none was seen", "callreel serve")
    world.server("worker", "worker")
    eventually(lambda: world.sql("select 1 from nodes where works <> 0"))
    check(world).only("ok", "worker", "1 lives", "")


def test_a_writer_that_keeps_the_lock(sound_world):
    with sqlite3.connect(sound_world.database, isolation_level=None) as db:
        db.execute("begin immediate")
        found = check(sound_world)
        db.execute("rollback")
    found.only("FAIL", "database", "holds its write lock", "kill it")


def test_no_credentials(sound_world, provider):
    sound_world.done("business", "add", "--name", "Empty")
    key = sound_world.secret_file("s" * 32)
    sound_world.done("business", "add", "--name", "Key alone", "--account-sid", p.sid("AC"), "--api-key", p.sid("SK"),
                     "--api-secret-file", key, "--base-url", provider.base_url)
    found = check(sound_world)
    found.only("FAIL", "business", "business 2 has no credentials", "callreel business set 2 --account-sid")
    found.only("FAIL", "business", "business 3 has no auth token", "callreel business set 3 --auth-token-file")
    found.only("ok", "provider", "business 1: ", "")


def test_an_account_of_the_settings_before_the_first_start(world, provider):
    lists(provider)
    settings = {"TWILIO_ACCOUNT_SID": provider.account_sid, "TWILIO_BASE_URL": provider.base_url,
                "TWILIO_AUTH_TOKEN_FILE": str(world.secret_file(f"{provider.token},second"))}
    world.secrets.add(provider.token)
    found = check(world, settings)
    found.only("ok", "business", "TWILIO_ACCOUNT_SID", "")
    found.only("ok", "provider", "TWILIO_ACCOUNT_SID: the provider accepts", "")
    provider.token = "another"
    check(world, settings).only("FAIL", "provider", "TWILIO_ACCOUNT_SID: the provider refuses", "TWILIO_AUTH_TOKEN")
    found = check(world, {**settings, "TWILIO_AUTH_TOKEN_FILE": ""})
    found.only("FAIL", "business", "without TWILIO_AUTH_TOKEN", "set TWILIO_AUTH_TOKEN")
    assert not world.data_dir.exists()


def test_refused_credentials(sound_world, provider):
    provider.token = "another"
    found = check(sound_world)
    found.only("FAIL", "provider", "business 1: the provider refuses its credentials (401)", "business set 1 --auth-token-file")


def test_a_provider_that_is_away_or_in_trouble(sound_world, provider):
    lists(provider, p.status(503))
    found = check(sound_world)
    assert found.code == 0
    found.only("warn", "provider", "answers 503", "try again")
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    sound_world.done("business", "set", "1", "--base-url", f"http://127.0.0.1:{nobody}")
    found = check(sound_world)
    assert found.code == 0
    found.only("warn", "provider", "business 1: the provider can't be reached", "base URL")


@pytest.mark.parametrize("url, level, finding", [
    ("ftp://x", "FAIL", "PUBLIC_BASE_URL: "), (None, "warn", "PUBLIC_BASE_URL is not set"),
    ("http://calls.example.com", "warn", "PUBLIC_BASE_URL is not https"),
    ("https://127.0.0.1:8443", "warn", "address of this machine"), ("https://[::1]", "warn", "address of this machine"),
    ("https://localhost/x", "warn", "address of this machine"), ("https://10.0.0.8", "warn", "private network"),
])
def test_a_public_url_that_a_provider_can_not_use(world, url, level, finding):
    found = check(world, {"PUBLIC_BASE_URL": url or ""})
    if level == "FAIL":
        assert found.said["fail"] == 1 and found.said["ok"] == 0
        found.only("FAIL", "settings", finding, "serve --help")
    else:
        found.only("warn", "webhooks", finding, "set PUBLIC_BASE_URL")


def limited(world, files):
    done = subprocess.run([str(CALLREEL), "check", "--json"], capture_output=True, text=True, timeout=60 * PATIENCE,
                          env={**world.environment(), **PUBLIC},
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
    return Found(done)


def test_a_low_file_limit(sound_world):
    limited(sound_world, 1024).only("warn", "limits", "1024 files", "LimitNOFILE")
    found = limited(sound_world, 200)
    assert found.code == 1
    found.only("FAIL", "limits", "only 200 files", "LimitNOFILE")


def test_a_settings_file_with_secrets_that_everybody_reads(world):
    config = world.directory / "config"
    config.write_text("JWT_SECRET=" + "x" * 40 + "\n")
    config.chmod(0o644)
    found = Found(world.run("check", "--json", "--config", config, env=PUBLIC))
    found.only("warn", "settings", "can be read by everybody", "chmod 640")
    config.chmod(0o640)
    found = Found(world.run("check", "--json", "--config", config, env=PUBLIC))
    assert not [f for f in found.findings if f[1] == "settings" and f[0] != "ok"]
