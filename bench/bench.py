"""A real server with recordings of the simulator, beside nginx with the same files: who answers how much, at which cost.

Servers take turns within each round, so that what else the machine does hits all alike; medians of the rounds."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-release"
CONNECTIONS = 64
KIB = 1024
RANGES = [("bytes=0-1", 2), ("16 KiB", 16 * KIB), ("64 KiB", 64 * KIB), ("256 KiB", 256 * KIB), ("1 MiB", KIB * KIB)]
WEBHOOKS = [(1, 600), (8, 3000), (64, 8000)]
NGINX = {"nginx": "tcp_nopush off; tcp_nodelay on;", "nginx, tcp_nopush": "tcp_nopush on; tcp_nodelay on;"}


class Failed(Exception):
    pass


def eventually(look, what, within=60):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        value = look()
        if value:
            return value
        time.sleep(0.05)
    raise Failed(f"not within {within} s: {what}")


def get(url, key=None, method="GET", body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = CORES[:max(1, len(CORES) // 2)]
CLIENT_CORES = CORES[len(SERVER_CORES):] or CORES


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


def port_in(log, pattern):
    def look():
        found = re.search(pattern, log.read_text(errors="replace"))
        return found and int(found[1])
    return eventually(look, f"a port in {log.name}")


def children(pid):
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def nginx_configuration(directory, root, port, options):
    return f"""daemon off; worker_processes {len(SERVER_CORES)}; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; sendfile on; {options} keepalive_requests 1000000000; types {{ }} default_type audio/mpeg;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def nginx(directory, root, options):
    directory.mkdir()
    port = free_port()
    (directory / "nginx.conf").write_text(nginx_configuration(directory, root, port, options))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with process([program, "-e", directory / "error.log", "-p", directory, "-c", directory / "nginx.conf"],
                 directory / "log") as child:
        eventually(lambda: children(child.pid), "nginx has workers")
        yield port, children(child.pid)


class Target:
    """One server's address, its processes, and what it is asked."""

    def __init__(self, name, port, pids, paths, key=None):
        self.name, self.port, self.pids, self.paths, self.key = name, port, pids, paths, key

    def load(self, what, seconds, length=None):
        argv = [BUILD / "bench/bench_load"]
        for pid in self.pids:
            argv += ["-p", pid]
        if self.key:
            argv += ["-H", f"Authorization: Bearer {self.key}"]
        if length:
            argv += ["-H", f"Range: bytes=0-{length - 1}"]
        argv += ["127.0.0.1", self.port, self.paths[what], CONNECTIONS, seconds]
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise Failed(f"{self.name} {what}: {done.stdout} {done.stderr}")
        result = json.loads(done.stdout)
        wanted = (206, length) if length else (200, result["length"])
        if (result["status"], result["length"]) != wanted:
            raise Failed(f"{self.name} {what}: {result}")
        return result


def median(results, name):
    return statistics.median(result[name] for result in results)


def serving(targets, rounds, seconds):
    """{what: {server: (answers a second, microseconds of CPU an answer)}}"""
    table = {}
    for what, length in [("status", None), *RANGES]:
        results = {target.name: [] for target in targets}
        for _ in range(rounds):
            for target in targets:
                results[target.name].append(target.load("status" if what == "status" else "audio", seconds, length))
        table[what] = {name: (median(r, "per_second"), median(r, "server_cpu_us")) for name, r in results.items()}
    return table


def webhooks(port, business, account, token, rounds, share):
    rows = []
    for connections, count in WEBHOOKS:
        results = []
        for _ in range(rounds):
            argv = [BUILD / "bench/bench_webhooks", "127.0.0.1", port, business, account, token,
                    max(connections, int(count * share)), connections]
            done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120)
            if done.returncode:
                raise Failed(f"webhooks: {done.stdout} {done.stderr}")
            results.append(json.loads(done.stdout))
        rows.append((connections, median(results, "a_second"), median(results, "p50_ms"), median(results, "p99_ms")))
    return rows


# ---- what is built up ----

