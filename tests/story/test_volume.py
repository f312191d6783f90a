"""A recordings' volume that does not answer: frozen for writing, or hung like a network volume without its server."""
import ctypes
import os
import subprocess
import threading

import pytest

import provider as p
from callreel import BUILD, SANITIZED, eventually
from wire import Connection

MEDIA = {"Range": "bytes=0-", "Prefer": "wait=54"}
CACHESTAT = 451  # the system call, since Linux 6.5
SOON = 4  # seconds: a request that must not wait for the volume is answered within


class HangingVolume:
    """Calls to the recordings' directory are held in a server that was started with `settings`, from hang() to go_on()."""

    def __init__(self, world):
        self.flag = world.directory / "volume-hangs"
        self.settings = {"LD_PRELOAD": BUILD / "tests/preload/libhanging_volume.so",
                         "HANG_BELOW": world.recordings(), "HANG_WHILE": self.flag}

    def hang(self):
        self.flag.touch()

    def go_on(self):
        self.flag.unlink(missing_ok=True)


@pytest.fixture
def hanging(world):
    if SANITIZED:
        pytest.skip("a preloaded library can't come before the sanitizer's own")
    volume = HangingVolume(world)
    yield volume
    volume.go_on()


class FrozenVolume:
    """An ext4 file system that can be frozen: reads continue, writes hang."""

    def __init__(self, path, image):
        self.path = path
        path.mkdir()
        with open(image, "wb") as f:
            f.truncate(64 << 20)
        for argv in (["mkfs.ext4", "-q", str(image)], ["mount", "-o", "loop", str(image), str(path)]):
            done = subprocess.run(argv, capture_output=True)
            if done.returncode:
                pytest.skip(f"no ext4 can be mounted here: {done.stderr!r}")
        self.is_frozen = False

    def hang(self):
        subprocess.run(["fsfreeze", "-f", str(self.path)], check=True)
        self.is_frozen = True

    def go_on(self):
        if self.is_frozen:
            subprocess.run(["fsfreeze", "-u", str(self.path)], check=True)
        self.is_frozen = False


@pytest.fixture
def frozen(world, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    volume = FrozenVolume(tmp_path / "volume", tmp_path / "volume.img")
    world.settings["RECORDINGS_DIR"] = volume.path / "recordings"
    yield volume
    volume.go_on()
    for process in world.processes:
        process.kill()
    subprocess.run(["umount", str(volume.path)], check=True)


def begin(world, provider, **settings):
    server = world.server(**settings)
    business = world.business(provider)
    hot = provider.tape(seconds=10)
    business.tell(server, hot)
    world.wait_state(hot.sid)
    make_hot(server, business, hot)
    return server, business, hot


def make_hot(server, business, tape):
    """On each loop: connections that are open at once are spread over all."""
    connections = [Connection(server.port, timeout=10) for _ in range(2 * os.cpu_count())]
    for connection in connections:
        answer = connection.call("GET", f"/api/recordings/{tape.sid}/stream", {"Authorization": f"Bearer {business.viewer}"})
        assert answer.body == tape.mp3
    for connection in connections:
        connection.close()


def play(server, business, tape):
    answer = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, timeout=SOON)
    assert answer.status == 200 and answer.body == tape.mp3, answer


def is_ready(server):
    return server.get("/readyz", timeout=SOON)


def works_without_the_volume(server, business, provider, hot):
    """All that does not need the volume."""
    new = provider.tape(seconds=5)
    business.tell(server, new)
    business.webhook_add_call(server, new.call_sid)
    assert server.get("/healthz", timeout=SOON).status == 200
    assert server.get(f"/api/recordings/{new.sid}/status", business.viewer, timeout=SOON).status == 200
    assert server.get("/api/calls", business.viewer, timeout=SOON).status == 200
    assert server.get("/api/stats", business.key("admin"), timeout=SOON).status == 200
    for _ in range(8):  # each loop
        play(server, business, hot)
    return new


def says_it_does_not_answer(server):
    def look():
        answer = is_ready(server)
        return answer.status == 503 and answer
    answer = eventually(look, 10, "not ready")
    assert "does not answer" in answer.body.decode() and "/" not in answer.json()["detail"], answer
    assert server.figures()["callreel_store_answers"] == 0


