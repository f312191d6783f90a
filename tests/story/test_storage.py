"""Full disks, missing files, and a database that is locked or missing."""
import json
import os
import sqlite3
import subprocess
import threading
import time

import pytest

import provider as p
from callreel import eventually
from events import Stream
from wire import at_once

MEDIA = {"Range": "bytes=0-", "Prefer": "wait=54"}


class Volume:
    """A small volume of its own."""

    def __init__(self, path, kib):
        self.path = path
        path.mkdir(mode=0o750)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=750", "callreel-story", str(path)],
                              capture_output=True)
        if done.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr!r}")

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)

    def close(self):
        subprocess.run(["umount", "-l", str(self.path)], check=True)


@pytest.fixture
def volume(world, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    made = []

    def make(kib):
        made.append(Volume(tmp_path / "volume", kib))
        world.settings["RECORDINGS_DIR"] = made[0].path / "recordings"
        return made[0]

    yield make
    for one in made:
        one.close()


def begin(world, provider, **settings):
    server = world.server(**settings)
    business = world.business(provider)
    business.viewer  # made before anything is harmed
    return server, business


def test_a_full_disk_is_a_failure_that_passes(world, provider, volume):
    disk = volume(256)
    server, business = begin(world, provider)
    kept, big = provider.tape(seconds=5), provider.tape(seconds=100)
    business.tell(server, kept)
    world.wait_state(kept.sid)
    business.tell(server, big)
    row = world.wait_state(big.sid, "failed")
    assert (row["error_code"], row["for_good"]) == ("storage_full", 0)
    play = server.get(f"/api/recordings/{big.sid}/stream", business.viewer, MEDIA)
    assert (play.status, play.code()) == (503, "storage_full")
    assert server.get(f"/api/recordings/{kept.sid}/stream", business.viewer).body == kept.mp3
    eventually(lambda: not world.parts())
    disk.remount("size=4m")
    world.pass_time_until(lambda: world.state(big.sid) == "ready", step=10, within=120)
    assert world.file_of(big.sid).read_bytes() == big.mp3


def written(world):
    """The writes of the queue so far: the number of the last change, and the fencing tokens that were given out."""
    return world.sql("select (select max(seq) from changes) last, (select sum(lease_token) from recordings) tokens")[0]


def waits_of(world, server, business):
    """The reason of every queued recording, from each interface that shows it."""
    queued = [row["recording_sid"] for row in world.sql("select recording_sid from recordings where status = 'queued'")]
    looks = [server.get(f"/api/recordings/{one}/status", business.viewer).json()["error"]["code"] for one in queued]
    calls = server.get("/api/calls?recording_status=queued&limit=100", business.viewer).json()["calls"]
    rows = [one["error"]["code"] for call in calls for one in call["recordings"]]
    play = queued and server.get(f"/api/recordings/{queued[0]}/stream", business.viewer, {"Prefer": "respond-async"}).json()
    status = json.loads(world.done("status", "--json"))
    assert (status["storage_full_since"] is not None) == (status["workers_full"] > 0)
    assert ("storage_full" in world.done("status")) == (status["workers_full"] > 0)
    assert ("storage_full" in world.run("check").stdout) == (status["workers_full"] > 0)
    return {"status": looks, "list": rows, "play": play and play["error"]["code"], "full": status["workers_full"]}


def test_below_the_free_bytes_no_fill_begins(world, provider, volume):
    disk = volume(2048)
    server, business = begin(world, provider, MIN_FREE_BYTES=1024 * 1024, ADMIN_LISTEN="127.0.0.1:0")
    kept = provider.tape(seconds=5)
    business.tell(server, kept)
    world.wait_state(kept.sid)
    tapes = [provider.tape(seconds=5) for _ in range(20)]
    with Stream(server, business.viewer) as stream:
        ballast = disk.path / "ballast"
        ballast.write_bytes(bytes(1400 * 1024))
        eventually(lambda: server.log_lines("Storage is full"))
        stream.until(lambda e: e.kind == "reset")  # queued recordings look different now
        for tape in tapes:
            business.tell(server, tape)
        event = stream.status(tapes[0].sid, "queued").json()
        assert event["error"]["code"] == "storage_full"
    before = written(world)
    for _ in range(6):
        world.pass_time(20)
    assert written(world) == before
    for tape in tapes:
        row = world.row(tape.sid)
        assert (row["status"], row["fail_count"], len(tape.asks)) == ("queued", 0, 0)
    reasons = waits_of(world, server, business)
    assert reasons == {"status": ["storage_full"] * 20, "list": ["storage_full"] * 20, "play": "storage_full", "full": 1}
    assert server.get(f"/api/recordings/{kept.sid}/stream", business.viewer).body == kept.mp3
    ballast.unlink()
    world.pass_time_until(lambda: all(world.state(tape.sid) == "ready" for tape in tapes), step=5, within=65)
    eventually(lambda: json.loads(world.done("status", "--json"))["workers_full"] == 0)
    assert waits_of(world, server, business) == {"status": [], "list": [], "play": [], "full": 0}
    assert server.figures()['callreel_fills_total{result="no_room"}'] == 0
    assert len(server.log_lines("Storage is full")) == 1
    assert len(server.log_lines("Storage has room again")) == 1


@pytest.mark.sanitized
@pytest.mark.threads
def test_storage_is_full_while_every_worker_is_and_each_process_says_so(world, provider):
    web = world.server("web", role="web")
    full = world.server("full", role="worker", MIN_FREE_BYTES=1 << 60)
    business = world.business(provider)
    tape = provider.tape(seconds=5)
    business.tell(web, tape)
    look = lambda: web.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()
    eventually(lambda: look()["error"] == {"code": "storage_full", "message": "There is no room on the disk for recordings."})
    assert look()["status"] == "queued" and tape.asks == []
    world.server("roomy", role="worker")
    world.wait_state(tape.sid)
    gate = threading.Event()
    waiting = [provider.tape(seconds=5) for _ in range(4)]  # one more than a business may fill at a time
    for one in waiting:
        one.default = p.hold(gate)
        business.tell(web, one)
    eventually(lambda: sum(len(one.asks) for one in waiting) == 3)
    queued = next(one for one in waiting if not one.asks)
    status = lambda: web.get(f"/api/recordings/{queued.sid}/status", business.viewer).json()
    eventually(lambda: status()["error"] is None, 5)
    assert status()["status"] == "queued"
    gate.set()
    assert full.alive() and full.log_lines("Storage is full")


def test_a_directory_that_cannot_be_written_keeps_webhooks_and_what_is_ready(world, provider, volume):
    disk = volume(4096)
    server, business = begin(world, provider)
    kept = provider.tape(seconds=5)
    business.tell(server, kept)
    world.wait_state(kept.sid)
    disk.remount("ro")
    try:
        tape = provider.tape(seconds=5)
        business.tell(server, tape)
        row = world.wait_state(tape.sid, "failed")
        assert (row["error_code"], row["for_good"]) == ("storage_error", 0)
        assert server.get(f"/api/recordings/{kept.sid}/stream", business.viewer).body == kept.mp3
    finally:
        disk.remount("rw")
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=5, within=120)


