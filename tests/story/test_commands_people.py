"""backup, signin, and status --watch."""
import hashlib
import json
import os
import pty
import re
import select
import signal
import sqlite3
import stat
import subprocess
import termios
import threading
import time

import pytest

import provider as p
from callreel import CALLREEL, PATIENCE, eventually

# ---- backup ----


def test_a_backup_under_load_has_every_webhook_that_was_answered_before_it(world, provider):
    server = world.server("web", "web")
    business = world.business(provider)
    key = business.viewer
    answered, over, lock, trouble = [], threading.Event(), threading.Lock(), []

    def tell():
        while not over.is_set():
            call = p.sid("CA")
            try:
                status = business.webhook(server, "call", business.call_fields(call)).status
            except Exception as e:  # told below, in the test's own thread
                status = e
            with lock:
                answered.append(call) if status == 204 else trouble.append(status)

    tellers = [threading.Thread(target=tell) for _ in range(8)]
    for teller in tellers:
        teller.start()
    try:
        eventually(lambda: len(answered) > 200, 20)
        with lock:
            before = list(answered)
        copy = world.directory / "copy.db"
        said = json.loads(world.done("backup", copy, "--json"))
        with lock:
            during = len(answered) - len(before)
    finally:
        over.set()
        for teller in tellers:
            teller.join()
    assert not trouble and during >= 0
    assert said == {"path": str(copy), "bytes": copy.stat().st_size} and stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not list(world.directory.glob("copy.db?*")), "nothing else is left behind"
    db = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    kept = {row[0] for row in db.execute("select call_sid from calls")}
    db.close()
    assert set(before) <= kept <= set(answered)
    server.stop()
    # the copy takes the place of a database: it migrates and serves
    restored = world.server("restored", DATABASE_URL=f"sqlite://{copy}")
    for call in before[:3]:
        assert restored.get(f"/api/calls/{call}", key).status == 200


@pytest.mark.sanitized
def test_a_backup_overwrites_nothing_and_makes_no_database(world, provider):
    target = world.directory / "copy.db"
    done = world.run("backup", target)
    assert done.returncode == 1 and "DATABASE_URL" in done.stderr and not target.exists() and not world.data_dir.exists()
    world.done("migrate")
    assert world.run("backup").returncode == 2 and world.run("backup", target, "more").returncode == 2
    target.write_text("mine")
    done = world.run("backup", target)
    assert done.returncode == 1 and "not overwritten" in done.stderr and target.read_text() == "mine"
    done = world.run("backup", world.directory / "nowhere/copy.db")
    assert done.returncode == 1 and "directory does not exist" in done.stderr
    target.unlink()
    done = world.run("backup", target)
    assert done.returncode == 0 and "secrets.key" in done.stderr and str(target) in done.stdout


@pytest.mark.sanitized
def test_a_backup_does_not_migrate(world):
    world.done("migrate")
    with sqlite3.connect(world.database) as db:
        newest = db.execute("select max(number) from schema_migrations").fetchone()[0]
        db.execute("delete from schema_migrations where number = ?", (newest,))
    db.close()
    copy = world.directory / "copy.db"
    world.done("backup", copy)
    for path in (copy, world.database):
        with sqlite3.connect(path) as db:
            assert db.execute("select max(number) from schema_migrations").fetchone() == (newest - 1,)
        db.close()


# ---- signin ----