def test_a_volume_that_hangs_holds_nobody_who_does_not_need_it(world, provider, hanging):
    server, business, hot = begin(world, provider, ADMIN_LISTEN="127.0.0.1:0", **hanging.settings)
    business.key("admin")
    hanging.hang()
    first = works_without_the_volume(server, business, provider, hot)
    world.pass_time(2)  # hot files are due to be checked
    second = works_without_the_volume(server, business, provider, hot)
    says_it_does_not_answer(server)
    third = works_without_the_volume(server, business, provider, hot)
    hanging.go_on()
    eventually(lambda: is_ready(server).status == 200, 10, "ready again")
    for tape in (first, second, third):
        world.wait_state(tape.sid)
        play(server, business, tape)


def test_a_play_that_needs_the_volume_fails_in_its_time_and_holds_no_reader(world, provider, hanging):
    server, business, hot = begin(world, provider, **hanging.settings)
    cold = [provider.tape(seconds=5) for _ in range(12)]  # more than there are readers, and threads of the volume
    for tape in cold:
        business.tell(server, tape)
    for tape in cold:
        world.wait_state(tape.sid)
    business.key("admin")
    hanging.hang()
    answers = []
    players = [threading.Thread(target=lambda tape=tape: answers.append(
        server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, timeout=20))) for tape in cold]
    for player in players:
        player.start()
    works_without_the_volume(server, business, provider, hot)
    for player in players:
        player.join()
    assert [(a.status, a.code(), int(a.header("retry-after")) > 0) for a in answers] == [(503, "storage_error", True)] * 12
    works_without_the_volume(server, business, provider, hot)
    hanging.go_on()
    for tape in cold:
        play(server, business, tape)


def test_a_fill_of_another_process_is_followed_on_when_the_volume_is_back(world, provider, hanging):
    web, worker = world.server("web", "web", **hanging.settings), world.server("worker", "worker")
    business = world.business(provider)
    gate = threading.Event()
    tape = provider.tape(seconds=600)
    tape.default = p.pause_at(100_000, gate)
    business.tell(web, tape)
    eventually(lambda: (world.row(tape.sid)["got"] or 0) == 100_000)
    with Connection(web.port, timeout=30) as listener:
        listener.ask("GET", f"/api/recordings/{tape.sid}/stream", {"Authorization": f"Bearer {business.viewer}", **MEDIA})
        head = listener.read_head()
        assert head.status == 206
        assert listener.read_some(100_000) == tape.mp3[:100_000]
        hanging.hang()
        gate.set()
        world.wait_state(tape.sid)
        assert web.get("/healthz", timeout=SOON).status == 200
        assert web.get(f"/api/recordings/{tape.sid}/status", business.viewer, timeout=SOON).json()["status"] == "ready"
        hanging.go_on()
        assert listener.read_some(len(tape.mp3) - 100_000) == tape.mp3[100_000:]
    assert worker.alive()


def test_fills_wait_for_a_frozen_volume_and_are_whole_after_the_thaw(world, provider, frozen):
    server, business, hot = begin(world, provider, ADMIN_LISTEN="127.0.0.1:0")
    business.key("admin")
    gate = threading.Event()
    long = provider.tape(seconds=3600)  # more than is taken before the transfer pauses
    long.default = p.pause_at(100_000, gate)
    business.tell(server, long)
    eventually(lambda: (world.row(long.sid)["got"] or 0) == 100_000)
    cold = provider.tape(seconds=5)
    business.tell(server, cold)
    world.wait_state(cold.sid)
    frozen.hang()
    gate.set()
    begun = [works_without_the_volume(server, business, provider, hot) for _ in range(2)]
    play(server, business, cold)  # reading is not held
    says_it_does_not_answer(server)
    begun.append(works_without_the_volume(server, business, provider, hot))
    assert world.state(long.sid) == "downloading" and all(world.state(tape.sid) != "ready" for tape in begun)
    frozen.go_on()
    eventually(lambda: is_ready(server).status == 200, 10, "ready again")
    for tape in [long, *begun]:
        world.wait_state(tape.sid)
        assert world.file_of(tape.sid).read_bytes() == tape.mp3 and tape.downloads == 1
    eventually(lambda: not world.parts())


