"""Each fault of a provider, and how the recording ends after it."""
import gzip
import threading
from email.utils import formatdate

import pytest

import provider as p
import sound
from callreel import eventually

MEDIA = {"Range": "bytes=0-"}


@pytest.fixture
def simulated(world):
    server = world.server()
    simulator = world.simulator()
    business = world.business(simulator)

    def make(*faults, seconds=10):
        made = simulator.make_call(seconds=seconds, faults=list(faults))
        fields = {"AccountSid": business.account_sid, "CallSid": made["call_sid"], "RecordingSid": made["recording_sid"],
                  "RecordingUrl": made["recording_url"], "RecordingStatus": "completed", "RecordingDuration": str(seconds)}
        assert business.webhook(server, "recording", fields).status == 204
        return made["recording_sid"]

    return server, simulator, business, make


@pytest.mark.parametrize("fault, failures", [
    ("not_yet:3", []), ("429:1", ["rate_limited"]), ("500:3", []), ("500:12", ["provider_error"] * 3),
    ("cut:1", []), ("short:1", []), ("cut:3", []), ("xml:1", []), ("xml:3", ["not_audio"]), ("header_only:3", ["not_audio"]),
    ("redirect:1", []), ("slow:40000", []), ("stall:1", []), ("no_length", []), ("no_range", []), ("hang:1", ["timeout"]),
])
def test_each_fault_of_the_simulator_ends_ready(world, simulated, fault, failures):
    server, simulator, business, make = simulated
    sid = make(fault)
    seen = []

    def look():
        row = world.row(sid)
        if row["status"] == "failed" and row["fail_count"] > len(seen):
            seen.append(row["error_code"])
            status = server.get(f"/api/recordings/{sid}/status", business.viewer).json()
            assert status["status"] == "failed" and status["error"]["code"] == row["error_code"]
            assert status["next_retry_at"] and status["fail_count"] == row["fail_count"]
            play = server.get(f"/api/recordings/{sid}/stream", business.viewer, MEDIA)
            assert (play.status, play.code()) == (503, row["error_code"]) and int(play.header("retry-after")) >= 1
        return row["status"] == "ready"

    slow = fault.startswith(("slow", "stall", "not_yet", "cut", "short"))
    world.pass_time_until(look, step=1 if slow else 10, within=600, pause=0.3 if slow else 0.08)
    assert seen == failures
    answer = server.get(f"/api/recordings/{sid}/stream", business.viewer)
    extension = ".wav" if answer.header("content-type") != "audio/mpeg" else ".mp3"
    counts = simulator.counts(sid)
    if fault == "no_length":
        assert counts["downloads"] == 1
    assert answer.status == 200 and answer.header("content-length") == str(len(answer.body))
    original = simulator.media(sid, extension)
    if original.status == 200 and original.complete:
        assert answer.body == original.body
    eventually(lambda: not world.parts())


def test_one_cut_after_four_is_a_failure_and_recovers(world, simulated):
    server, simulator, business, make = simulated
    sid = make("cut:4", "no_range")
    world.pass_time_until(lambda: world.state(sid) == "failed", step=1, within=30)
    assert world.row(sid)["error_code"] in ("truncated", "provider_error")
    world.pass_time_until(lambda: world.state(sid) == "ready", step=5, within=120)


