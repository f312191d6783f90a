"""The memory of idle connections and of listeners, and the time to the first byte of a recording that is not in the page cache."""
import errno
import os
import random
import resource
import socket
import time

import peers
from stage import Failed, Listener, listen, percentile, resident_kib

IDLE = 10000
LISTENERS = 1000
COLD_LISTENERS = 50


def allow_descriptors():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---- connections ----

def request(path, key, *headers):
    lines = [f"GET {path} HTTP/1.1", "Host: bench", *headers]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def connect(port, count, text):
    """Connections that were each used once and are kept alive."""
    held = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", port), timeout=20)
        s.sendall(text)
        held.append(s)
    for s in held:
        read_answer(s)
    return held


def read_answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            raise Failed("a connection was closed")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise Failed(head.decode())
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += s.recv(65536)


def settled_kib(pids):
    """Memory once it stands still."""
    before, same, until = resident_kib(pids), 0, time.monotonic() + 10
    while same < 5 and time.monotonic() < until:
        time.sleep(0.05)
        now = resident_kib(pids)
        same = same + 1 if now == before else 0
        before = now
    return before


def held_memory(port, pids, text, count):
    """KiB that count connections add."""
    for s in connect(port, 64, text):  # memory that the very first requests take is not counted for connections
        s.close()
    before = settled_kib(pids)
    held = connect(port, count, text)
    added = settled_kib(pids) - before
    for s in held:
        s.close()
    return added


def listeners_memory(port, pids, path, key, count):
    """KiB that listeners add who asked for a mebibyte and take none of it."""
    before = settled_kib(pids)
    held = []
    for _ in range(count):
        s = socket.socket()
        s.settimeout(20)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", port))
        s.sendall(request(path, key, "Range: bytes=0-"))
        held.append(s)
    for s in held:
        s.recv(1)
    added = settled_kib(pids) - before
    for s in held:
        s.close()
    return added


def memory(stack, stage, directory, sid, share):
    """{server: KiB that idle connections add}, and what listeners add to ours."""
    allow_descriptors()
    idle, listeners = int(IDLE * share), int(LISTENERS * share)
    text = request(f"/api/recordings/{sid}/status", stage.key)
    port, pid = stage.serve()  # fresh, so that nothing is taken again that others gave back
    for s in connect(port, 64, text):
        s.close()
    taken = listeners_memory(port, [pid], stage.stream(sid), stage.key, listeners)
    added = {"callreel": held_memory(stage.port, [stage.pid], text, idle)}
    port, pids = stack.enter_context(peers.nginx(directory / "idle", peers.GOOD, f"root {directory / 'www'};"))
    added["nginx"] = held_memory(port, pids, request("/status", None), idle)
    return {"connections": idle, "added_kib": added, "listeners": listeners,
            "listeners_kib": taken}


# ---- pages that are not in memory ----

def drop_pages(path):
    """True if its first page is gone then."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
        return False
    except OSError as why:
        return why.errno == errno.EAGAIN
    finally:
        os.close(fd)


def ask_cold(files, port, paths, header):
    """Milliseconds to the body's first byte, and how many of the files were cold when they were asked for."""
    cold, times = sum(drop_pages(path) for path in files), []
    order = random.sample(paths, len(paths))
    plan = [Listener(0, port, path, "Range: bytes=0-", "Connection: close", *header) for path in order]
    for seen in listen(plan, hashes=False):
        if seen["status"] != 206 or not seen["whole"]:
            raise Failed(f"a cold recording: {seen}")
        times.append(seen["first_us"] / 1000)
    return times, cold


def cold_pages(stack, stage, directory, sids, rounds):
    """{server: milliseconds to the first byte} for many listeners at once, each of another recording out of memory."""
    files = [stage.file(sid) for sid in sids]
    root = directory / "many"
    root.mkdir()
    for sid, path in zip(sids, files):
        os.link(path, root / sid)
    root.chmod(0o755)
    port, _ = stack.enter_context(peers.nginx(directory / "many-nginx", peers.GOOD, f"root {root};"))
    servers = {"callreel": (stage.port, [stage.stream(sid) for sid in sids], [stage.bearer()]),
               "nginx": (port, [f"/{sid}" for sid in sids], [])}
    seen = {name: ([], 0) for name in servers}
    for _ in range(rounds):  # in turns, so that what else the disk has to do meets both
        for name, (at, paths, header) in servers.items():
            times, cold = ask_cold(files, at, paths, header)
            seen[name] = (seen[name][0] + times, seen[name][1] + cold)
    return {name: {"p50_ms": percentile(times, 0.5), "p99_ms": percentile(times, 0.99), "most_ms": max(times),
                   "requests": len(times), "cold": cold} for name, (times, cold) in seen.items()}


def make_recordings(stage, count, seconds):
    sids = [stage.make_recording(seconds)["recording_sid"] for _ in range(count)]
    for sid in sids:
        stage.wait_ready(sid)
    return sids