@pytest.mark.parametrize("kind", ["frozen", "hanging"])
def test_a_server_ends_in_time_while_its_volume_does_not_answer(world, provider, request, kind):
    volume = request.getfixturevalue(kind)
    settings = {"DRAIN_TIMEOUT": "1", **(volume.settings if kind == "hanging" else {})}
    server, business, hot = begin(world, provider, **settings)
    gate, tape = threading.Event(), provider.tape(seconds=600)
    tape.default = p.pause_at(100_000, gate)
    business.tell(server, tape)
    eventually(lambda: (world.row(tape.sid)["got"] or 0) == 100_000)
    volume.hang()
    gate.set()
    waiting = [provider.tape(seconds=5) for _ in range(2)]
    for one in waiting:
        business.tell(server, one)
    eventually(lambda: all(world.state(one.sid) == "downloading" or world.row(one.sid)["lease_token"] for one in waiting))
    server.terminate()
    if kind == "hanging":
        assert server.wait(within=12) == 0
    else:  # the kernel keeps a process that writes to a frozen file system, in every case
        eventually(lambda: server.log_lines("Stopped"), 12)
    for one in (tape, *waiting):  # their leases were given back
        assert (world.state(one.sid), world.row(one.sid)["lease_until"]) == ("queued", None)
    volume.go_on()
    assert server.wait() == 0
    again = world.server()
    for one in (tape, *waiting):
        world.wait_state(one.sid)
        assert world.file_of(one.sid).read_bytes() == one.mp3
    assert again.alive()


def pages_in_memory(fd):
    """Asked without a read, which would have the disk bring them."""
    everything, counts = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
    if ctypes.CDLL(None, use_errno=True).syscall(CACHESTAT, fd, everything, counts, 0) != 0:
        pytest.skip(f"the kernel does not tell what is in memory: {os.strerror(ctypes.get_errno())}")
    return counts[0]


def forget_pages(path):
    """The kernel keeps nothing of the file in memory."""
    fd = os.open(path, os.O_RDONLY)

    def look():
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return pages_in_memory(fd) == 0

    try:
        eventually(look, 10, "pages that are gone")
    finally:
        os.close(fd)


def test_pages_that_left_the_memory_are_waited_for_by_who_needs_them_alone(world, provider, hanging):
    server, business, hot = begin(world, provider, **hanging.settings)
    gone = [provider.tape(seconds=60) for _ in range(12)]  # more than there are helpers
    for tape in gone:
        business.tell(server, tape)
    for tape in gone:
        world.wait_state(tape.sid)
        make_hot(server, business, tape)
    business.key("admin")
    hanging.hang()
    world.pass_time(6)  # pages that were seen in memory lately are checked again
    for tape in gone:
        forget_pages(world.file_of(tape.sid))
    answers = []
    players = [threading.Thread(target=lambda tape=tape: answers.append(
        server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, timeout=30))) for tape in gone]
    for player in players:
        player.start()
    works_without_the_volume(server, business, provider, hot)
    world.pass_time(11)
    for player in players:
        player.join()
    assert [(a.status, int(a.header("retry-after")) > 0) for a in answers] == [(503, True)] * len(gone)
    works_without_the_volume(server, business, provider, hot)
    hanging.go_on()
    for tape in gone:
        play(server, business, tape)


def test_a_check_of_a_file_that_ends_with_its_worker_is_repeated_by_another(world, provider, hanging):
    worker = world.server("worker", role="worker", **hanging.settings)
    eventually(world.live_workers)
    web = world.server("web", role="web")
    business = world.business(provider)
    tape = provider.tape(seconds=5)
    tape.default = p.status(403)
    business.tell(web, tape)
    world.wait_state(tape.sid, "failed")
    asks, stem = len(tape.asks), world.row(tape.sid)["stem"]
    path = world.recordings() / f"{stem}.mp3"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tape.mp3)
    hanging.hang()
    assert web.post(f"/api/recordings/{tape.sid}/prepare", business.viewer).status == 202
    eventually(lambda: world.row(tape.sid)["lease_until"])
    row = world.row(tape.sid)
    assert row["status"] == "queued" and row["file_seen_at"]
    assert world.sql("select fills from businesses")[0]["fills"] == 0
    worker.kill()
    hanging.go_on()
    another = world.server("another", role="worker")
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=10, within=60)
    assert len(another.log_lines("Expired lease taken back")) == 1 and len(tape.asks) == asks
    assert web.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3
    assert world.sql("select fills, (select sum(n) from fill_counts) all_fills from businesses") == [{"fills": 0, "all_fills": 0}]