class Stage:
    """A server, a simulator, one recording of over a mebibyte that is ready."""

    def __init__(self, stack, directory):
        self.directory = directory
        account = "AC" + os.urandom(16).hex()
        self.account, self.token = account, os.urandom(16).hex()
        env = {"PATH": os.environ["PATH"], "DATA_DIR": str(directory / "data"), "LISTEN": "127.0.0.1:0"}
        self.env = env
        self.simulator = self.start(stack, "simulator", [BUILD / "callreel-sim", "--listen", "127.0.0.1:0", "--account",
                                                         account, "--token", self.token], r"127\.0\.0\.1:(\d+)")[0]
        self.port, self.pid = self.start(stack, "server", [BUILD / "callreel", "serve"],
                                         r"address=127\.0\.0\.1:(\d+)")
        secret = directory / "token"
        secret.touch(0o600)
        secret.write_text(self.token)
        made = self.command("business", "add", "--json", "--name", "Bench", "--account-sid", account, "--auth-token-file",
                            secret, "--base-url", f"http://127.0.0.1:{self.simulator}")
        self.business = json.loads(made)["business_id"]
        self.key = json.loads(self.command("key", "create", "--json", "--business", self.business, "--role",
                                           "viewer"))["key"]
        self.recording = self.make_recording()

    def start(self, stack, name, argv, pattern):
        log = self.directory / f"{name}.log"
        child = stack.enter_context(process(argv, log, self.env))
        return port_in(log, pattern), child.pid

    def command(self, *argv):
        done = subprocess.run([str(BUILD / "callreel"), *(str(a) for a in argv)], env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"callreel {argv[0]}: {done.stderr}")
        return done.stdout

    def make_recording(self):
        """The simulator was started before the business was made: it knows no address for webhooks."""
        url = f"http://127.0.0.1:{self.port}"
        wishes = {"seconds": 600}
        made = json.loads(get(f"http://127.0.0.1:{self.simulator}/sim/calls", method="POST", body=json.dumps(wishes).encode(),
                              headers={"Content-Type": "application/json"}))
        sid = made["recording_sid"]
        self.tell(sid, made)
        eventually(lambda: json.loads(get(f"{url}/api/recordings/{sid}/status", self.key))["status"] == "ready",
                   "the recording is ready")
        return sid

    def tell(self, sid, made):
        target = f"http://127.0.0.1:{self.port}/webhooks/twilio/{self.business}/recording"
        fields = {"AccountSid": self.account, "CallSid": made["call_sid"], "RecordingSid": sid,
                  "RecordingStatus": "completed", "RecordingUrl": made["recording_url"], "RecordingDuration": "600"}
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

    def file(self):
        [path] = (self.directory / "data/recordings").rglob(f"*{self.recording}.*")
        return path


# ---- the page ----

def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1]) / KIB / KIB
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    return (f"{os.cpu_count()} cores of {model[1].strip() if model else 'an unknown processor'}, {memory:.0f} GiB, "
            f"{system[1] if system else 'Linux'}, kernel {os.uname().release.split('-')[0]}")


def page(table, rows, load_before):
    best = {what: max((row[name] for name in NGINX if name in row), default=None) for what, row in table.items()}
    lines = ["# Benchmarks", "",
             "`script/bench` measures a release build and writes this page: `callreel serve` with a recording that the",
             "simulator made, asked with a bearer token, beside nginx that serves the same file without asking who it is, with",
             f"a worker process a core. {CONNECTIONS} connections, kept alive, one request in hand on each. Servers run on",
             f"{len(SERVER_CORES)} of the cores, the load on the others. Servers take turns within a round; medians of the rounds; of nginx",
             "the better of `tcp_nopush` on and off. CPU is the server's own, user and system, an answer.", "",
             f"Measured on {time.strftime('%Y-%m-%d')} with version {version()}: {machine()}; load {load_before:.1f} before.",
             "The machine was not ours alone: **the ratios count, not the figures.**", "",
             "## Serving", "",
             "| answer | callreel /s | nginx /s | ratio | callreel CPU µs | nginx CPU µs | ratio |", "|---|--:|--:|--:|--:|--:|--:|"]
    for what, row in table.items():
        (ours, cpu), theirs = row["callreel"], best[what]
        lines.append(f"| {what} | {ours:,.0f} | {theirs[0]:,.0f} | {ours / theirs[0]:.2f} | {cpu:.1f} | {theirs[1]:.1f} |"
                     f" {cpu / theirs[1]:.2f} |")
    lines += ["", "`status` is a recording's status object; nginx serves a file of the same bytes for it.", "",
              "## Webhooks", "", "Signed, each of a recording of its own, and on disk (fsync) before its 204; writes of all",
              "connections share commits.", "",
              "| connections | webhooks /s | p50 ms | p99 ms |", "|--:|--:|--:|--:|"]
    lines += [f"| {n} | {rate:,.0f} | {p50:.2f} | {p99:.2f} |" for n, rate, p50, p99 in rows]
    return "\n".join(lines) + "\n"


def version():
    return subprocess.run([BUILD / "callreel", "version"], capture_output=True, text=True).stdout.split()[-1]


def run(quick):
    rounds, seconds, share = (1, 0.2, 0.05) if quick else (7, 0.6, 1)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="callreel-bench-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        stage = Stage(stack, directory)
        root = directory / "www"
        root.mkdir()
        os.link(stage.file(), root / "audio")
        url = f"/api/recordings/{stage.recording}"
        (root / "status").write_bytes(get(f"http://127.0.0.1:{stage.port}{url}/status", stage.key))
        for path in (directory, root):
            path.chmod(0o755)
        (root / "audio").chmod(0o644)
        targets = [Target("callreel", stage.port, [stage.pid], {"status": f"{url}/status", "audio": f"{url}/stream"}, stage.key)]
        for i, (title, options) in enumerate(NGINX.items()):
            port, pids = stack.enter_context(nginx(directory / f"nginx-{i}", root, options))
            targets.append(Target(title, port, pids, {"status": "/status", "audio": "/audio"}))
        table = serving(targets, rounds, seconds)
        rows = webhooks(stage.port, stage.business, stage.account, stage.token, rounds, share)
    return page(table, rows, load_before)


def main():
    os.sched_setaffinity(0, CLIENT_CORES)
    quick = sys.argv[1:] == ["--quick"]
    if sys.argv[1:] and not quick:
        print("usage: script/bench [--quick]", file=sys.stderr)
        return 2
    try:
        text = run(quick)
    except Failed as why:
        print(f"script/bench: {why}", file=sys.stderr)
        return 1
    print(text[text.index("## Serving"):], end="")
    if not quick:
        (ROOT / "docs/benchmarks.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
