#!/usr/bin/env python3
"""A PostgreSQL server for tests: its own directory, its own port on loopback, no durability. Gone at the end.

  with postgres_server.running() as url: …          script/postgres_server.py COMMAND…: with CALLREEL_TEST_POSTGRES set"""
import contextlib
import glob
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile

SETTINGS = {"listen_addresses": "127.0.0.1", "fsync": "off", "max_connections": "300", "log_min_messages": "warning"}
EXTENSIONS = ["pg_trgm", "btree_gin"]  # made once, so that schemas that are made at the same time do not both make them


class Unable(Exception):
    """There is no server to start; its text says why."""


def _programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    if not found:
        raise Unable("PostgreSQL is not installed (postgresql-15)")
    return os.path.dirname(found[-1])


def _as_user():
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return [], None
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"], pwd.getpwnam("postgres")


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Unable(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")


@contextlib.contextmanager
def running():
    programs, (prefix, user) = _programs(), _as_user()
    home = tempfile.mkdtemp(prefix="callreel-postgres-")
    try:
        if user:
            os.chown(home, user.pw_uid, user.pw_gid)
        data, port = f"{home}/data", _free_port()
        _run(*prefix, f"{programs}/initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N", cwd=home)
        settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        with open(f"{home}/log", "wb"):
            pass
        if user:
            os.chown(f"{home}/log", user.pw_uid, user.pw_gid)
        # pg_ctl's output goes nowhere: the server would keep a pipe of ours open.
        command = [*prefix, f"{programs}/pg_ctl", "-D", data, "-l", f"{home}/log", "-w", "-o", f"-p {port} -k {home} {settings}", "start"]
        if subprocess.run(command, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            raise Unable(open(f"{home}/log", errors="replace").read())
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        try:
            _run("psql", "-X", "-q", "-d", url, "-c", "; ".join(f"create extension {name} schema public" for name in EXTENSIONS), cwd=home)
            yield url
        finally:
            _run(*prefix, f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", cwd=home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main():
    with running() as url:
        return subprocess.run(sys.argv[1:], env=os.environ | {"CALLREEL_TEST_POSTGRES": url}).returncode


if __name__ == "__main__":
    sys.exit(main())