def test_a_purge_takes_the_parts_of_its_business_and_nobody_elses(world, provider):
    server, business = begin(world, provider)
    other = world.business(provider, name="Other")
    gates = [threading.Event(), threading.Event()]
    tapes = [provider.tape(seconds=5), provider.tape(seconds=5)]
    for one, tape, gate in zip((business, other), tapes, gates):
        tape.default = p.hold(gate)
        one.tell(server, tape)
        eventually(lambda: tape.asks)
    server.kill()
    parts = [world.recordings() / ".parts" / f"{one.id}.{tape.sid}.1" for one, tape in zip((business, other), tapes)]
    assert all(part.exists() for part in parts)
    for gate in gates:
        gate.set()
    world.done("business", "remove", business.id, "--purge")
    assert [part.exists() for part in parts] == [False, True]


@pytest.mark.sanitized
@pytest.mark.parametrize("harm", ["deleted", "cut", "grown"])
@pytest.mark.parametrize("hot", [False, True])
def test_a_file_that_is_gone_or_of_another_length_is_fetched_again_by_a_play(world, provider, harm, hot):
    server, business = begin(world, provider)
    tape = provider.tape(seconds=10)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    url = f"/api/recordings/{tape.sid}/stream"
    if hot:
        assert server.get(url, business.viewer).body == tape.mp3
    world.pass_time(61)  # the cooldown
    path = world.file_of(tape.sid)
    if harm == "deleted":
        path.unlink()
    elif harm == "cut":
        os.truncate(path, 5000)
    else:
        path.write_bytes(tape.mp3 + b"more")
    before = world.row(tape.sid)
    status = server.get(f"/api/recordings/{tape.sid}/status", business.viewer)
    assert status.status == 200 and world.row(tape.sid) == before  # a look never acts
    server.get("/api/calls", business.viewer)
    assert world.row(tape.sid) == before and tape.downloads == 1

    def play(i, ready):
        ready()
        return server.get(url, business.viewer, MEDIA)

    def healed():
        for answer in at_once(8, play):
            assert answer.status == 206 and answer.body == tape.mp3[:len(answer.body)], answer
            assert harm == "cut" or answer.complete, answer
        return tape.downloads == 2 and world.state(tape.sid) == "ready"

    eventually(healed, 10)
    assert world.file_of(tape.sid).read_bytes() == tape.mp3
    assert server.get(url, business.viewer).body == tape.mp3
    assert tape.downloads == 2 and "level=warn" in server.log()