@pytest.mark.sanitized
@pytest.mark.threads
def test_refused_credentials_stop_the_account_until_new_ones_come(world, provider):
    server = world.server()
    right = provider.token
    provider.token = "0" * 32  # the provider wants another token than the business has
    business = world.business(type("At", (), dict(account_sid=provider.account_sid, token=right, base_url=provider.base_url)))
    first = provider.tape()
    business.tell(server, first)
    row = world.wait_state(first.sid, "failed")
    assert row["error_code"] == "auth_failed" and row["next_retry_at"] in (None, 0) and row["for_good"] == 0
    asked = len(provider.asks)
    second = provider.tape()
    business.tell(server, second)
    world.pass_time(11)
    assert len(provider.asks) == asked
    server.get(f"/api/recordings/{first.sid}/stream", business.viewer, MEDIA)  # a person's play tries at once
    eventually(lambda: len(provider.asks) == asked + 1)
    world.wait_state(first.sid, "failed")
    assert "auth_failed" in world.done("status", "--json") or "refused" in world.done("status", "--json")
    waiting = eventually(lambda: (lambda s: s if s["error"] else None)(
        server.get(f"/api/recordings/{second.sid}/status", business.viewer).json()))
    assert (waiting["status"], waiting["error"]["code"]) == ("queued", "auth_failed")
    for tape in (first, second):
        play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, {"Prefer": "wait=0", **MEDIA})
        assert (play.status, play.code()) == (503, "auth_failed") and int(play.header("retry-after")) >= 1
    assert len(provider.asks) == asked + 1
    world.secrets.add(provider.token)
    world.done("business", "set", business.id, "--auth-token-file", world.secret_file(provider.token))
    for tape in (first, second):
        world.wait_state(tape.sid)
    answer = server.get(f"/api/recordings/{first.sid}/stream", business.viewer)
    assert answer.body == first.mp3


@pytest.mark.sanitized
@pytest.mark.threads
def test_the_second_token_is_tried_before_the_account_stops(world, provider):
    server = world.server()
    business = world.business(provider)
    world.secrets.add("0" * 32)
    world.done("business", "set", business.id, "--auth-token-file", world.secret_file("0" * 32), "--auth-token-file",
               world.secret_file(provider.token))
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    assert not server.log_lines("Recording failed")


@pytest.mark.sanitized
@pytest.mark.threads
def test_one_recording_that_is_refused_stops_no_other_where_others_succeed(world, provider):
    server = world.server()
    business = world.business(provider)
    first, refused = provider.tape(), provider.tape()
    refused.default = p.status(401)
    business.tell(server, first)
    world.wait_state(first.sid)
    for n in range(1, 4):
        if n == 1:
            business.tell(server, refused)
        row = eventually(lambda: (lambda r: r if r["fail_count"] == n else None)(world.row(refused.sid)))
        assert (row["status"], row["error_code"], row["for_good"]) == ("failed", "auth_failed", 0)
        assert 0.79 <= (row["next_retry_at"] - row["failed_at"]) / (30_000 * 2 ** (n - 1)) <= 1.21  # its own back-off
        asks = len(refused.asks)
        play = server.get(f"/api/recordings/{refused.sid}/stream", business.viewer, MEDIA)
        assert (play.status, play.code()) == (503, "auth_failed") and 1 <= int(play.header("retry-after")) <= 145
        assert len(refused.asks) == asks
        other = provider.tape()
        business.tell(server, other)
        world.wait_state(other.sid)
        if n < 3:
            world.pass_time_until(lambda: world.row(refused.sid)["fail_count"] == n + 1, step=5, within=100)
    assert world.sql("select auth_failed_at a from businesses")[0]["a"] is None
    refused.default = p.whole
    world.pass_time_until(lambda: world.state(refused.sid) == "ready", step=20, within=200)


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_second_recording_that_is_refused_stops_the_account(world, provider):
    """The credentials were good until now: the first refusal may be about the recording, the second is not."""
    server = world.server()
    business = world.business(provider)
    good = provider.tape()
    business.tell(server, good)
    world.wait_state(good.sid)
    provider.outage = p.status(401)
    tapes = [provider.tape() for _ in range(5)]
    for tape in tapes[:2]:
        business.tell(server, tape)
        world.wait_state(tape.sid, "failed")
    assert all(row["next_retry_at"] is None for row in (world.row(t.sid) for t in tapes[:2]))  # both wait for the account
    asked = len(provider.asks)
    for tape in tapes[2:]:
        business.tell(server, tape)
    world.pass_time(20)
    assert len(provider.asks) == asked
    world.pass_time_until(lambda: len(provider.asks) == asked + 1, step=5, within=30)  # the trial is one that was not refused
    assert provider.asks[-1].tape in tapes[2:]
    provider.outage = None
    world.pass_time_until(lambda: all(world.state(t.sid) == "ready" for t in tapes), step=10, within=700)


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_play_waits_for_the_trial_that_it_causes(world, provider):
    server = world.server()
    business = world.business(provider)
    provider.outage = p.status(401)
    tape, other = provider.tape(), provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid, "failed")
    business.tell(server, other)
    eventually(lambda: server.get(f"/api/recordings/{other.sid}/status", business.viewer).json()["error"])
    world.pass_time(11)
    asked = len(provider.asks)
    play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, {"Prefer": "wait=54", **MEDIA}, timeout=20)
    assert (play.status, play.code()) == (503, "auth_failed")  # its trial was refused, which ends its wait
    assert len(provider.asks) == asked + 1 and provider.asks[-1].tape is tape
    world.pass_time(11)
    play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, {"Prefer": "respond-async", **MEDIA})
    assert (play.status, play.code()) == (503, "auth_failed")  # this one does not wait
    eventually(lambda: len(provider.asks) == asked + 2)
    world.wait_state(tape.sid, "failed")
    world.pass_time(11)
    gate = threading.Event()
    provider.outage = p.hold(gate)
    threading.Timer(0.2, gate.set).start()
    play = server.get(f"/api/recordings/{other.sid}/stream", business.viewer, MEDIA)
    assert (play.status, play.body) == (206, other.mp3)
    provider.outage = None
    world.wait_state(tape.sid)  # the trial that succeeded released it


