"""The binaries under test: servers, simulators, commands, and what they leave on disk."""
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import postgres
import provider as provider_module
import speech_engine as speech_engine_module
import wire
from provider import sid
from signing import form, signature

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CALLREEL_BUILD", ROOT / "build-test")).resolve()
CALLREEL, SIMULATOR = BUILD / "callreel", BUILD / "callreel-sim"
NO_SYNC = BUILD / "tests/preload/libno_sync.so"


def _has_sanitizers():
    try:
        options = json.loads((BUILD / "meson-info/intro-buildoptions.json").read_text())
    except OSError:
        return False
    return any(o["name"] == "b_sanitize" and o["value"] not in ("none", []) for o in options)


SANITIZED = _has_sanitizers()
PATIENCE = float(os.environ.get("CALLREEL_PATIENCE", "4" if SANITIZED else "1.5"))
BAD_IN_LOG = re.compile(rb"(ERROR: \w+Sanitizer.*|runtime error:.*|WARNING: ThreadSanitizer.*|[Aa]ssertion .* failed.*)")


def eventually(look, within=10.0, what=None, every=0.01):
    """Calls look() until it returns something true, and returns that."""
    deadline = time.monotonic() + within * PATIENCE
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {(what() if callable(what) else what) or look}; last: {value!r}")
        time.sleep(every)


