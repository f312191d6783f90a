"""The image and the production compose file in a real engine, and the Debian package in a fresh root. Prints TAP.

Needs root, the packages of the section `engine`, and Debian's mirror; skipped with the reason where no engine can start. Images of
PostgreSQL and nginx are made of Debian's packages, so that no registry is needed."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/story"))
from signing import form, signature  # noqa: E402

WORK = Path(tempfile.mkdtemp(prefix="callreel-engine-", dir=os.environ.get("CALLREEL_ENGINE_DIR")))
SOCKET = f"unix://{WORK}/docker.sock"
ENV = {**os.environ, "DOCKER_HOST": SOCKET, "DOCKER_BUILDKIT": "0", "COMPOSE_PROJECT_NAME": "callreel"}
ACCOUNT, TOKEN = "AC" + "a" * 32, "5" * 32
IMAGE_BYTES_MAX = 100 * 1000 * 1000
TESTS = []

POSTGRES = """FROM debian:bookworm-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql-15 >/dev/null
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
RUN printf '#!/bin/sh\\nset -e\\nD=/var/lib/postgresql/data\\nmkdir -p $D; chown postgres $D\\n\\
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }\\n\\
if [ ! -f $D/PG_VERSION ]; then echo "$POSTGRES_PASSWORD" >/tmp/p; chown postgres /tmp/p\\n\\
as initdb -D $D -U "$POSTGRES_USER" --pwfile=/tmp/p -A scram-sha-256 -E UTF8 --locale=C.UTF-8 >/dev/null; rm /tmp/p\\n\\
echo "host all all all scram-sha-256" >>$D/pg_hba.conf\\n\\
echo "local all all trust" >$D/pg_hba.conf.new; cat $D/pg_hba.conf >>$D/pg_hba.conf.new; mv $D/pg_hba.conf.new $D/pg_hba.conf\\n\\
as pg_ctl -D $D -w -o "-c listen_addresses=" start >/dev/null; as createdb -U "$POSTGRES_USER" "$POSTGRES_DB"; as pg_ctl -D $D -w stop >/dev/null; fi\\n\\
exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -D $D -c "listen_addresses=*" -c unix_socket_directories=/var/run/postgresql\\n' >/start \\
 && chmod +x /start && mkdir -p /var/run/postgresql && chown postgres /var/run/postgresql