def test_trials_find_that_credentials_are_good_again(world, provider):
    server = world.server()
    business = world.business(provider)
    tapes = [provider.tape() for _ in range(3)]
    provider.outage = p.status(401)
    for tape in tapes:
        business.tell(server, tape)
    eventually(lambda: world.sql("select count(*) n from recordings where error_code = 'auth_failed'")[0]["n"] >= 1)
    asked = len(provider.asks)
    for _ in range(29):
        world.pass_time(60)
    assert 5 <= len(provider.asks) - asked <= 8
    provider.outage = None
    world.pass_time_until(lambda: all(world.state(t.sid) == "ready" for t in tapes), step=30, within=700)


@pytest.mark.long
def test_an_hour_of_errors_is_survived_without_help(world, provider):
    server = world.server()
    business = world.business(provider)
    kinds = [p.status(500), p.status(503), p.Ask.reset, p.status(429), p.status(502)]
    tapes = [provider.tape() for _ in range(10)]
    provider.outage = kinds[0]
    for tape in tapes:
        business.tell(server, tape)
    for minute in range(60):
        provider.outage = kinds[minute // 12]
        world.pass_time(60)
    for tape in tapes:
        row = world.row(tape.sid)
        assert row["status"] in ("failed", "queued") and row["for_good"] == 0, row
    assert len(provider.asks) < 10 * 40
    provider.outage = None
    world.pass_time_until(lambda: all(world.state(t.sid) == "ready" for t in tapes), step=30, within=2500)


def test_a_provider_that_keeps_failing_is_tried_by_one_fill_at_a_time(world, provider):
    server = world.server()
    business = world.business(provider)
    provider.outage = p.status(501)
    tapes = [provider.tape() for _ in range(8)]
    for tape in tapes:
        business.tell(server, tape)
    world.pass_time_until(lambda: len(provider.asks) >= 6, step=2, within=200)
    gate = threading.Event()
    held, lock = [], threading.Lock()

    def hold(ask):
        with lock:
            held.append(ask)
        p.hold(gate)(ask)

    provider.outage = hold
    world.pass_time_until(lambda: held, step=10, within=1300)
    for _ in range(4):
        world.pass_time(10)  # below the 60 s that a first byte may take
    assert len(held) == 1
    provider.outage = None
    gate.set()
    world.pass_time_until(lambda: all(world.state(t.sid) == "ready" for t in tapes), step=30, within=2500)


def test_not_yet_becomes_not_found_after_five_minutes(world, provider):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    tape.default = p.status(404)
    business.tell(server, tape)
    eventually(lambda: len(tape.asks) == 1)
    row = eventually(lambda: (lambda r: r if r["error_code"] else None)(world.row(tape.sid)))
    assert (row["status"], row["error_code"], row["fail_count"]) == ("queued", "not_yet_available", 0)
    status = server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()
    assert status["status"] == "queued" and status["error"]["code"] == "not_yet_available" and 1 <= status["retry_after"] <= 8
    for expected, wait in ((2, 2), (5, 3), (8, 5), (11, 8), (14, 8), (17, 60), (20, 220)):  # three formats from the third ask on
        due = row["next_ask_at"]
        row = world.pass_time_to_attempt(tape.sid)
        assert row["next_ask_at"] >= due + wait * 1000
        assert (len(tape.asks), row["status"], row["fail_count"]) == (expected, "queued", 0)
    assert [ask.path.rpartition(".")[2] for ask in tape.asks[2:5]][:2] == ["mp3", "wav"]
    world.pass_time(100)
    assert len(tape.asks) == 20 and world.state(tape.sid) == "queued"
    row = world.pass_time_to_attempt(tape.sid)
    assert (row["status"], row["error_code"], row["for_good"]) == ("failed", "not_found_at_provider", 0)
    while not row["for_good"]:
        row = world.pass_time_to_attempt(tape.sid)
    assert world.row(tape.sid)["fail_count"] == 8
    play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
    assert (play.status, play.code()) == (404, "not_found_at_provider")


@pytest.mark.sanitized
def test_back_offs_after_404_differ_from_each_other(world, provider):
    server = world.server()
    business = world.business(provider)
    tapes = [provider.tape() for _ in range(30)]
    waits = set()
    hour_ago = formatdate(world.clock.now_ms() / 1000 - 3600, usegmt=True)
    for tape in tapes:
        tape.default = p.status(404)
        business.tell(server, tape, RecordingStartTime=hour_ago)
    for tape in tapes:
        row = world.wait_state(tape.sid, "failed")
        waits.add(row["next_retry_at"] - row["failed_at"])
    assert all(24_000 <= wait <= 36_000 for wait in waits) and len(waits) > 10, waits
    assert min(waits) < 29_500 and max(waits) > 30_500, waits  # on both sides


@pytest.mark.sanitized
@pytest.mark.threads
def test_a_recording_that_is_refused_stops_no_other(world, provider):
    server = world.server()
    business = world.business(provider)
    refused, other = provider.tape(), provider.tape()
    refused.default = p.status(403)
    business.tell(server, refused)
    row = world.wait_state(refused.sid, "failed")
    assert (row["error_code"], row["for_good"]) == ("denied_by_provider", 0) and row["next_retry_at"]
    play = server.get(f"/api/recordings/{refused.sid}/stream", business.viewer, MEDIA)
    assert (play.status, play.code()) == (503, "denied_by_provider") and int(play.header("retry-after")) >= 1
    business.tell(server, other)
    world.wait_state(other.sid)
    while not row["for_good"]:  # by steps of a fixed length a lease could end while the provider is asked
        row = world.pass_time_to_attempt(refused.sid)
    assert row["fail_count"] == len(refused.asks) == 8
    play = server.get(f"/api/recordings/{refused.sid}/stream", business.viewer, MEDIA)
    assert (play.status, play.code()) == (502, "denied_by_provider")


@pytest.mark.sanitized
@pytest.mark.threads
def test_what_is_for_good_at_once_is_asked_once(world, provider):
    server = world.server(MAX_RECORDING_BYTES=30000)
    business = world.business(provider)
    big, endless, old = provider.tape(seconds=10), provider.tape(seconds=10), provider.tape()
    endless.default = p.unknown_length()
    old.default = p.status(404)
    business.tell(server, big)
    business.tell(server, endless)
    business.tell(server, old, RecordingStartTime="Thu, 01 Aug 2024 04:20:56 +0000")
    for tape, code, status in ((big, "too_large", 502), (endless, "too_large", 502), (old, "not_found_at_provider", 404)):
        row = world.wait_state(tape.sid, "failed")
        assert (row["error_code"], row["for_good"]) == (code, 1)
        play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
        assert (play.status, play.code()) == (status, code)
    asked = len(provider.asks)
    for _ in range(10):
        world.pass_time(600)
    assert len(provider.asks) == asked
    eventually(lambda: not world.parts())


def test_audio_that_is_not_decoded_is_kept_and_played(world, provider):
    server = world.server()
    business = world.business(provider)
    amr = b"#!AMR\n" + (b"\x3c" + b"." * 31) * 250
    aac = b"\xff\xf1\x6c\x40\x02\x1f\xfc........." * 125
    webm = (b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x1f\x43\xb6\x75\xff\xe7\x82\x1b\x58"  # a cluster at 7 s
            + b"\xa3\x88\x81\0\0\x80...." * 200)
    for data, kind, extension, duration in ((amr, "audio/amr", "amr", 5), (aac, "audio/aac", "aac", 16),
                                            (webm, "audio/webm", "webm", 7), (b"junk" * 5000 + amr, "audio/amr", "amr", 5)):
        tape = provider.tape()
        tape.default = p.content(data, {"Content-Type": "application/octet-stream"})
        business.tell(server, tape)
        world.wait_state(tape.sid, "ready")
        play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
        assert (play.status, play.body, play.header("content-type")) == (206, data, kind)
        status = server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()
        assert (status["status"], status["duration"]) == ("ready", duration)
        saved = server.get(f"/api/recordings/{tape.sid}/download", business.viewer)
        assert f".{extension}" in saved.header("content-disposition")


def test_frames_behind_a_tag_that_claims_too_much_are_played(world, provider):
    server = world.server()
    business = world.business(provider)
    tag = b"ID3\4\0\0\x7f\x7f\x7f\x7f" + b"picture " * 1000
    frames = sound.mp3(5)
    few = frames[:4 * sound.FRAME]  # too few to doubt the tag before the recording's end
    for data, duration in ((tag + frames, 5), (frames + tag + frames, 10), (tag + few, 0)):
        for act in (p.content(data), p.chunked):
            tape = provider.tape()
            tape.sounds = {"mp3": data, "wav": data}
            tape.default = act
            business.tell(server, tape)
            world.wait_state(tape.sid)
            play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
            assert (play.status, play.body) == (206, data)
            status = server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()
            assert abs(status["duration"] - duration) < 1


def test_sound_behind_a_tag_that_claims_too_much_is_played_whatever_its_kind(world, provider):
    server = world.server(RECORDING_FORMATS="mp3")
    business = world.business(provider)
    wav, amr = sound.wav(5), b"#!AMR\n" + (b"\x3c" + b"." * 31) * 250
    for claim in (b"\x7f\x7f\x7f\x7f", b"\0\0\x48\0"):  # more than the file has, and 9,216 bytes of which 8,000 are there
        for data, kind in ((wav, "audio/wav"), (amr, "audio/amr")):
            data = b"ID3\4\0\0" + claim + b"picture " * 1000 + data
            tape = provider.tape()
            tape.default = p.content(data)
            business.tell(server, tape)
            world.wait_state(tape.sid)
            play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
            assert (play.status, play.header("content-type"), play.body) == (206, kind, data)
            assert server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()["duration"] == 5


def test_headers_of_containers_alone_are_not_audio(world, provider):
    server = world.server(RECORDING_FORMATS="mp3")
    business = world.business(provider)
    webm = b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\xec\x47\xd0" + bytes(2000)
    flac = b"fLaC\0\0\0\x22" + bytes(34) + b"\x81\0\x07\xd0" + bytes(2000)
    m4a = b"\0\0\0\x10ftypM4A \0\0\2\0\0\0\x07\xd0moov" + bytes(1992)
    for data in (webm, flac, m4a, b"#!AMR\n" + b"\x64" * 2000):
        tape = provider.tape()
        tape.default = p.content(data, {"Content-Type": "audio/mp4"})
        business.tell(server, tape)
        row = world.wait_state(tape.sid, "failed")
        assert row["error_code"] == "not_audio"
        play = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, MEDIA)
        assert play.status == 503 and data[:4] not in play.body


