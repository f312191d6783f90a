"""The programs are linked as they should be, and a process hides its secrets from other processes of the machine."""
import os
import struct

import pytest

from callreel import BUILD, CALLREEL, ROOT, SANITIZED, SIMULATOR
from wire import Connection

PT_DYNAMIC, PT_GNU_STACK, PT_GNU_RELRO = 2, 0x6474E551, 0x6474E552
DT_FLAGS, DT_FLAGS_1 = 30, 0x6FFFFFFB
PROGRAMS = [CALLREEL, SIMULATOR] + [p for p in (ROOT / "build/callreel",) if p.exists() and p.parent != BUILD]


class Elf:
    """The parts of a 64-bit ELF file that say how it was hardened."""

    def __init__(self, path):
        self.bytes = path.read_bytes()
        assert self.bytes[:6] == b"\x7fELF\x02\x01", path
        (self.type, self.machine) = struct.unpack_from("<HH", self.bytes, 16)
        (at,) = struct.unpack_from("<Q", self.bytes, 32)
        (size, count) = struct.unpack_from("<HH", self.bytes, 54)
        self.segments = {}
        for i in range(count):
            kind, flags, offset, _, _, length = struct.unpack_from("<IIQQQQ", self.bytes, at + i * size)
            self.segments.setdefault(kind, []).append((flags, self.bytes[offset:offset + length]))

    def dynamic(self, tag):
        for _, table in self.segments[PT_DYNAMIC]:
            for at in range(0, len(table), 16):
                found, value = struct.unpack_from("<QQ", table, at)
                if found == tag:
                    return value
        return 0


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_program_is_linked_so_that_a_mistake_is_hard_to_use(path):
    elf = Elf(path)
    assert elf.type == 3 and elf.dynamic(DT_FLAGS_1) & 0x08000000, "position-independent"
    assert elf.dynamic(DT_FLAGS_1) & 1 or elf.dynamic(DT_FLAGS) & 8, "all symbols are bound at the start"
    assert PT_GNU_RELRO in elf.segments, "what was bound is read-only"
    assert all(not flags & 1 for flags, _ in elf.segments[PT_GNU_STACK]), "no code on the stack"
    assert b"__stack_chk_fail" in elf.bytes
    if not SANITIZED or path.parent != BUILD:
        assert b"__memcpy_chk" in elf.bytes or b"__vsnprintf_chk" in elf.bytes, "checked copies"


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_program_marks_where_jumps_may_land(path):
    elf = Elf(path)
    if elf.machine != 62:
        pytest.skip("only x86-64 has these marks")
    assert elf.bytes.count(b"\xf3\x0f\x1e\xfa") > 300, "functions begin with endbr64"


def test_a_process_leaves_no_core(world):
    server = world.server()
    limits = open(f"/proc/{server.pid}/limits").read()
    line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"], line


def test_https_is_remembered_by_browsers(world):
    """Where people reach the service by https, each answer says so, errors too."""
    server = world.server(PUBLIC_BASE_URL="https://calls.example/sub")
    for target in ("/", "/api/calls", "/nowhere", "/readyz"):
        assert server.get(target).all("strict-transport-security") == ["max-age=31536000"], target
    host = b"Host: calls.example\r\n"
    for raw, status in (
        (b"GET / HTTP/1.1\r\n\r\n", 400), (b"hello\r\n\r\n", 400), (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\n" + host + b"X: " + b"y" * 40_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\n" + host + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    ):
        with Connection(server.port) as connection:
            connection.send(raw)
            answer = connection.read()
        assert (answer.status, answer.all("strict-transport-security")) == (status, ["max-age=31536000"]), raw[:40]
    plain = world.server("plain")
    assert plain.get("/").all("strict-transport-security") == []
    with Connection(plain.port) as connection:
        connection.send(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.read().all("strict-transport-security") == []


def test_files_that_are_no_files_are_refused_and_not_waited_for(world, tmp_path):
    fifo, open_key = tmp_path / "fifo", tmp_path / "open.pem"
    os.mkfifo(fifo, 0o600)
    open_key.write_text("-----BEGIN PUBLIC KEY-----\n")
    open_key.chmod(0o666)
    for name in ("SECRETS_KEY_FILE", "JWT_PUBLIC_KEY_FILE"):
        done = world.run("serve", env={name: str(fifo)})
        assert done.returncode == 1 and name in done.stderr, done
    done = world.run("business", "add", "--name", "A", "--account-sid", "AC" + "0" * 32, "--auth-token-file", fifo)
    assert done.returncode == 1 and "not a regular file" in done.stderr, done
    for command in ("serve", "check"):
        done = world.run(command, env={"JWT_PUBLIC_KEY_FILE": str(open_key)})
        assert done.returncode == 1 and "others can't write" in done.stdout + done.stderr, done


def test_a_secret_that_others_may_write_is_refused(world, tmp_path):
    token = tmp_path / "token"
    token.write_text("0" * 32)
    for mode in (0o620, 0o602, 0o640):
        token.chmod(mode)
        done = world.run("business", "add", "--name", "A", "--account-sid", "AC" + "0" * 32, "--auth-token-file", token)
        assert done.returncode == 1 and "by others" in done.stderr, (oct(mode), done)
        done = world.run("serve", env={"URL_SIGNING_KEY_FILE": str(token)})
        assert done.returncode == 1 and "by others" in done.stderr, (oct(mode), done)


def test_settings_that_others_may_write_are_refused(world, tmp_path):
    settings = tmp_path / "settings"
    settings.write_text("RETENTION_DAYS=1\n")
    for mode in (0o620, 0o602, 0o666):
        settings.chmod(mode)
        for command in ("serve", "check"):
            done = world.run(command, "--config", settings)
            assert done.returncode == 1 and "can be written by others" in done.stdout + done.stderr, (oct(mode), done)
    settings.chmod(0o644)
    assert "can be written by others" not in world.run("check", "--config", settings).stdout


def test_names_reach_a_terminal_without_their_control_characters(world):
    evil = "\x1b]0;owned\x07 \u202eShop\n"
    world.done("business", "add", "--name", evil)
    world.done("business", "add", "--name", "מרפאת הנמל (2)")
    world.done("key", "create", "--business", 1, "--name", evil)
    for listing in (world.done("business", "list"), world.done("key", "list")):
        assert '"\\u001b]0;owned\\u0007 \\u202eShop\\n"' in listing, listing
        assert not any(c in listing for c in "\x1b\x07\u202e"), listing
        assert len(listing.splitlines()) == (3 if "BUSINESS" not in listing else 2), listing
    assert " מרפאת הנמל (2) " in world.done("business", "list")
