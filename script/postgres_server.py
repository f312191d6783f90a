#!/usr/bin/env python3
"""A PostgreSQL server for tests: its own directory, its own port on loopback, no durability. Gone at the end.

  with postgres_server.running() as url: …          script/postgres_server.py COMMAND…: with CALLREEL_TEST_POSTGRES set
  with postgres_server.home() as home:              a server that is stopped, frozen and replaced
      primary = Server(home / "primary"); primary.make(); primary.start()"""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

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


def _run(*command, cwd, shown=True):
    """shown: its output is told if it fails. A server that it starts would keep the pipe open."""
    out = subprocess.PIPE if shown else subprocess.DEVNULL
    done = subprocess.run([str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, text=True,
                          timeout=120)
    if done.returncode != 0:
        raise Unable(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stdout}{done.stderr}")


@contextlib.contextmanager
def home():
    """A directory that the servers' user owns. Servers in it are stopped at the end."""
    _, user = _as_user()
    path = Path(tempfile.mkdtemp(prefix="callreel-postgres-"))
    try:
        if user:
            os.chown(path, user.pw_uid, user.pw_gid)
        yield path
    finally:
        for lock in path.glob("*/postmaster.pid"):
            Server(lock.parent).stop()
        shutil.rmtree(path, ignore_errors=True)


class Server:
    """data: its directory, inside a home()."""

    def __init__(self, data):
        self.data, self.port, self.settings = Path(data), _free_port(), dict(SETTINGS)
        self.programs, (self.prefix, _) = _programs(), _as_user()

    @property
    def url(self):
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, program, *words, shown=True):
        _run(*self.prefix, f"{self.programs}/{program}", *words, cwd=self.data.parent, shown=shown)

    def make(self):
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N")

    def make_standby_of(self, primary):
        """A copy of the primary, which runs. It follows the one that the setting primary_conninfo names."""
        self._run("pg_basebackup", "-D", self.data, "-d", primary.url, "-c", "fast", "-R", "--no-sync")

    def start(self):
        settings = " ".join(f"-c {name}='{value}'" for name, value in self.settings.items())
        log = f"{self.data}.log"
        try:
            self._run("pg_ctl", "-D", self.data, "-l", log, "-w", "-o", f"-p {self.port} -k {self.data.parent} {settings}", "start",
                      shown=False)
        except Unable:
            raise Unable(open(log, errors="replace").read()) from None

    def stop(self, mode="immediate"):
        """immediate: as a crash."""
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def promote(self):
        self._run("pg_ctl", "-D", self.data, "-w", "promote")

    def pids(self):
        """The postmaster and its children."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        return [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]

    def freeze(self):
        """Everything stands still, connections stay open; the postmaster first, so that nothing begins meanwhile."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in reversed(self.pids()):
            os.kill(pid, signal.SIGCONT)

    def ask(self, text):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", text],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Unable(done.stderr)
        return done.stdout.strip()

    def make_extensions(self):
        self.ask("; ".join(f"create extension {name} schema public" for name in EXTENSIONS))


@contextlib.contextmanager
def running(**settings):
    """settings: of the server, beside SETTINGS."""
    with home() as path:
        server = Server(path / "data")
        server.settings |= settings
        server.make()
        server.start()
        server.make_extensions()
        yield server.url


def main():
    with running() as url:
        return subprocess.run(sys.argv[1:], env=os.environ | {"CALLREEL_TEST_POSTGRES": url}).returncode


if __name__ == "__main__":
    sys.exit(main())