def test_the_formats_are_tried_in_their_order(world, provider):
    server = world.server(RECORDING_FORMATS="wav-dual,wav,mp3")
    business = world.business(provider)
    dual = provider.tape(channels=2)
    business.tell(server, dual)
    world.wait_state(dual.sid)
    assert dual.asks[0].path.endswith(".wav?RequestedChannels=2") and len(dual.asks) == 1
    row = world.row(dual.sid)
    assert row["name"].endswith(".wav") and row["channels"] == 2
    mono = provider.tape(channels=2)
    mono.acts = [p.status(400)]
    business.tell(server, mono)
    world.wait_state(mono.sid)
    assert [ask.path.rpartition("/")[2] for ask in mono.asks] == [f"{mono.sid}.wav?RequestedChannels=2", f"{mono.sid}.wav"]
    for code in (400, 406, 415):
        other = provider.tape()
        other.acts = [p.status(code), p.status(code)]
        business.tell(server, other)
        world.wait_state(other.sid)
        assert [ask.path.rpartition(".")[2] for ask in other.asks] == ["wav", "wav", "mp3"], code


@pytest.mark.sanitized
@pytest.mark.threads
def test_credentials_stay_at_their_origin(world, provider):
    server = world.server()
    business = world.business(provider)
    bucket = world.provider()
    for code in (301, 302, 303, 307, 308):
        tape = provider.tape()
        bucket.pages[f"/bucket/{tape.sid}"] = lambda ask, data=tape.mp3: ask.answer(200, {"Content-Type": "audio/mpeg"}, data)
        tape.default = p.redirect(f"{bucket.base_url}/bucket/{tape.sid}?X-Signature=abc", code)
        business.tell(server, tape)
        world.wait_state(tape.sid)
        assert tape.asks[0].headers["authorization"].startswith("Basic ")
    assert len(bucket.asks) == 5
    assert all("authorization" not in ask.headers and "cookie" not in ask.headers for ask in bucket.asks)
    # at its own origin they go along
    tape, moved = provider.tape(), provider.tape()
    tape.default = p.redirect(moved.url + ".mp3")
    business.tell(server, tape)
    world.wait_state(tape.sid)
    assert "authorization" in moved.asks[0].headers
    # in a circle: an error, not a loop
    circle = provider.tape()
    circle.default = p.redirect(circle.url + ".mp3")
    business.tell(server, circle)
    row = world.wait_state(circle.sid, "failed")
    assert row["error_code"] == "provider_error" and len(circle.asks) == 6
    # elsewhere than to http
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "//", "http://user:pw@127.0.0.1:1/x"):
        tape = provider.tape()
        tape.default = p.redirect(target)
        business.tell(server, tape)
        assert world.wait_state(tape.sid, "failed")["error_code"] in ("provider_error", "forbidden_url"), target