@pytest.mark.sanitized
def test_a_sign_in_link_is_made_for_a_business_and_a_role(world):
    world.done("business", "add", "--name", "Acme")
    said = json.loads(world.done("signin", "--business", "1", "--role", "agent", "--json",
                                 env={"PUBLIC_BASE_URL": "https://calls.example.com/app/"}))
    token = re.fullmatch(r"https://calls\.example\.com/app/signin\?token=([\w-]{43})", said["url"]).group(1)
    assert (said["business_id"], said["role"]) == (1, "agent") and said["expires_at"].endswith("Z")
    (link,) = world.sql("select * from links")
    assert link["digest"] == hashlib.sha256(token.encode()).digest() and link["role"] == "agent" and not link["used_at"]
    assert 590_000 < link["expires_at"] - world.clock.now_ms() <= 600_000
    for listen, start in (("127.0.0.1:8080", "http://127.0.0.1:8080/signin?token="), ("127.0.0.1:0", "/signin?token="),
                          ("0.0.0.0:81", "http://127.0.0.1:81/signin?token="), ("[::]:81", "http://[::1]:81/signin?token=")):
        printed = world.done("signin", "--business", "1", env={"LISTEN": listen}).strip()
        assert printed.startswith(start) and len(printed) == len(start) + 43, printed
    assert {link["role"] for link in world.sql("select role from links")} == {"agent", "viewer"}
    for argv, code in ((("--business", "9"), 1), ((), 2), (("--business", "1", "--role", "platform"), 2),
                       (("--business", "1", "--role", "king"), 2), (("--business", "x"), 2)):
        done = world.run("signin", *argv)
        assert done.returncode == code and done.stderr and not done.stdout, (argv, done)


@pytest.mark.sanitized
def test_a_link_signs_in_once(world):
    server = world.server()
    world.done("business", "add", "--name", "Acme")
    target = world.done("signin", "--business", "1", "--role", "agent", env={"LISTEN": "127.0.0.1:0"}).strip()
    assert server.get(target).status == 200

    def press(target):
        return server.post("/signin", headers={"Content-Type": "application/x-www-form-urlencoded"},
                           body=target.partition("?")[2].encode())
    first = press(target)
    cookie = dict(first.headers)["set-cookie"].partition(";")[0]
    assert first.status == 303
    who = server.get("/api/session", headers=[("Cookie", cookie)])
    assert who.status == 200 and (who.json()["business_id"], who.json()["role"]) == (1, "agent")
    assert server.get(target).status == press(target).status == 401
    late = world.done("signin", "--business", "1").strip().partition("/signin")[2]
    world.pass_time(601)
    assert server.get(f"/signin{late}").status == 401


# ---- status --watch ----


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, world, *argv):
        self.primary, secondary = pty.openpty()
        self.before = termios.tcgetattr(secondary)
        self.text = ""
        self.child = subprocess.Popen([str(CALLREEL), *argv], stdin=secondary, stdout=secondary, stderr=subprocess.PIPE,
                                      env={**world.environment(), "TERM": "xterm"}, start_new_session=True)
        self.secondary = secondary

    def read_until(self, look, within=10):
        deadline = time.monotonic() + within * PATIENCE
        while not look(self.text):
            assert time.monotonic() < deadline, repr(self.text[-2000:])
            if select.select([self.primary], [], [], 0.05)[0]:
                self.text += os.read(self.primary, 65536).decode()
        return self.text

    def end(self):
        code = self.child.wait(10 * PATIENCE)
        self.read_until(lambda text: text.endswith("\x1b[?1049l"))
        assert termios.tcgetattr(self.secondary) == self.before, "the terminal is as it was"
        os.close(self.primary)
        os.close(self.secondary)
        return code


@pytest.mark.sanitized
@pytest.mark.parametrize("end", ["q", signal.SIGINT, signal.SIGTERM])
def test_watching_on_a_terminal_ends_with_the_terminal_as_it_was(world, end):
    world.done("business", "add", "--name", "Acme")
    terminal = Terminal(world, "status", "--watch")
    terminal.read_until(lambda text: text.count("\x1b[H") >= 3 and "0 queued" in text)
    os.write(terminal.primary, b"x")  # another key is none of its business
    if end == "q":
        os.write(terminal.primary, b"q")
    else:
        terminal.child.send_signal(end)
    assert terminal.end() == 0 and terminal.text.startswith("\x1b[?1049h") and "\x1b[?25h" in terminal.text