def free_environment():
    """The environment of every program of the build: nothing of ours but this. Its syncs return at once (tests/preload/no_sync.c)."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
    chosen = {name: os.environ[name] for name in kept if name in os.environ}
    if NO_SYNC.exists():
        chosen["LD_PRELOAD"] = str(NO_SYNC)
        if SANITIZED:
            chosen["ASAN_OPTIONS"] = ":".join(filter(None, (chosen.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
    return chosen


class Clock:
    """Moves the time of all processes of a world. Needs a build with test hooks."""

    def __init__(self, path):
        self.path = path
        self.ms = 0
        path.write_bytes(struct.pack("=q", 0))

    def advance(self, seconds):
        self.ms += int(seconds * 1000)
        with open(self.path, "r+b", buffering=0) as f:
            f.write(struct.pack("=q", self.ms))

    def now_ms(self):
        return time.time() * 1000 + self.ms


class Process:
    """A child whose output goes to a file."""

    def __init__(self, argv, log_path, env):
        self.log_path = Path(log_path)
        self.env = env
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=env, start_new_session=True)
        self.pid = self.child.pid
        self.frozen = False

    def log(self):
        return self.log_path.read_bytes().decode("utf-8", "replace")

    def log_lines(self, phrase=""):
        return [line for line in self.log().splitlines() if phrase in line]

    def wait_lines(self, phrase, count=1, within=10):
        """Waits until that many lines have the phrase, and returns them: a line is written after the event, which others may see before."""
        def look():
            lines = self.log_lines(phrase)
            return lines if len(lines) >= count else None
        return eventually(look, within, f"{count} lines with {phrase!r} in {self.log_path.name}")

    def alive(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)
            self.frozen = number == signal.SIGSTOP or (self.frozen and number != signal.SIGCONT)

    def kill(self):
        """Kills it with SIGKILL."""
        self.signal(signal.SIGKILL)
        self.child.wait(30)

    def terminate(self):
        self.signal(signal.SIGTERM)

    def wait(self, within=30):
        return self.child.wait(within * PATIENCE)

    def stop(self, within=15):
        """Stops it with SIGTERM and asserts exit code 0."""
        self.terminate()
        code = self.wait(within)
        assert code == 0, f"exit code {code} after SIGTERM\n{self.log()[-3000:]}"

    def listening_port(self, pattern, within=20):
        def look():
            found = re.search(pattern, self.log())
            assert found or self.alive(), f"it ended at its start with {self.child.returncode}:\n{self.log()[-3000:]}"
            return found
        return int(eventually(look, within, f"listening; log: {self.log()[-2000:]}").group(1))


class Server(Process):
    def __init__(self, world, name, role, env):
        log_path = world.directory / f"{name}.log"
        before = log_path.stat().st_size if log_path.exists() else 0
        super().__init__([CALLREEL, "serve", "--role", role], log_path, env)
        self.world, self.name, self.role, self.started_at = world, name, role, before
        self.port = None

    def log(self):
        return self.log_path.read_bytes()[self.started_at:].decode("utf-8", "replace")

    def freeze(self):
        """Stops it with SIGSTOP while it holds no lock of the database. A process that stands still within a transaction on SQLite keeps
        every other from writing until it goes on."""
        def try_it():
            self.signal(signal.SIGSTOP)
            eventually(lambda: Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", what="stopped")
            if self.world.may_write():
                return True
            self.signal(signal.SIGCONT)
            return False
        eventually(try_it, what=f"{self.name} stands still outside of a transaction")

    def wait_port(self):
        self.port = self.listening_port(r'msg="?Listening"?.* address="?127\.0\.0\.1:(\d+)')
        return self

    def wait_listening(self):
        self.wait_port()
        eventually(lambda: self.get("/readyz").status == 200, 20, f"{self.name} is ready")
        return self

    def call(self, method, target, headers=(), body=None, key=None, timeout=30):
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        if key:
            headers.append(("Authorization", f"Bearer {key}"))
        return wire.call(self.port, method, target, headers, body, timeout * PATIENCE)

    def get(self, target, key=None, headers=(), timeout=30):
        return self.call("GET", target, headers, None, key, timeout)

    def post(self, target, key=None, headers=(), body=b"", timeout=30):
        return self.call("POST", target, headers, body, key, timeout)

    def connect(self, **options):
        return wire.Connection(self.port, **options)

    def figures(self):
        """All metrics of ADMIN_LISTEN: {name with labels: value}."""
        port = int(re.search(r"admin=127\.0\.0\.1:(\d+)", self.log()).group(1))
        answer = wire.call(port, "GET", "/metrics")
        assert answer.status == 200 and answer.header("content-type").startswith("text/plain; version=0.0.4"), answer
        lines = [line for line in answer.body.decode().splitlines() if line and not line.startswith("#")]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    def metric(self, name, key, **labels):
        """A metric's value; 0 if it is missing."""
        text = self.get("/metrics", key).body.decode()
        wanted = ",".join(f'{k}="{v}"' for k, v in labels.items())
        for line in text.splitlines():
            if line.startswith(f"{name}{{{wanted}}} " if wanted else f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


class Simulator(Process):
    def __init__(self, world, name, account_sid, token, webhooks=None):
        argv = [SIMULATOR, "--listen", "127.0.0.1:0", "--account", account_sid, "--token", token]
        if webhooks:
            argv += ["--webhooks", webhooks]
        super().__init__(argv, world.directory / f"{name}.log", world.environment())
        self.account_sid, self.token = account_sid, token
        self.port = self.listening_port(r"127\.0\.0\.1:(\d+)")
        self.base_url = f"http://127.0.0.1:{self.port}"

    def make_call(self, **wishes):
        answer = wire.call(self.port, "POST", "/sim/calls", {"Content-Type": "application/json"},
                           json.dumps(wishes).encode())
        assert answer.status == 201, answer
        return answer.json()

    def counts(self, recording_sid):
        answer = wire.call(self.port, "GET", f"/sim/recordings/{recording_sid}")
        assert answer.status == 200, answer
        return answer.json()

    def deletions(self, recording_sid):
        return wire.call(self.port, "GET", f"/sim/recordings/{recording_sid}/deletions").json()

    def set_faults(self, *faults, recording_sid=None):
        """Global faults, or those of one recording."""
        body = {"faults": list(faults), **({"recording_sid": recording_sid} if recording_sid else {})}
        answer = wire.call(self.port, "PUT", "/sim/faults", {"Content-Type": "application/json"}, json.dumps(body).encode())
        assert answer.status == 204, answer

    def media(self, recording_sid, extension=".mp3", method="GET"):
        import base64
        basic = base64.b64encode(f"{self.account_sid}:{self.token}".encode()).decode()
        path = f"/2010-04-01/Accounts/{self.account_sid}/Recordings/{recording_sid}{extension}"
        return wire.call(self.port, method, path, {"Authorization": f"Basic {basic}"})


class Business:
    def __init__(self, world, business_id, account_sid, token):
        self.world, self.id, self.account_sid, self.token = world, business_id, account_sid, token
        self.keys = {}

    def key(self, role="viewer"):
        if role not in self.keys:
            self.keys[role] = self.world.make_key("--business", self.id, "--role", role)
        return self.keys[role]

    @property
    def viewer(self):
        return self.key("viewer")

    def is_known_to(self, server):
        headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Twilio-Signature", "none")]
        return server.call("POST", f"/webhooks/twilio/{self.id}/call", headers, b"a=b").status == 403

    def signed(self, port, kind, fields, token=None):
        """Target, headers and body of a webhook."""
        target = f"/webhooks/twilio/{self.id}/{kind}"
        mark = signature(token or self.token, f"http://127.0.0.1:{port}{target}", fields)
        self.world.signatures.add(mark)
        return target, [("Content-Type", "application/x-www-form-urlencoded"), ("X-Twilio-Signature", mark)], form(fields)

    def webhook(self, server, kind, fields, token=None):
        target, headers, body = self.signed(server.port, kind, fields, token)
        return server.call("POST", target, headers, body)

    def call_fields(self, call_sid, status="completed", **more):
        return {"AccountSid": self.account_sid, "CallSid": call_sid, "CallStatus": status, "Direction": "inbound",
                "From": "+15005550100", "To": "+15005550199", "ApiVersion": "2010-04-01", **more}

    def recording_fields(self, tape, status="completed", **more):
        fields = {"AccountSid": self.account_sid, "CallSid": tape.call_sid, "RecordingSid": tape.sid,
                  "RecordingUrl": tape.url, "RecordingStatus": status,
                  "RecordingDuration": str(max(1, round(tape.seconds))), "RecordingChannels": str(tape.channels),
                  "RecordingSource": "DialVerb", **more}
        return {name: value for name, value in fields.items() if value is not None}

    def tell(self, server, tape, status="completed", **more):
        """Sends the recording webhook of a tape and asserts that it is accepted."""
        answer = self.webhook(server, "recording", self.recording_fields(tape, status, **more))
        assert answer.status == 204, answer

    def webhook_add_call(self, server, call_sid, status="completed", **more):
        answer = self.webhook(server, "call", self.call_fields(call_sid, status, **more))
        assert answer.status == 204, answer


class World:
    """One data directory and all processes on it. At its end everything is stopped and every log is checked."""

    template = None  # a data directory with a migrated database

    def __init__(self, directory, schema=None):
        """schema: one of a server of its own; None: of CALLREEL_TEST_POSTGRES, if that is set."""
        self.directory = Path(directory)
        self.data_dir = self.directory / "data"
        self.clock = Clock(self.directory / "clock")
        self.settings = {}
        self.processes, self.providers, self.engines = [], [], []
        self.secrets, self.signatures = set(), set()
        self.private = {"+15005550100", "+15005550199"}
        self.businesses = []
        self._platform_key = None
        self.schema = schema or (postgres.Schema() if postgres.SERVER else None)
        if self.schema:
            self.settings.update(self.schema.settings)
            self.done("migrate", env={"DATA_DIR": str(self.directory / "migrate")})

    # ---- processes ----

    def environment(self, **settings):
        chosen = {"DATA_DIR": self.data_dir, "LISTEN": "127.0.0.1:0", "MIN_FREE_BYTES": "0", "RECONCILE_EVERY": "0",
                  "CALLREEL_TEST_CLOCK": self.clock.path, "CALLREEL_TEST_ASK_AGAIN_MS": "1", **self.settings, **settings}
        return {**free_environment(), **{name: str(value) for name, value in chosen.items() if value is not None}}

    def launch(self, name="server", role="all", **settings):
        """Starts a server, without waiting until it listens."""
        server = Server(self, name, role, self.environment(**settings))
        self.processes.append(server)
        return server

    def make_ledger(self):
        """Copies a migrated database, if there is none and nothing else in its place: all migrations take longer than most
        stories. A story that starts without it (launch, run, done) makes its own."""
        chosen = self.environment()
        if self.schema or self.data_dir.exists() or chosen["DATA_DIR"] != str(self.data_dir) or "DATABASE_URL" in chosen:
            return
        template = World.template
        if not template:
            template = World.template = tempfile.TemporaryDirectory(prefix="callreel-story-")
            self.done("migrate", env={"DATA_DIR": template.name})
        shutil.copytree(template.name, self.data_dir)

    def server(self, name="server", role="all", **settings):
        if not settings.keys() & {"DATA_DIR", "DATABASE_URL"}:
            self.make_ledger()
        return self.launch(name, role, **settings).wait_listening()

    def again(self, server, **settings):
        """Starts the server again after its end, on the same port."""
        assert not server.alive()
        return self.server(server.name, server.role, **{"LISTEN": f"127.0.0.1:{server.port}", **settings})

    def simulator(self, name="simulator", webhooks=None):
        token = random.randbytes(16).hex()
        self.secrets.add(token)
        simulator = Simulator(self, name, sid("AC"), token, webhooks)
        self.processes.append(simulator)
        return simulator

    def provider(self, **options):
        provider = provider_module.Provider(**options)
        self.secrets.add(provider.token)
        self.providers.append(provider)
        return provider

    def speech_engine(self, **options):
        """A scripted engine: SPEECH_ENGINE=openai with SPEECH_URL=engine.url, or **engine.google_settings(world.directory)."""
        engine = speech_engine_module.SpeechEngine(**options)
        self.engines.append(engine)
        return engine

    # ---- commands ----

    def run(self, *argv, env=None, within=60):
        done = subprocess.run([str(CALLREEL), *(str(a) for a in argv)], stdin=subprocess.DEVNULL, capture_output=True,
                              env={**self.environment(), **(env or {})}, timeout=within * PATIENCE, text=True)
        assert not BAD_IN_LOG.search(done.stderr.encode()), done.stderr
        for secret in self.secrets:
            assert secret not in done.stdout + done.stderr, f"callreel {argv} told a secret"
        return done

    def done(self, *argv, env=None):
        """Runs a command that must succeed, and returns its output."""
        done = self.run(*argv, env=env)
        assert done.returncode == 0, f"callreel {argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def secret_file(self, text):
        path = self.directory / f"secret-{random.randbytes(4).hex()}"
        path.touch(0o600)
        path.write_text(text)
        return path

    def business(self, at, name="Acme", number=None):
        """Adds a business whose provider is that provider or simulator."""
        self.make_ledger()
        self.secrets.add(at.token)
        argv = ["business", "add", "--json", "--name", name, "--account-sid", at.account_sid, "--auth-token-file",
                self.secret_file(at.token), "--base-url", at.base_url]
        if number:
            argv += ["--number", number]
        made = json.loads(self.done(*argv))
        assert made["name"] == name
        business = Business(self, made["business_id"], at.account_sid, at.token)
        self.businesses.append(business)
        for server in self.answering():
            eventually(lambda: business.is_known_to(server), 2, "a new business is seen")
        return business

    def answering(self):
        return [server for server in self.processes
                if isinstance(server, Server) and server.port and server.alive() and server.role != "worker"]

    def make_key(self, *argv):
        made = json.loads(self.done("key", "create", "--json", *argv))
        assert made["key"].startswith("cr_")
        self.secrets.add(made["key"])
        for server in self.answering():
            assert server.get("/api/calls", made["key"]).status != 401, "a new key lets in at once"
        return made["key"]

    @property
    def platform_key(self):
        if not self._platform_key:
            self._platform_key = self.make_key("--platform")
        return self._platform_key

    # ---- what is on disk ----

    @property
    def database(self):
        """The file of a SQLite database, for stories that change it from outside."""
        if self.schema:
            pytest.skip("changes the file of a SQLite database")
        return self.data_dir / "callreel.db"

    def sql(self, text, *values):
        """Reads rows from the database, as dicts."""
        if self.schema:
            return self.schema.sql(text, *values)
        db = sqlite3.connect(f"file:{self.database}?mode=rw", uri=True, timeout=20)
        try:
            db.row_factory = sqlite3.Row
            db.execute("pragma query_only = 1")
            return [dict(row) for row in db.execute(text, values)]
        finally:
            db.close()

    def may_write(self):
        """Whether nobody keeps the lock of the writers for a second. On PostgreSQL there is none."""
        if self.schema:
            return True
        db = sqlite3.connect(f"file:{self.database}?mode=rw", uri=True, timeout=1)
        try:
            db.execute("begin immediate")
            db.execute("rollback")
            return True
        except sqlite3.OperationalError:
            return False
        finally:
            db.close()

    def row(self, recording_sid, business_id=1):
        rows = self.sql("select * from recordings where business_id = ? and recording_sid = ?", business_id, recording_sid)
        return rows[0] if rows else None

    def state(self, recording_sid, business_id=1):
        row = self.row(recording_sid, business_id)
        return row["status"] if row else None

    def wait_state(self, recording_sid, state="ready", within=15, business_id=1):
        def look():
            row = self.row(recording_sid, business_id)
            return row if row and row["status"] == state else None
        try:
            return eventually(look, within, f"{recording_sid} {state}")
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.row(recording_sid, business_id)}") from None

    def recordings(self):
        return Path(self.settings.get("RECORDINGS_DIR", self.data_dir / "recordings"))

    def file_of(self, recording_sid, business_id=1):
        return self.recordings() / self.row(recording_sid, business_id)["name"]

    def parts(self):
        """The files of parts, also at the place of an earlier release."""
        return [*self.recordings().glob(".parts/*"), *self.recordings().rglob("*.part")]

    # ---- time ----

    def live_workers(self):
        pids = [p.pid for p in self.processes if isinstance(p, Server) and p.alive() and not p.frozen and p.role != "web"]
        return [row for row in self.sql("select * from nodes where works = 1") if row["pid"] in pids]

    def pass_time(self, seconds):
        """Moves the clock, then waits until the live workers have reported at the new time."""
        self.clock.advance(seconds)
        deadline = time.monotonic() + 3 * PATIENCE
        while time.monotonic() < deadline:
            fresh = self.clock.now_ms() - 20_000
            if all(row["seen_at"] >= fresh for row in self.live_workers()):
                return
            time.sleep(0.01)

    def pass_time_until(self, look, step=5, within=3600, pause=0.08):
        """Moves the clock forward in steps (seconds) until look() is true. When `within` seconds were moved, the clock stands while a
        slow machine does what has become due."""
        passed = 0
        while True:
            deadline = time.monotonic() + pause * (PATIENCE if SANITIZED else 1)
            while True:
                value = look()
                if value:
                    return value
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)
            if passed >= within:
                return eventually(look, what=f"true within {within} s of moved time")
            self.pass_time(step)
            passed += step

    def pass_time_to_attempt(self, recording_sid):
        """Moves the clock to a recording's next attempt, waits for its end, and returns the row. However slow the machine is, no
        more time passes than that."""
        def attempts(row):
            return row["asks_404"], row["fail_count"]
        before = self.row(recording_sid)
        due = before["next_ask_at"] if before["status"] == "queued" else before["next_retry_at"]
        self.pass_time(max(due - self.clock.now_ms(), 0) / 1000 + 0.05)

        def look():
            row = self.row(recording_sid)
            return row if attempts(row) != attempts(before) and not row["lease_until"] else None
        return eventually(look, 20, f"an attempt of {recording_sid}")

    # ---- the end ----

    def close(self):
        for outside in [*self.providers, *self.engines]:
            outside.stop()
        for process in self.processes:
            if process.alive():
                process.signal(signal.SIGCONT)
                process.signal(signal.SIGTERM)
        slow = []
        for process in self.processes:
            try:
                process.child.wait(12 * PATIENCE)
            except subprocess.TimeoutExpired:
                slow.append(process.log_path.name)
                process.kill()
        if self.schema:
            self.schema.drop()
        self.read_logs()
        assert not slow, f"did not end within 12 s of SIGTERM: {slow}"

    def read_logs(self):
        """Asserts that the log has no sanitizer finding, no secret, nothing that was said, and at info no person's number."""
        for engine in self.engines:
            self.secrets.update(engine.tokens, [engine.key] if engine.key else [], (text for text in engine.says.values() if len(text) > 8))
        for path in {process.log_path for process in self.processes}:
            text = path.read_bytes()
            found = BAD_IN_LOG.search(text)
            assert not found, f"{path}: {found.group(0)!r}\n{text[found.start():found.start() + 4000].decode('utf-8', 'replace')}"
            for secret in self.secrets:
                assert secret.encode() not in text, f"{path} holds the secret {secret[:6]}…"
            for token in re.findall(rb"[A-Za-z0-9+/]{27,}=", text):
                assert token[-28:].decode() not in self.signatures, f"{path} holds a webhook's signature"
            for line in text.splitlines():
                if b"level=debug" not in line:
                    for word in self.private:
                        assert word.encode() not in line, f"{path} tells of a person: {line!r}"