@pytest.mark.parametrize("where", ["before the first byte", "within", "in a trickle"])
def test_waiting_for_the_provider_ends(world, provider, where):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape(seconds=20)
    never = threading.Event()

    def trickle(ask):
        ask.head(200, ask.media_headers(tape.mp3))
        ask.send(tape.mp3[:8000])
        for i in range(8000, len(tape.mp3)):
            ask.send(tape.mp3[i:i + 1])
            if never.wait(0.02) or provider.stopped:
                return
    tape.acts = [{"before the first byte": p.hang, "within": p.pause_at(8000, never), "in a trickle": trickle}[where]]
    tape.acts *= 1 if where == "before the first byte" else 4
    business.tell(server, tape)
    eventually(lambda: len(tape.asks) == 1)
    if where != "before the first byte":
        eventually(lambda: world.state(tape.sid) == "downloading")
        world.pass_time_until(lambda: len(tape.asks) == 2, step=5, within=100)
        assert world.row(tape.sid)["fail_count"] == 0
    world.pass_time_until(lambda: world.state(tape.sid) == "failed", step=5, within=500)
    assert world.row(tape.sid)["error_code"] == "timeout"
    world.pass_time_until(lambda: world.state(tape.sid) == "ready", step=5, within=200)
    assert world.file_of(tape.sid).read_bytes() == tape.mp3