@pytest.mark.sanitized
@pytest.mark.parametrize("options, ready", [(("--json",), '"ready":1'), ((), "1 ready")])
def test_watching_without_a_terminal_says_what_changed(world, provider, options, ready):
    server = world.server()
    business = world.business(provider)
    log = world.directory / "watched"
    with open(log, "wb") as out:
        watch = subprocess.Popen([str(CALLREEL), "status", "--watch", *options], stdin=subprocess.DEVNULL, stdout=out,
                                 env=world.environment())
    try:
        eventually(lambda: "ready" in log.read_text())
        tape = provider.tape()
        business.tell(server, tape)
        text = eventually(lambda: ready in log.read_text() and log.read_text())
    finally:
        watch.send_signal(signal.SIGINT)
        assert watch.wait(10 * PATIENCE) == 0
    assert "\x1b" not in text
    if options:
        moments = [json.loads(line) for line in text.splitlines()]
        assert moments[0]["recordings"]["ready"] == 0 and moments[-1]["recordings"]["ready"] == 1
        assert len(moments) < 10, "only what changed"


@pytest.mark.sanitized
@pytest.mark.parametrize("command", ["backup", "check", "demo", "signin", "status", "verify"])
def test_help_and_misuse(world, command):
    done = world.run(command, "--help")
    assert done.returncode == 0 and f"callreel {command}" in done.stdout and not done.stderr
    assert command in world.run("--help").stdout
    done = world.run(command, "--no-such-option")
    assert done.returncode == 2 and "--help" in done.stderr and not done.stdout
    assert not world.data_dir.exists(), "misuse makes nothing"


@pytest.mark.parametrize("argv", [("status",), ("status", "--json"), ("status", "--watch"), ("retry",), ("key", "list"),
                                  ("key", "list", "--json"), ("key", "create"), ("signin",), ("session", "list"), ("url", "list"),
                                  ("fetch", "RE0123456789abcdef0123456789abcdef")])
def test_a_business_that_is_not_there_is_said_to_be_so(world, argv):
    world.done("business", "add", "--name", "One")
    world.done("business", "add", "--name", "Gone")
    world.done("business", "remove", "2")
    for gone in (2, 77):
        done = world.run(*argv, "--business", gone)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert f"business {gone} does not exist" in done.stderr, done.stderr


@pytest.mark.parametrize("argv", [("--help",), ("status", "--help"), ("version",), ("migrate",), ("status",), ("status", "--json"),
                                  ("business", "list"), ("business", "list", "--json"), ("business", "add", "--name", "B"),
                                  ("business", "set", "1", "--name", "C"), ("key", "create", "--business", "1"), ("key", "list"),
                                  ("key", "list", "--json"), ("key", "revoke", "1"), ("signin", "--business", "1"), ("retry",),
                                  ("verify",), ("check",)])
def test_who_can_not_say_it_says_so(world, argv):
    world.done("business", "add", "--name", "A")
    world.done("key", "create", "--business", "1")
    for where in ("/dev/full", None):  # a disk that is full, an output that is closed
        command = [str(CALLREEL), *argv] if where else ["sh", "-c", 'exec "$@" >&-', "sh", str(CALLREEL), *argv]
        with open(where or os.devnull, "w") as out:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True,
                                  env=world.environment(), timeout=30)
        assert done.returncode == 1 and done.stderr.startswith("callreel"), (where, done)
        assert "()" not in done.stderr, done.stderr


def test_a_service_without_any_output_writes_its_log_nowhere_else(world):
    """A file that is opened later may not get the number of standard error: the log would be written into it."""
    child = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", str(CALLREEL), "serve"],
                             env=world.environment(LOG_LEVEL="debug"))
    files = f"/proc/{child.pid}/fd"
    try:
        eventually(lambda: child.poll() is not None or len(os.listdir(files)) > 10, 20, "it serves")
        assert [os.readlink(f"{files}/{number}") for number in range(3)] == ["/dev/null"] * 3
    finally:
        child.terminate()
        assert child.wait(20) == 0