STOPSIGNAL SIGINT
CMD ["/start"]
"""
NGINX = """FROM debian:bookworm-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light >/dev/null && rm -f /etc/nginx/sites-enabled/*
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off; error_log /dev/stderr;"]
"""


class Skip(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def run(*command, cwd=ROOT, env=ENV, within=1200, check=True):
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=within)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def eventually(look, within=60, what="it"):
    deadline = time.monotonic() + within
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.2)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


# ---- the engine ----

ENGINE = {}


def start_engine():
    if os.geteuid() != 0:
        raise Skip("needs root to start an engine")
    for program in ("dockerd", "docker-compose", "debootstrap", "openssl"):
        if not shutil.which(program, path=ENV["PATH"] + ":/usr/sbin:/sbin"):
            raise Skip(f"{program} is not installed: script/install-packages engine")
    log = open(WORK / "engine.log", "wb")
    ENGINE["process"] = subprocess.Popen(
        ["/usr/sbin/dockerd", "--data-root", f"{WORK}/data", "--exec-root", f"{WORK}/exec", "-H", SOCKET, "--pidfile", f"{WORK}/docker.pid",
         "--bip", "10.199.0.1/24", "--default-ulimit", "nofile=4096:4096"], stdout=log, stderr=log, start_new_session=True)
    for _ in range(150):
        if subprocess.run(["docker", "info"], env=ENV, capture_output=True).returncode == 0:
            return
        if ENGINE["process"].poll() is not None:
            break
        time.sleep(0.2)
    raise Skip("no engine starts here: " + (WORK / "engine.log").read_text().strip().splitlines()[-1][-300:])


def stop_engine():
    process = ENGINE.get("process")
    if process and process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    subprocess.run(["umount", f"{WORK}/exec/netns/default"], capture_output=True)
    if process:
        subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True)


def mirror():
    for file in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]:
        for line in file.read_text().splitlines() if file.is_file() else []:
            words = line.split()
            if words[:1] == ["URIs:"] or words[:1] == ["deb"]:
                return next(w for w in words if w.startswith("http"))
    raise Skip("no Debian mirror is known")


def base():
    """The directory of a fresh Debian root."""
    given = os.environ.get("CALLREEL_ENGINE_BASE")
    if given:
        return Path(given)
    directory = WORK / "base"
    if not directory.exists():
        run("debootstrap", "--variant=minbase", "bookworm", directory, mirror(), within=1800)
    return directory


def import_base():
    with subprocess.Popen(["tar", "-C", base(), "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["docker", "import", "-", "debian:bookworm-slim"], stdin=tar.stdout, env=ENV, check=True, capture_output=True)


def build_from(text, name):
    directory = WORK / name
    directory.mkdir()
    (directory / "Dockerfile").write_text(text)
    run("docker", "build", "-t", name, directory)


# ---- the project ----

def context():
    """The clone without what git ignores, but with the page if it was made."""
    directory = WORK / "clone"
    directory.mkdir()
    files = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    if (ROOT / "web/dist/index.html").exists():
        shutil.copytree(ROOT / "web/dist", directory / "web/dist")
    return directory


def compose(*words, file="compose.prod.yml", check=True):
    return run("docker-compose", "-f", file, *words, cwd=WORK / "clone", check=check)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def call(method, path, key=None, body=None, headers=None):
    context_ = ssl.create_default_context(cafile=str(WORK / "clone/deploy/tls/fullchain.pem"))
    request = urllib.request.Request(ENGINE["url"] + path, data=body, method=method, headers=dict(headers or {}))
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=70, context=context_) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as answer:
        return Answer(answer.code, dict(answer.headers), answer.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError) as why:
        return Answer(0, {}, str(why).encode())


def play(sid):
    return call("GET", f"/api/recordings/{sid}/stream", ENGINE["key"], headers={"Range": "bytes=0-"})


def make_call():
    """A call at the simulated provider, and its recording's webhook through nginx."""
    made = json.loads(run("docker", "exec", "sim", "wget", "-q", "-O", "-", "--post-data", '{"seconds":5}', "http://127.0.0.1:8090/sim/calls"))
    fields = {"AccountSid": ACCOUNT, "CallSid": made["call_sid"], "RecordingSid": made["recording_sid"],
              "RecordingUrl": made["recording_url"], "RecordingStatus": "completed", "RecordingDuration": "5"}
    path = "/webhooks/twilio/1/recording"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature(TOKEN, ENGINE["url"] + path, fields)}
    answer = call("POST", path, body=form(fields), headers=headers)
    assert answer.status == 204, (answer.status, answer.body)
    return made


def downloads(sid):
    return json.loads(run("docker", "exec", "sim", "wget", "-q", "-O", "-", f"http://127.0.0.1:8090/sim/recordings/{sid}"))["downloads"]


@test
def the_image_is_built_in_two_stages_and_is_small():
    start_engine()
    import_base()
    clone = context()
    run("docker", "build", "-f", "deploy/Dockerfile", "-t", "callreel", ".", cwd=clone, within=1800)
    facts = json.loads(run("docker", "inspect", "callreel"))[0]
    assert facts["Size"] <= IMAGE_BYTES_MAX, facts["Size"]
    assert facts["Config"]["User"] == "10001:10001" and facts["Config"]["Healthcheck"] and facts["Config"]["StopSignal"] == "SIGTERM"
    print(f"# the image has {facts['Size'] / 1e6:.1f} MB")


@test
def production_comes_up_with_the_three_documented_settings():
    clone = WORK / "clone"
    build_from(POSTGRES, "postgres-of-debian")
    build_from(NGINX, "nginx-of-debian")
    port = free_port()
    ENGINE["url"] = f"https://127.0.0.1:{port}"
    tls = clone / "deploy/tls"
    tls.mkdir(exist_ok=True)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
        "subjectAltName=IP:127.0.0.1", "-keyout", tls / "privkey.pem", "-out", tls / "fullchain.pem")
    key = run("openssl", "rand", "-base64", "32").strip()
    (clone / ".env").write_text(
        f"PUBLIC_BASE_URL={ENGINE['url']}\nPOSTGRES_PASSWORD={os.urandom(12).hex()}\nSECRETS_KEY={key}\n"
        f"TWILIO_ACCOUNT_SID={ACCOUNT}\nTWILIO_AUTH_TOKEN={TOKEN}\nTWILIO_BASE_URL=http://sim:8090\n"
        f"POSTGRES_IMAGE=postgres-of-debian\nNGINX_IMAGE=nginx-of-debian\nHTTPS_PUBLISH=127.0.0.1:{port}\n")
    compose("up", "-d")
    run("docker", "run", "-d", "--name", "sim", "--network", "callreel_default", "--entrypoint", "callreel-sim", "callreel", "--listen",
        "0.0.0.0:8090", "--base-url", "http://sim:8090", "--account", ACCOUNT, "--token", TOKEN)
    eventually(lambda: call("GET", "/readyz").status == 200, 90, "ready through nginx")
    made = json.loads(compose("exec", "-T", "calls", "callreel", "key", "create", "--business", "1", "--role", "admin", "--json"))
    ENGINE["key"] = made["key"]


@test
def a_recording_is_played_through_nginx_and_found_in_every_service():
    made = ENGINE["made"] = make_call()
    answer = eventually(lambda: (a := play(made["recording_sid"])).status in (200, 206) and a, 30, "a play")
    ENGINE["bytes"] = answer.body
    assert len(answer.body) > 1000 and downloads(made["recording_sid"]) == 1
    for service in ("calls", "api", "worker", "worker2"):
        assert made["call_sid"] in compose("exec", "-T", service, "ls", "-R", "/app/server/recordings"), service
    assert "callreel_recordings_data" in run("docker", "volume", "ls")
    eventually(lambda: "downloading from Twilio" in compose("logs", "--no-color"), 10, "the log")


@test
def services_that_are_killed_or_restarted_lose_nothing():
    made = ENGINE["made"]
    compose("kill", "-s", "SIGKILL", "calls", "worker")
    eventually(lambda: play(made["recording_sid"]).body == ENGINE["bytes"], 20, "a play by the other web process")
    second = make_call()
    eventually(lambda: play(second["recording_sid"]).status in (200, 206), 60, "a fill by the other worker")
    compose("up", "-d")
    began = time.monotonic()
    compose("restart", "calls", "api", "worker", "worker2", "postgres")
    print(f"# five services restarted in {time.monotonic() - began:.1f} s")
    eventually(lambda: play(made["recording_sid"]).body == ENGINE["bytes"], 120, "a play after the restart")
    assert downloads(made["recording_sid"]) == 1 and downloads(second["recording_sid"]) == 1
    eventually(lambda: "Cache HIT" in compose("logs", "--no-color"), 10, "the log")


@test
def a_service_without_the_shared_volume_says_so():
    env = compose("exec", "-T", "api", "env")
    words = [w for line in env.splitlines() if line.split("=")[0] in ("DATABASE_URL", "SECRETS_KEY", "PUBLIC_BASE_URL") for w in ("-e", line)]
    run("docker", "run", "-d", "--name", "alone", "--network", "callreel_default", *words, "callreel", "serve", "--role", "web")
    said = eventually(lambda: (t := run("docker", "exec", "alone", "sh", "-c", "wget -S -O - http://127.0.0.1:8080/readyz 2>&1 || true"))
                      and "503" in t and t, 30, "not ready")
    assert "503" in said
    log = subprocess.run(["docker", "logs", "alone"], env=ENV, capture_output=True, text=True)
    assert "not mounted, or not shared" in log.stdout + log.stderr, log
    run("docker", "rm", "-f", "alone")


@test
def one_machine_comes_up_with_docker_compose_up_alone():
    compose("down", "-v", "--remove-orphans", check=False)
    run("docker", "rm", "-f", "sim", check=False)
    (WORK / "clone/.env").unlink(missing_ok=True)
    port = free_port()
    ENV["PUBLISH"] = f"127.0.0.1:{port}"
    compose("up", "-d", file="compose.yml")

    def ready():
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).status == 200
        except OSError:
            return False
    try:
        eventually(ready, 120, "ready")
    except AssertionError as why:
        raise AssertionError(f"{why}\n" + compose("logs", "--no-color", file="compose.yml", check=False)[-2000:]) from why
    assert ".store-id" in compose("exec", "-T", "backend", "ls", "-a", "/app/server/recordings", file="compose.yml")
    began = time.monotonic()
    compose("restart", "backend", file="compose.yml")
    assert time.monotonic() - began < 25, "it ignored SIGTERM"  # then the engine waits for 30 s
    eventually(ready, 60, "ready again")
    compose("down", "-v", file="compose.yml")


@test
def the_package_installs_starts_and_leaves():
    package = run(ROOT / "script/package", WORK / "package", within=1800).strip().splitlines()[-1]
    root = WORK / "root"
    run("cp", "-a", base(), root)
    shutil.copy2(package, root / "callreel.deb")
    shutil.copy2("/etc/resolv.conf", root / "etc/resolv.conf")
    def inside(script, check=True):
        return run("chroot", root, "sh", "-ec", script, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}, check=check)
    inside("mount -t proc proc /proc")
    try:
        inside("apt-get update -qq; apt-get install -y -qq --no-install-recommends /callreel.deb")
        assert inside("callreel version").startswith("callreel ")
        inside("test -f /usr/lib/systemd/system/callreel-web@.service; test -f /usr/share/man/man1/callreel.1.gz; test -f /etc/callreel/callreel.env")
        said = inside("cd /var/lib/callreel; export DATA_DIR=/var/lib/callreel LISTEN=127.0.0.1:0; "
                      "setpriv --reuid=callreel --regid=callreel --clear-groups callreel serve >/tmp/log 2>&1 & pid=$!; "
                      "for i in $(seq 100); do grep -q Listening /tmp/log && break; sleep 0.1; done; kill $pid; wait $pid; cat /tmp/log")
        assert "Listening" in said and "Stopped" in said, said
        inside("dpkg -r callreel; test ! -e /usr/bin/callreel; test -e /etc/callreel/callreel.env; dpkg -P callreel; test ! -e /etc/callreel")
        assert "callreel.db" in inside("ls /var/lib/callreel")
        assert inside("find /usr -name '*callreel*' | grep -v /var/lib/dpkg || true").strip() == ""
    finally:
        inside("umount /proc", check=False)


def main():
    failed, skipped = 0, None
    print(f"1..{len(TESTS)}", flush=True)
    chosen = sys.argv[1:]
    try:
        for number, function in enumerate(TESTS, 1):
            name = function.__name__
            if skipped or (chosen and name not in chosen):
                print(f"ok {number} - {name} # SKIP {skipped or 'not chosen'}", flush=True)
                continue
            try:
                function()
                print(f"ok {number} - {name}", flush=True)
            except Skip as why:
                skipped = str(why)
                print(f"ok {number} - {name} # SKIP {why}", flush=True)
            except Exception as why:  # any other is a failure of this test alone
                failed += 1
                print(f"not ok {number} - {name}")
                print("\n".join("# " + line for line in f"{type(why).__name__}: {why}".splitlines()), flush=True)
    finally:
        if "process" in ENGINE and "url" in ENGINE:
            subprocess.run(["docker-compose", "-f", "compose.prod.yml", "down", "-v"], cwd=WORK / "clone", env={**ENV, "PUBLIC_BASE_URL": "x",
                           "POSTGRES_PASSWORD": "x", "SECRETS_KEY": "x"}, capture_output=True)
        stop_engine()
        shutil.rmtree(WORK, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