@pytest.mark.sanitized
def test_the_provider_may_say_how_long_to_wait(world, provider):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    tape.acts = [p.status(429, {"Retry-After": "300"})]
    business.tell(server, tape)
    row = world.wait_state(tape.sid, "failed")
    assert row["error_code"] == "rate_limited"
    assert 290_000 <= row["next_retry_at"] - row["failed_at"] <= 310_000
    dated = provider.tape()
    until = world.clock.now_ms() / 1000 + 300
    dated.acts = [p.status(429, {"Retry-After": formatdate(until, usegmt=True)})]
    business.tell(server, dated)
    row = world.wait_state(dated.sid, "failed")
    assert 280_000 <= row["next_retry_at"] - row["failed_at"] <= 310_000
    far = provider.tape()
    far.acts = [p.status(429, {"Retry-After": "9" * 30})]
    business.tell(server, far)
    row = world.wait_state(far.sid, "failed")
    assert row["next_retry_at"] - row["failed_at"] == 20 * 60 * 1000
    plain = provider.tape()
    plain.acts = [p.status(429)]
    business.tell(server, plain)
    row = world.wait_state(plain.sid, "failed")
    assert 24_000 <= row["next_retry_at"] - row["failed_at"] <= 36_000
    world.pass_time_until(lambda: world.state(tape.sid) == world.state(plain.sid) == "ready", step=10, within=320)


