"""Helpers for all benches: programs on their own cores, a callreel with its simulator, and load on a server."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-release"
CONNECTIONS = 64
KIB = 1024
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = CORES[:max(1, len(CORES) // 2)]
CLIENT_CORES = CORES[len(SERVER_CORES):] or CORES


class Failed(Exception):
    pass


def eventually(look, what, within=60):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        value = look()
        if value:
            return value
        time.sleep(0.02)
    raise Failed(f"not within {within} s: {what}")


def get(url, key=None, method="GET", body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def run(argv, within=120, text=None):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=within, input=text)
    if done.returncode:
        raise Failed(f"{Path(str(argv[0])).name}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return done.stdout


# ---- programs ----

@contextlib.contextmanager
def process(argv, log, env=None):
    """On the servers' cores."""
    with open(log, "wb") as out:
        child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env,
                                 preexec_fn=lambda: os.sched_setaffinity(0, SERVER_CORES))
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def port_in(log, pattern):
    def look():
        found = re.search(pattern, log.read_text(errors="replace"))
        return found and int(found[1])
    return eventually(look, f"a port in {log.name}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children(pid):
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_kib(pids):
    return sum(int(re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) for pid in pids)


# ---- load ----

class Target:
    """One server's address, its processes, and what it is asked."""

    def __init__(self, name, port, pids, paths, key=None):
        self.name, self.port, self.pids, self.paths, self.key = name, port, pids, paths, key

    def load(self, what, seconds, length=None, connections=CONNECTIONS, yielding=False):
        """yielding: to other processes that load the clients' cores."""
        argv = [*(["nice", "-n", "19"] if yielding else []), BUILD / "bench/bench_load"]
        for pid in self.pids:
            argv += ["-p", pid]
        if self.key:
            argv += ["-H", f"Authorization: Bearer {self.key}"]
        if length:
            argv += ["-H", f"Range: bytes=0-{length - 1}"]
        argv += ["127.0.0.1", self.port, self.paths[what], connections, seconds]
        try:
            result = json.loads(run(argv))
        except Failed as why:
            raise Failed(f"{self.name} {what}: {why}") from why
        wanted = (206, length) if length else (200, result["length"])
        if (result["status"], result["length"]) != wanted:
            raise Failed(f"{self.name} {what}: {result}")
        return result


class Listener:
    """A line of a plan for bench_listen."""

    def __init__(self, at_ms, port, target, *headers):
        self.line = "\t".join([f"{at_ms:.3f}", str(port), target, *headers])


def listen(plan, hashes=True):
    """The result of each listener, in the plan's order."""
    out = run([BUILD / "bench/bench_listen", *([] if hashes else ["-n"])], within=240, text="".join(each.line + "\n" for each in plan))
    return [json.loads(line) for line in out.splitlines()]


def percentile(values, share):
    """The smallest of them that is not less than that share of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


# ---- callreel and its simulator ----

class Stage:
    """A simulator and a server, with a business and a viewer's key; more servers on the same data directory by serve."""

    def __init__(self, stack, directory, settings=None):
        self.stack, self.directory = stack, directory
        self.account, self.token = "AC" + os.urandom(16).hex(), os.urandom(16).hex()
        self.env = {"PATH": os.environ["PATH"], "DATA_DIR": str(directory / "data"), "LISTEN": "127.0.0.1:0",
                    **(settings or {})}
        self.servers = 0
        self.simulator, self.simulator_pid = self.start(
            "simulator", [BUILD / "callreel-sim", "--listen", "127.0.0.1:0", "--account", self.account, "--token", self.token],
            r"127\.0\.0\.1:(\d+)")
        self.port, self.pid = self.serve()
        self.make_business()

    def start(self, name, argv, pattern):
        log = self.directory / f"{name}.log"
        child = self.stack.enter_context(process(argv, log, self.env))
        return port_in(log, pattern), child.pid

    def serve(self):
        """One more server. Its port and process."""
        self.servers += 1
        return self.start(f"server-{self.servers}", [BUILD / "callreel", "serve"], r"address=127\.0\.0\.1:(\d+)")

    def command(self, *argv):
        done = subprocess.run([str(BUILD / "callreel"), *(str(a) for a in argv)], env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"callreel {argv[0]}: {done.stderr}")
        return done.stdout

    def make_business(self):
        secret = self.directory / "token"
        secret.touch(0o600)
        secret.write_text(self.token)
        made = self.command("business", "add", "--json", "--name", "Bench", "--account-sid", self.account,
                            "--auth-token-file", secret, "--base-url", f"http://127.0.0.1:{self.simulator}")
        self.business = json.loads(made)["business_id"]
        self.key = json.loads(self.command("key", "create", "--json", "--business", self.business, "--role",
                                           "viewer"))["key"]

    def order(self, method, path, wishes):
        return json.loads(get(f"http://127.0.0.1:{self.simulator}{path}", method=method, body=json.dumps(wishes).encode(),
                              headers={"Content-Type": "application/json"}) or b"null")

    def seen(self, sid):
        """The simulator's counts of a recording."""
        return json.loads(get(f"http://127.0.0.1:{self.simulator}/sim/recordings/{sid}"))

    def make_recording(self, seconds, faults=(), status="completed"):
        """Told of by a webhook: a completed one is fetched at once, one in progress when somebody wants it."""
        made = self.order("POST", "/sim/calls", {"seconds": seconds, "faults": list(faults)})
        self.tell(made, seconds, status)
        return made

    def wait_ready(self, sid):
        url = f"http://127.0.0.1:{self.port}/api/recordings/{sid}/status"
        eventually(lambda: json.loads(get(url, self.key))["status"] == "ready", "the recording is ready")

    def tell(self, made, seconds, status):
        """The simulator was started before the business was made: it knows no address for webhooks."""
        target = f"http://127.0.0.1:{self.port}/webhooks/twilio/{self.business}/recording"
        fields = {"AccountSid": self.account, "CallSid": made["call_sid"], "RecordingSid": made["recording_sid"],
                  "RecordingStatus": status, "RecordingUrl": made["recording_url"], "RecordingDuration": str(seconds)}
        text = target + "".join(name + fields[name] for name in sorted(fields))
        signature = base64.b64encode(hmac.new(self.token.encode(), text.encode(), hashlib.sha1).digest()).decode()

        def told():
            try:
                get(target, method="POST", body=urllib.parse.urlencode(fields).encode(),
                    headers={"X-Twilio-Signature": signature})
                return True
            except urllib.error.HTTPError:
                return False
        eventually(told, "the webhook is taken", 10)

    def file(self, sid):
        [path] = (self.directory / "data/recordings").rglob(f"*{sid}.*")
        return path

    def stream(self, sid):
        return f"/api/recordings/{sid}/stream"

    def bearer(self):
        return f"Authorization: Bearer {self.key}"

    def provider_bearer(self):
        return "Authorization: Basic " + base64.b64encode(f"{self.account}:{self.token}".encode()).decode()

    def provider_path(self, sid):
        return f"/2010-04-01/Accounts/{self.account}/Recordings/{sid}.mp3"
