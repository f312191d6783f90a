"""Workers are killed and frozen at any moment: no incomplete recording is ever ready, and all are ready in the end."""
import random
import signal
import threading
import time

import pytest

import provider as p
from callreel import eventually
from sound import digest
from wire import Connection

ROUNDS, FILLS_A_ROUND, FREEZES = 25, 8, 20


class Watcher(threading.Thread):
    """Compares what is called ready with what the provider holds, all the time."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.tapes, self.seen, self.wrong = world, {}, set(), []
        self.over = threading.Event()

    def look(self):
        for row in self.world.sql("select recording_sid, name, bytes, sha256 from recordings where status = 'ready'"):
            sid = row["recording_sid"]
            if sid in self.seen:
                continue
            data = self.tapes[sid].mp3
            path = self.world.recordings() / row["name"]
            if not path.exists() or path.read_bytes() != data or row["bytes"] != len(data):
                self.wrong.append(row)
            elif row["sha256"] and row["sha256"] != digest(data):
                self.wrong.append(row)
            self.seen.add(sid)

    def run(self):
        while not self.over.wait(0.02):
            self.look()


def random_act(rng, size, here, gone):
    """Where a fill stands when its worker dies: `here` is counted up there, `gone` lets the answer continue."""
    def reached(ask):
        with here["lock"]:
            here["count"] += 1

    def before(ask):
        reached(ask)
        ask.wait(gone)
        p.whole(ask)

    def within(ask, at=rng.randrange(1, size)):
        data = ask.bytes()
        ask.head(200, ask.media_headers(data))
        ask.send(data[:at])
        reached(ask)
        ask.wait(gone)
        ask.send(data[at:])
        ask.whole = True

    def after(ask):
        p.whole(ask)
        reached(ask)

    return rng.choice([before, within, within, after, after])


@pytest.mark.long
def test_two_hundred_fills_survive_kills_and_freezes(world, provider):
    rng = random.Random(20240801)
    world.settings.update(DOWNLOADS_PER_BUSINESS=FILLS_A_ROUND)
    web = world.server("web", role="web")
    workers = [world.server(f"worker{i}", role="worker") for i in range(2)]
    business = world.business(provider)
    watcher = Watcher(world)
    watcher.start()
    try:
        for number in range(ROUNDS):
            here = {"count": 0, "lock": threading.Lock()}
            gone = threading.Event()
            tapes = [provider.tape(seconds=rng.choice([1, 5, 30])) for _ in range(FILLS_A_ROUND)]
            for tape in tapes:
                watcher.tapes[tape.sid] = tape
                tape.acts = [random_act(rng, len(tape.mp3), here, gone)]
                business.tell(web, tape)
            wanted = rng.randrange(1, FILLS_A_ROUND + 1)
            eventually(lambda: here["count"] >= wanted, 10, f"round {number}: {wanted} fills under way")
            first, second = rng.sample(range(2), 2)
            freezes = number < FREEZES
            if freezes:
                workers[second].freeze()
            workers[first].kill()
            gone.set()
            workers[first] = world.launch(workers[first].name, "worker")  # its start is part of the story

            def all_ready():
                return all(world.state(tape.sid) == "ready" for tape in tapes)

            if freezes:
                moved = 0
                while not all_ready() and moved < 60:  # frozen inside a commit it holds up all others, so it continues then
                    world.pass_time(6)
                    moved += 6
                    deadline = time.monotonic() + 0.15
                    while not all_ready() and time.monotonic() < deadline:
                        time.sleep(0.01)
                workers[second].signal(signal.SIGCONT)
            if workers[first].child.poll() is not None:  # the frozen one held the database: its supervisor starts it again
                assert "database is locked" in workers[first].log(), workers[first].log()
                workers[first] = world.launch(workers[first].name, "worker")
            workers[first].wait_listening()
            world.pass_time_until(all_ready, step=8, within=3600, pause=0.2)
        world.pass_time_until(lambda: not world.parts(), step=30, within=3600)
    finally:
        watcher.over.set()
        watcher.join()
    watcher.look()
    assert watcher.wrong == []
    assert len(watcher.seen) == ROUNDS * FILLS_A_ROUND
    assert len([f for f in world.recordings().glob("[0-9]*/**/*") if f.is_file()]) == ROUNDS * FILLS_A_ROUND
    for tape in watcher.tapes.values():
        assert world.file_of(tape.sid).read_bytes() == tape.mp3


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_dead_workers_fill_is_taken_over_within_its_lease(world, provider):
    web = world.server("web", role="web")
    first = world.server("first", role="worker")
    business = world.business(provider)
    tape = provider.tape(seconds=10)
    tape.acts = [p.hang]
    business.tell(web, tape)
    eventually(lambda: len(tape.asks) == 1)
    first.kill()
    world.server("second", role="worker")
    assert world.row(tape.sid)["lease_until"] > 0
    passed = 0
    while world.state(tape.sid) != "ready" and passed < 60:
        world.pass_time(3)
        passed += 3
        deadline = time.monotonic() + 0.2
        while world.state(tape.sid) != "ready" and time.monotonic() < deadline:
            time.sleep(0.01)
    row = world.wait_state(tape.sid, within=2)
    assert passed <= 45 and row["fail_count"] == 0


def test_a_frozen_worker_that_wakes_changes_nothing(world, provider):
    web = world.server("web", role="web")
    first = world.server("first", role="worker")
    business = world.business(provider)
    tape = provider.tape(seconds=10)
    gate = threading.Event()
    tape.acts = [p.pause_at(20000, gate)]
    business.tell(web, tape)
    eventually(lambda: (world.row(tape.sid)["got"] or 0) == 20000)
    first.freeze()
    second = world.server("second", role="worker")
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=8, within=120)
    before = world.row(tape.sid)
    gate.set()  # the rest of the bytes lies ready for the frozen one
    first.signal(signal.SIGCONT)
    eventually(lambda: "Lease lost" in first.log())
    world.pass_time_until(lambda: not world.parts(), step=30)
    assert world.row(tape.sid) == before
    assert world.file_of(tape.sid).read_bytes() == tape.mp3
    second.wait_lines("Recording saved")
    assert "Recording saved" not in first.log()


def test_a_listener_never_hears_a_wrong_byte_when_the_worker_dies(world, provider):
    web = world.server("web", role="web")
    business = world.business(provider)
    auth = {"Authorization": f"Bearer {business.viewer}", "Range": "bytes=0-", "Prefer": "wait=54"}
    for same in (True, False):
        worker = world.server(f"first {same}", role="worker")
        tape, other = provider.tape(seconds=10), provider.tape(seconds=10)
        tape.acts = [p.pause_at(20000, threading.Event())]
        tape.default = p.whole if same else p.content(other.mp3)
        final = tape.mp3 if same else other.mp3
        business.tell(web, tape, "in-progress")
        eventually(lambda: web.get(f"/api/recordings/{tape.sid}/stream", business.viewer).status == 202, 2, "a worker is seen")
        with Connection(web.port, timeout=60) as listener:
            listener.ask("GET", f"/api/recordings/{tape.sid}/stream", auth)
            eventually(lambda: world.state(tape.sid) == "downloading")
            worker.kill()
            second = world.server(f"second {same}", role="worker")
            world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=8, within=120)
            answer = listener.read()
        if answer.complete:
            assert answer.status == 202 or (answer.status == 206 and answer.body == final), answer
        else:
            assert answer.body == tape.mp3[:len(answer.body)]
        assert web.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == final
        second.stop()


def test_four_deaths_in_a_row_are_a_failure(world, provider):
    web = world.server("web", role="web")
    business = world.business(provider)
    tape = provider.tape(seconds=10)
    tape.default = p.hang
    business.tell(web, tape)
    for death in range(4):
        worker = world.server("worker", role="worker")
        world.pass_time_until(lambda: len(tape.asks) == death + 1, step=8, within=120)
        row = world.row(tape.sid)
        assert (row["status"], row["fail_count"]) == ("queued", 0), death
        worker.kill()
    world.server("worker", role="worker")
    tape.default = p.whole
    world.pass_time_until(lambda: world.state(tape.sid) == "failed" or tape.downloads, step=8, within=120)
    row = world.wait_state(tape.sid, "failed")
    assert row["fail_count"] == 1 and row["next_retry_at"]
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=10, within=120)


def test_a_drained_worker_gives_its_fill_back(world, provider):
    web = world.server("web", role="web")
    worker = world.server("worker", role="worker", DRAIN_TIMEOUT=0)
    business = world.business(provider)
    tape = provider.tape(seconds=10)
    tape.acts = [p.pause_at(20000, threading.Event())]
    business.tell(web, tape)
    eventually(lambda: world.state(tape.sid) == "downloading")
    worker.stop()
    row = world.row(tape.sid)
    assert row["status"] == "queued" and row["fail_count"] == 0 and row["next_retry_at"] in (None, 0)
    world.server("second", role="worker")
    world.wait_state(tape.sid)  # no lease to wait for