def test_a_whole_file_under_its_name_is_found_and_not_downloaded(world, provider):
    server, business = begin(world, provider)
    tape = provider.tape(seconds=10)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    world.pass_time(61)  # the cooldown
    path = world.file_of(tape.sid)
    path.rename(world.directory / "kept")
    gate = threading.Event()
    tape.default = p.hold(gate)
    answer = server.post(f"/api/recordings/{tape.sid}/prepare", business.viewer)
    assert answer.status == 202
    eventually(lambda: len(tape.asks) == 2)
    os.link(world.directory / "kept", path)  # while a fill is under way: it is verified and taken instead
    gate.set()
    world.wait_state(tape.sid)
    assert path.stat().st_ino == (world.directory / "kept").stat().st_ino
    assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3
    # and before one: no request at all
    other = provider.tape(seconds=10)
    business.tell(server, other, "in-progress", RecordingStartTime="Thu, 01 Aug 2024 04:20:56 +0000")
    place = world.recordings() / f"{business.id}/2024/08"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{other.call_sid}.{other.sid}.mp3").write_bytes(other.mp3)
    play = server.get(f"/api/recordings/{other.sid}/stream", business.viewer, MEDIA)
    assert play.body == other.mp3
    world.wait_state(other.sid)
    assert other.asks == []


def test_a_database_that_is_held_refuses_webhooks_and_plays_on(world, provider):
    server, business = begin(world, provider)
    tape = provider.tape(seconds=5)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    holder = sqlite3.connect(world.database, isolation_level=None, timeout=30)
    holder.execute("begin exclusive")
    try:
        fields = business.call_fields(p.sid("CA"))

        def act(i, ready):
            ready()
            if i == 0:
                return business.webhook(server, "call", fields)
            return server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)

        webhook, *plays = at_once(20, act)
        assert webhook.status == 503 and int(webhook.header("retry-after")) >= 1, webhook
        assert all(answer.status == 206 and answer.body == tape.mp3 for answer in plays)
        assert server.get("/readyz").status == 200
    finally:
        holder.execute("rollback")
        holder.close()
    eventually(lambda: business.webhook(server, "call", fields).status == 204)
    other = provider.tape()
    business.tell(server, other)
    world.wait_state(other.sid)


