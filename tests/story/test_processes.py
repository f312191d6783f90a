"""Several processes on one data directory."""
import threading

import pytest

import provider as p
from callreel import eventually
from wire import Connection

MEDIA = {"Range": "bytes=0-"}
PATIENT = {**MEDIA, "Prefer": "wait=54"}  # waits until it can be had


@pytest.mark.sanitized
@pytest.mark.threads
def test_what_one_process_writes_the_other_sees(world, provider):
    one, two = world.server("one"), world.server("two")
    business = world.business(provider)
    tape = provider.tape(seconds=5)
    business.tell(one, tape)
    eventually(lambda: two.get(f"/api/recordings/{tape.sid}/status", business.viewer).status == 200, 2)
    eventually(lambda: two.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3, 4)
    a = one.get(f"/api/recordings/{tape.sid}/stream", business.viewer)
    b = two.get(f"/api/recordings/{tape.sid}/stream", business.viewer)
    assert (a.header("etag"), a.header("last-modified"), a.body) == (b.header("etag"), b.header("last-modified"), b.body)
    one.call("PATCH", f"/api/calls/{tape.call_sid}", {"Content-Type": "application/merge-patch+json"}, b'{"ref": "seen"}',
             business.key("agent"))
    eventually(lambda: two.get(f"/api/calls/{tape.call_sid}", business.viewer).json()["ref"] == "seen", 2)
    # hot in both; then its file is gone: the one that finds out tells the other
    world.pass_time(61)  # the cooldown
    world.file_of(tape.sid).unlink()
    eventually(lambda: one.get(f"/api/recordings/{tape.sid}/stream", business.viewer, PATIENT).body == tape.mp3
               and tape.downloads == 2)
    world.wait_state(tape.sid)
    assert two.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3
    assert tape.downloads == 2


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_play_in_a_web_process_is_filled_by_a_worker_at_once(world, provider):
    web = world.server("web", role="web")
    worker = world.server("worker", role="worker")
    business = world.business(provider)
    gate, other = threading.Event(), provider.tape()
    other.default = p.hold(gate)
    business.tell(web, other, "in-progress")
    eventually(lambda: web.get(f"/api/recordings/{other.sid}/stream", business.viewer).status != 503, 2, "the worker is seen")
    tape = provider.tape(seconds=10)
    tape.default = p.hold(gate)
    business.tell(web, tape, "in-progress")
    with Connection(web.port, timeout=30) as listener:
        listener.ask("GET", f"/api/recordings/{tape.sid}/stream", {"Authorization": f"Bearer {business.viewer}", **PATIENT})
        eventually(lambda: tape.asks, 2, "the worker asks")
        gate.set()
        answer = listener.read()
        assert answer.status == 206 and answer.body == tape.mp3
    world.wait_state(tape.sid)
    hit = web.get(f"/api/recordings/{tape.sid}/stream", business.viewer)
    assert hit.body == tape.mp3 and hit.header("etag") == answer.header("etag") and len(tape.asks) == 1
    # a worker answers for its health, and for nothing else
    assert worker.get("/healthz").status == 200 and worker.get("/readyz").status == 200
    assert worker.get("/api/calls", business.viewer).status == 404
    assert worker.get(f"/api/recordings/{tape.sid}/stream", business.viewer).status == 404


@pytest.mark.sanitized
@pytest.mark.threads
def test_without_any_worker_a_play_says_so_and_is_queued_all_the_same(world, provider):
    web = world.server("web", role="web")
    business = world.business(provider)
    tape = provider.tape()
    business.tell(web, tape, "in-progress")
    for headers in (MEDIA, {}):
        answer = web.get(f"/api/recordings/{tape.sid}/stream", business.viewer, headers)
        assert (answer.status, answer.code()) == (503, "no_worker") and int(answer.header("retry-after")) >= 1
    assert web.post(f"/api/recordings/{tape.sid}/prepare", business.viewer).status == 503
    assert world.state(tape.sid) == "queued"
    world.server("worker", role="worker")
    world.wait_state(tape.sid)
    assert web.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3


def test_a_worker_that_died_is_missed_after_half_a_minute(world, provider):
    web = world.server("web", role="web")
    worker = world.server("worker", role="worker")
    business = world.business(provider)
    worker.kill()
    world.clock.advance(31)
    tape = provider.tape()
    business.tell(web, tape)
    eventually(lambda: web.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA).status == 503)
    assert web.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA).code() == "no_worker"


