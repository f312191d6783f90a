"""What listeners get when a fill breaks, its worker is followed by another, or its file is gone."""
import threading

import pytest

import provider as p
from callreel import eventually
from test_live import FIRST, PLAIN, Apart, join, total
from test_plays import Stage


@pytest.fixture
def stage(world, provider):
    return Stage(world, provider)


@pytest.fixture
def apart(world, provider):
    return Apart(world, provider)


@pytest.mark.sanitized
@pytest.mark.threads
@pytest.mark.parametrize("processes", ["one", "two"])
def test_who_is_behind_hears_no_byte_of_what_the_provider_says_later(world, provider, processes):
    """The length is another, and then the bytes are: the part that a slow listener still reads from stays what it is."""
    stage = Stage(world, provider) if processes == "one" else Apart(world, provider).stage
    here = 6_000_000  # more than sockets hold
    gate = threading.Event()
    tape, other = stage.cold(seconds=3600), stage.provider.tape(seconds=3500)
    later = tape.mp3[:4000] + other.mp3[4000:]
    tape.acts = [p.pause_at(here, gate, then=lambda ask: ask.reset())]
    tape.default = p.content(later, {"ETag": '"other"'})
    slow, head = join(stage, tape, receive_buffer=4096)
    eventually(lambda: (world.row(tape.sid)["got"] or 0) == here, what="all that comes before the break is here")
    gate.set()
    world.wait_state(tape.sid)
    heard = slow.read_to_end()
    assert heard == tape.mp3[:len(heard)]
    after = stage.play(tape)
    assert after.body == later and after.header("etag") != head.header("etag")
    assert len(tape.asks) == 3


def test_who_waits_for_the_end_does_not_keep_looking(world, provider):
    """One look a change, not one a look."""
    stage = Apart(world, provider).stage
    gates = [threading.Event() for _ in range(6)]
    tape = stage.cold(seconds=20, acts=[p.unknown_length(*[(FIRST * (n + 1), gate) for n, gate in enumerate(gates)])])
    looks = lambda: stage.server.metric("callreel_database_read_seconds_count", key)  # noqa: E731
    key = world.platform_key
    before = looks()
    waits = stage.stream(tape, Range="bytes=100-199", Prefer="wait=54")
    for n, gate in enumerate(gates):
        eventually(lambda: (world.row(tape.sid)["got"] or 0) == FIRST * (n + 1))
        gate.set()
    answer = waits.read()
    assert answer.status == 206 and answer.body == tape.mp3[100:200]
    assert looks() - before < 100


def killed(world, apart, tape, n):
    """The n-th worker dies, and the next one takes the fill over."""
    apart.another_worker()
    apart.workers[n].kill()
    world.pass_time_until(lambda: len(tape.asks) == n + 2, step=6, within=60)


def renewed(world, tape):
    """Waits until the lease is renewed, so that the row has the fill's progress."""
    token, until = (world.row(tape.sid)[name] for name in ("lease_token", "lease_until"))
    world.pass_time(11)
    eventually(lambda: world.row(tape.sid)["lease_token"] == token and world.row(tape.sid)["lease_until"] > until)


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_second_successor_is_compared_with_all_that_was_heard(world, apart):
    """The first worker died before it had received as many bytes again: whether the bytes are the same is unknown."""
    stage = apart.stage
    gates = [threading.Event(), threading.Event()]
    tape, other = stage.cold(seconds=20), stage.provider.tape(seconds=20)
    later = tape.mp3[:6000] + other.mp3[6000:]
    tape.acts, tape.default = [p.pause_at(FIRST, gates[0]), p.pause_at(4000, gates[1])], p.content(later)
    listener, head = join(stage, tape)
    assert listener.read_some(FIRST) == tape.mp3[:FIRST]
    killed(world, apart, tape, 0)
    eventually(lambda: [part for part in world.parts() if tape.sid in part.name and part.stat().st_size == 4000])
    renewed(world, tape)
    killed(world, apart, tape, 1)
    assert listener.read_to_end() == b""
    world.wait_state(tape.sid)
    after = stage.play(tape)
    assert after.body == later and after.header("etag") != head.header("etag")


def test_what_the_next_worker_finds_gone_is_waited_for_by_nobody_new(world, apart):
    """The first worker's part is swept and the provider has no recording: running plays are cut, new ones are answered 202 or 503."""
    stage = apart.stage
    tape = stage.provider.tape(seconds=20)
    tape.acts, tape.default = [p.pause_at(FIRST, threading.Event())], p.status(404)
    stage.business.tell(stage.server, tape)
    eventually(lambda: (world.row(tape.sid)["got"] or 0) == FIRST)
    listener, _ = join(stage, tape)
    assert listener.read_some(FIRST) == tape.mp3[:FIRST]
    killed(world, apart, tape, 0)
    eventually(lambda: world.row(tape.sid)["error_code"] == "not_yet_available")
    later, head = join(stage, tape, headers={**PLAIN, "Prefer": "wait=1"})
    assert head.status == 202
    assert listener.read_to_end() == b""


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_file_that_is_gone_is_not_played_on_from_who_still_listens(world, stage):
    """Validators are those of the file that comes, in every process."""
    gate, rest = threading.Event(), threading.Event()
    tape = stage.cold(seconds=3600, acts=[p.pause_at(FIRST, gate), p.pause_at(FIRST, rest)])
    slow, first = join(stage, tape, receive_buffer=4096)  # holds the tape
    gate.set()
    world.wait_state(tape.sid)
    world.file_of(tape.sid).unlink()
    taken = b""
    for _ in range(3):
        world.pass_time(21)  # the cooldown, in which it takes enough not to be cut
        taken += slow.read_some(50_000)
    again, head = join(stage, tape)
    assert head.status == 206 and head.header("etag") != first.header("etag")
    rest.set()
    assert again.read_some(total(tape)) == tape.mp3
    world.wait_state(tape.sid)
    assert stage.play(tape).header("etag") == head.header("etag")
    assert taken + slow.read_some(total(tape) - len(taken)) == tape.mp3