def test_a_database_that_is_gone_and_comes_back(world, provider):
    server, business = begin(world, provider)
    tape = provider.tape(seconds=5)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    for _ in range(40):  # hot in every loop
        assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3
    names = [path.name for path in world.data_dir.glob("callreel.db*")]
    for name in names:
        (world.data_dir / name).rename(world.directory / name)
    fields = business.call_fields(p.sid("CA"))
    answers = [business.webhook(server, "call", fields) for _ in range(3)]
    assert all(answer.status == 503 for answer in answers), answers
    assert not world.database.exists()
    assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3
    eventually(lambda: server.get("/readyz").json()["degraded"] == ["database"])
    assert server.get("/readyz").status == 200
    for name in names:
        if (world.directory / name).exists():
            (world.directory / name).rename(world.data_dir / name)
    eventually(lambda: business.webhook(server, "call", fields).status == 204)
    eventually(lambda: server.get("/readyz").json()["degraded"] == [])
    assert [row["call_sid"] for row in world.sql("select call_sid from calls where call_sid = ?", fields["CallSid"])]
    other = provider.tape()
    business.tell(server, other)
    world.wait_state(other.sid)


def test_another_store_than_the_databases_is_not_ready(world, provider, tmp_path):
    server, business = begin(world, provider)
    tape = provider.tape(seconds=5)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    server.stop()
    lost = world.launch("lost", RECORDINGS_DIR=tmp_path / "elsewhere")
    lost.wait_port()
    answer = eventually(lambda: (lambda a: a if a.status == 503 else None)(lost.get("/readyz")))
    assert b"shared" in answer.body and str(tmp_path).encode() not in answer.body
    play = lost.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
    assert play.status == 503, play
    assert world.state(tape.sid) == "ready" and not (tmp_path / "elsewhere").exists()
    assert tape.downloads == 1


def put_by_hand(world, tape, content):
    """Puts a file where the recording's first fill would publish it."""
    row = world.row(tape.sid)
    month = time.strftime("%Y/%m", time.gmtime((row["started_at"] or row["first_seen_at"]) / 1000))
    path = world.recordings() / "1" / month / f"{row['call_sid']}.{tape.sid}.mp3"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def failed_in_backoff(provider, business, server):
    tape = provider.tape(seconds=5)
    tape.default = p.status(403)
    business.tell(server, tape)
    return tape


def failed_permanently(provider, business, server):
    tape = provider.tape(seconds=5)
    business.tell(server, tape, "absent")
    return tape


@pytest.mark.parametrize("fail", [failed_in_backoff, failed_permanently])
@pytest.mark.sanitized
def test_a_file_put_by_hand_counts_at_the_next_play_also_of_a_failed_recording(world, provider, fail):
    server, business = begin(world, provider)
    played, prepared = [fail(provider, business, server) for _ in range(2)]
    for tape in (played, prepared):
        world.wait_state(tape.sid, "failed")
        asks = len(tape.asks)
        assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA).status in (503, 404)
        assert (world.state(tape.sid), len(tape.asks)) == ("failed", asks)
        put_by_hand(world, tape, tape.mp3)
    answer = server.get(f"/api/recordings/{played.sid}/stream", business.viewer, MEDIA)
    assert (answer.status, answer.body) == (206, played.mp3)
    answer = server.post(f"/api/recordings/{prepared.sid}/prepare", business.viewer)
    assert answer.status in (200, 202)
    world.wait_state(prepared.sid)
    for tape in (played, prepared):
        assert len(tape.asks) == asks and world.row(tape.sid)["fail_count"] == 0


def test_a_file_put_by_hand_counts_while_the_provider_does_not_have_the_recording_yet(world, provider):
    server, business = begin(world, provider)
    tape = provider.tape(seconds=5)
    tape.default = p.status(404)
    business.tell(server, tape)
    world.pass_time_until(lambda: (world.row(tape.sid)["asks_404"] or 0) >= 7, step=3)
    world.clock.advance(20)  # the next attempt follows 60 s after the seventh
    asks = len(tape.asks)
    assert world.state(tape.sid) == "queued"
    put_by_hand(world, tape, tape.mp3)
    answer = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
    assert (answer.status, answer.body, len(tape.asks)) == (206, tape.mp3, asks)