def test_the_limit_of_fills_holds_over_all_processes(world, provider):
    world.settings.update(DOWNLOADS_PER_BUSINESS=3)
    one, two = world.server("one"), world.server("two")
    business = world.business(provider)
    gate = threading.Event()
    tapes = [provider.tape() for _ in range(10)]
    for i, tape in enumerate(tapes):
        tape.default = p.hold(gate)
        business.tell((one, two)[i % 2], tape)
    under_way = lambda: sum(1 for tape in tapes if tape.asks)  # noqa: E731
    eventually(lambda: under_way() == 3)
    for _ in range(5):
        world.pass_time(5)
        assert under_way() == 3
    # one more for a play, and it goes first
    last = tapes[-1] if not tapes[-1].asks else tapes[0]
    with Connection(one.port, timeout=30) as listener:
        listener.ask("GET", f"/api/recordings/{last.sid}/stream", {"Authorization": f"Bearer {business.viewer}", **PATIENT})
        eventually(lambda: last.asks)
        assert under_way() == 4
        gate.set()
        assert listener.read().body == last.mp3
    for tape in tapes:
        world.wait_state(tape.sid)
        assert len(tape.asks) == 1


def test_who_plays_goes_before_webhooks_and_those_before_the_rest(world, provider):
    server = world.server(DOWNLOADS_PER_BUSINESS=1, DOWNLOADS_TOTAL=4)
    business = world.business(provider)
    tapes = [provider.tape(seconds=1) for _ in range(6)]
    gates = {tape.sid: threading.Event() for tape in tapes}
    for tape in tapes:
        tape.default = p.hold(gates[tape.sid])
        business.tell(server, tape)
    eventually(lambda: provider.asks)
    first = provider.asks[0].tape
    played = [tape for tape in tapes if tape is not first][-1]
    assert server.get(f"/api/recordings/{played.sid}/stream", business.viewer).status == 202
    eventually(lambda: len(provider.asks) == 2)
    assert provider.asks[1].tape is played
    for gate in gates.values():
        gate.set()
    for tape in tapes:
        world.wait_state(tape.sid)


def test_businesses_take_turns(world):
    server = world.server(DOWNLOADS_PER_BUSINESS=1, DOWNLOADS_TOTAL=1)
    at = [world.provider(), world.provider()]
    busy, small = (world.business(one, name) for one, name in zip(at, ("busy", "small")))
    gate = threading.Event()
    order, lock = [], threading.Lock()

    def noted(ask):
        with lock:
            order.append(ask.provider is at[1])
        p.hold(gate)(ask)

    for one, business, count in ((at[0], busy, 20), (at[1], small, 2)):
        for _ in range(count):
            tape = one.tape(seconds=1)
            tape.default = noted
            business.tell(server, tape)
    gate.set()
    eventually(lambda: len(order) == 22, 20)
    assert order.index(True) <= 3 and [i for i, other in enumerate(order) if other][1] <= 6, order


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_drain_finishes_what_is_in_hand(world, provider):
    server = world.server(DRAIN_TIMEOUT=30, DRAIN_DELAY=1)
    business = world.business(provider)
    big, tape = provider.tape(seconds=2000), provider.tape(seconds=10)
    gate = threading.Event()
    tape.acts = [p.pause_at(8000, gate)]
    business.tell(server, big)
    business.tell(server, tape)
    world.wait_state(big.sid)
    eventually(lambda: world.state(tape.sid) == "downloading")
    auth = {"Authorization": f"Bearer {business.viewer}"}
    with Connection(server.port, timeout=30, receive_buffer=4096) as listener, Connection(server.port) as health:
        listener.ask("GET", f"/api/recordings/{big.sid}/stream", auth)
        head = listener.read_head()
        heard = listener.read_some(8000)
        assert health.call("GET", "/readyz").status == 200
        server.terminate()

        def drains():
            try:
                return server.get("/readyz").status == 503
            except OSError:
                return True
        eventually(drains, 3)
        gate.set()
        heard += listener.read_some(len(big.mp3) - 8000)
    assert head.status == 200 and heard == big.mp3
    assert server.wait() == 0
    row = world.row(tape.sid)
    assert row["status"] == "ready" and world.file_of(tape.sid).read_bytes() == tape.mp3
    assert tape.downloads == 1


def test_a_second_signal_ends_at_once(world, provider):
    server = world.server(DRAIN_TIMEOUT=3000)
    business = world.business(provider)
    tape = provider.tape(seconds=10)
    tape.acts = [p.pause_at(8000, threading.Event())]
    business.tell(server, tape)
    eventually(lambda: world.state(tape.sid) == "downloading")
    server.terminate()
    eventually(lambda: "rain" in server.log())
    assert server.alive()
    server.terminate()
    server.wait(5)