@pytest.mark.sanitized
def test_odd_answers_are_errors_of_the_provider(world, provider):
    server = world.server()
    business = world.business(provider)

    def two_lengths(ask):
        ask.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\nContent-Length: 4000\r\n\r\n" + tape.mp3[:4000])
        ask.closes = True

    def no_http(ask):
        ask.send(b"\x00\x01\x02 nonsense\r\n\r\n")
        ask.closes = True

    def endless_head(ask):
        ask.send(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"b" * 500_000)
        ask.closes = True

    def transfer_coding(coding):
        def act(ask):
            body = gzip.compress(tape.mp3)
            ask.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + coding + b"\r\nConnection: close\r\n\r\n" + body)
            ask.closes = True
        return act

    for act, codes in ((p.content(tape_bytes(provider), {"Content-Encoding": "gzip"}), {"provider_error"}),
                       (transfer_coding(b"gzip"), {"provider_error"}), (transfer_coding(b"chunked, gzip"), {"provider_error"}),
                       (transfer_coding(b"deflate"), {"provider_error"}), (transfer_coding(b"nonsense"), {"provider_error"}),
                       (no_http, {"provider_error"}), (endless_head, {"provider_error"}),
                       (two_lengths, {"provider_error", "truncated", "not_audio"}), (p.status(204), None),
                       (p.status(418), {"provider_error"}),                       (p.status(410), None), (p.status(403), None)):
        tape = provider.tape()
        tape.default = act
        business.tell(server, tape)
        world.pass_time_until(lambda: world.state(tape.sid) == "failed", step=20, within=5000)
        row = world.row(tape.sid)
        assert codes is None or row["error_code"] in codes, (act, row)


@pytest.mark.parametrize("coding", ["", "identity", "aws-chunked", "aws-chunked, identity"])
def test_a_content_encoding_that_is_none_is_played(world, provider, coding):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    tape.default = p.content(tape.mp3, {"Content-Encoding": coding})
    business.tell(server, tape)
    world.wait_state(tape.sid)


def tape_bytes(provider):
    return provider.tape().mp3