def test_a_wrong_file_put_by_hand_is_set_aside_and_the_back_off_goes_on(world, provider):
    server, business = begin(world, provider)
    tape = failed_in_backoff(provider, business, server)
    world.wait_state(tape.sid, "failed")
    path = put_by_hand(world, tape, b"<html>" + b"no audio " * 500)
    assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA).status == 503
    row = world.row(tape.sid)
    assert (row["status"], row["fail_count"], len(tape.asks)) == ("failed", 2, 2)
    assert not path.exists() and list(path.parent.glob("*.bad"))
    assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA).status == 503
    assert len(tape.asks) == 2


def hang_all_places(provider, business, server):
    """Downloads that hang take every place that this business may have, also that of a play."""
    gate = threading.Event()
    hung = [provider.tape(seconds=5) for _ in range(2)]
    for tape in hung:
        tape.default = p.hold(gate)
        business.tell(server, tape)
    play = {"Prefer": "respond-async"}
    for tape in hung:
        server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, play)
    eventually(lambda: all(tape.asks for tape in hung))
    return gate


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_file_put_by_hand_counts_while_every_place_for_downloads_is_taken(world, provider):
    server, business = begin(world, provider, DOWNLOADS_PER_BUSINESS=1, DOWNLOADS_TOTAL=2)
    gate = hang_all_places(provider, business, server)
    right, wrong, late = [provider.tape(seconds=5) for _ in range(3)]
    for tape in (right, wrong, late):
        business.tell(server, tape)
    put_by_hand(world, right, right.mp3)
    bad = put_by_hand(world, wrong, b"<html>" + b"no audio " * 500)
    answer = server.get(f"/api/recordings/{right.sid}/stream", business.viewer, MEDIA)
    assert (answer.status, answer.body, right.asks) == (206, right.mp3, [])
    # A wrong one is set aside, and its recording waits for a download like any other.
    url = f"/api/recordings/{wrong.sid}/stream"
    answer = server.get(url, business.viewer, {"Range": "bytes=0-", "Prefer": "wait=1"})
    assert (answer.status, answer.json()["status"]) == (202, "queued")
    eventually(lambda: not bad.exists() and list(bad.parent.glob("*.bad")))
    eventually(lambda: world.row(wrong.sid)["lease_until"] is None)
    assert world.row(wrong.sid)["file_seen_at"] is None and wrong.asks == []
    # A prepare counts as well; checks take no place from downloads.
    put_by_hand(world, late, late.mp3)
    assert server.post(f"/api/recordings/{late.sid}/prepare", business.viewer).status in (200, 202)
    world.wait_state(late.sid)
    assert late.asks == [] and world.sql("select fills from businesses")[0]["fills"] == 2
    gate.set()
    world.wait_state(wrong.sid)
    assert server.get(url, business.viewer).body == wrong.mp3 and wrong.downloads == 1
    eventually(lambda: world.sql("select fills from businesses")[0]["fills"] == 0)


def test_many_files_put_by_hand_are_checked_while_no_download_may_begin(world, provider):
    server, business = begin(world, provider, DOWNLOADS_PER_BUSINESS=1, DOWNLOADS_TOTAL=2)
    gate = hang_all_places(provider, business, server)
    world.server("another", role="worker", DOWNLOADS_PER_BUSINESS=1, DOWNLOADS_TOTAL=2)
    tapes = [provider.tape(seconds=1 + n % 3) for n in range(60)]
    for tape in tapes:
        business.tell(server, tape)
        put_by_hand(world, tape, tape.mp3)
    assert {server.post(f"/api/recordings/{tape.sid}/prepare", business.viewer).status for tape in tapes} <= {200, 202}
    for tape in tapes:
        world.wait_state(tape.sid)
        assert tape.asks == []
    assert world.sql("select count(*) n from recordings where file_seen_at is not null")[0]["n"] == 0
    gate.set()
