"""The main journey: a webhook announces a recording, callreel stores it, and people play it."""
import json
import re
import stat
from datetime import datetime, timedelta
from urllib.parse import unquote_to_bytes

import pytest

import provider as p
import sound
from callreel import eventually

pytestmark = pytest.mark.sanitized



@pytest.fixture
def ready(world, provider):
    """A server, a business, and a tape of it that is ready."""
    server = world.server()
    business = world.business(provider)
    business.viewer
    tape = provider.tape(seconds=4)
    eventually(lambda: business.webhook(server, "call", business.call_fields(tape.call_sid)).status == 204)
    business.tell(server, tape, RecordingStartTime="Thu, 01 Aug 2024 04:20:56 +0000")
    world.wait_state(tape.sid)
    return server, business, tape


@pytest.mark.threads
def test_a_webhook_brings_the_recording_to_the_disk_and_the_ear(world, ready):
    server, business, tape = ready
    answer = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer)
    assert answer.status == 200 and answer.body == tape.mp3
    assert answer.header("content-type") == "audio/mpeg"
    assert answer.header("accept-ranges") == "bytes"
    assert answer.header("cache-control") == "private, no-cache"
    assert answer.header("cache-status") == "callreel; hit"
    assert re.fullmatch(r'"[^"]+"', answer.header("etag"))
    assert answer.header("last-modified").endswith(" GMT")
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("referrer-policy") == "no-referrer"
    assert tape.downloads == 1

    row = world.row(tape.sid)
    assert row["name"] == f"{business.id}/2024/08/{tape.call_sid}.{tape.sid}.mp3"
    path = world.recordings() / row["name"]
    assert path.read_bytes() == tape.mp3 and row["bytes"] == len(tape.mp3)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    for directory in (path.parent, path.parent.parent, path.parent.parent.parent, world.recordings()):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o750, directory
    for file in world.data_dir.glob("callreel.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE((world.data_dir / "secrets.key").stat().st_mode) == 0o600
    assert (world.recordings() / ".store-id").exists()
    assert world.parts() == []


@pytest.mark.threads
def test_the_status_object_tells_the_whole_story(world, ready):
    server, business, tape = ready
    answer = server.get(f"/api/recordings/{tape.sid}/status", business.viewer)
    assert answer.status == 200 and answer.header("cache-control") == "no-store"
    status = answer.json()
    assert status.pop("duration") == pytest.approx(sound.mp3_seconds(tape.mp3), abs=0.2)
    assert status == {
        "call_sid": tape.call_sid, "recording_sid": tape.sid, "status": "ready", "retry_after": None,
        "progress": {"bytes": len(tape.mp3), "total": len(tape.mp3)}, "fail_count": 0, "next_retry_at": None,
        "error": None, "bytes": len(tape.mp3), "content_type": "audio/mpeg", "channels": 1,
        "started_at": "2024-08-01T04:20:56Z", "expires_at": None,
        "stream_url": f"/api/recordings/{tape.sid}/stream",
    }


@pytest.mark.threads
def test_a_ready_recording_plays_by_every_kind_of_range(world, ready):
    server, business, tape = ready
    data, url = tape.mp3, f"/api/recordings/{tape.sid}/stream"
    n = len(data)
    for wanted, first, last in (
        ("bytes=0-", 0, n - 1), ("bytes=0-0", 0, 0), ("bytes=100-199", 100, 199), (f"bytes={n - 1}-", n - 1, n - 1),
        ("bytes=-1", n - 1, n - 1), ("bytes=-500", n - 500, n - 1), (f"bytes=5-{n + 1000}", 5, n - 1),
        (f"bytes=-{n * 2}", 0, n - 1), ("BYTES=1-2", 1, 2),
    ):
        answer = server.get(url, business.viewer, {"Range": wanted})
        assert answer.status == 206, wanted
        assert answer.body == data[first:last + 1], wanted
        assert answer.header("content-range") == f"bytes {first}-{last}/{n}", wanted
        assert answer.header("etag"), wanted
    for wanted in (f"bytes={n}-", f"bytes={n + 5}-{n + 9}", "bytes=-0"):
        answer = server.get(url, business.viewer, {"Range": wanted})
        assert (answer.status, answer.header("content-range")) == (416, f"bytes */{n}"), wanted
    for wanted in (f"bytes={n}-,{n + 10}-{n + 20}", f"bytes=-0,{n}-"):  # several, of which none can be had
        answer = server.get(url, business.viewer, {"Range": wanted})
        assert (answer.status, answer.header("content-range")) == (416, f"bytes */{n}"), wanted
    for wanted in ("bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=", "bytes=1"):
        answer = server.get(url, business.viewer, {"Range": wanted})
        assert (answer.status, answer.body) == (200, data), wanted


def test_several_ranges_are_never_an_amplification(world, ready):
    server, business, tape = ready
    n = len(tape.mp3)
    many = "bytes=" + ",".join(["0-"] * 200)
    answer = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, {"Range": many})
    assert answer.status in (200, 206, 416)
    assert len(answer.body) <= n + 2000
    two = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, {"Range": "bytes=0-99,200-299"})
    if two.status == 206:
        assert two.header("content-type").startswith("multipart/byteranges; boundary=")
        assert tape.mp3[:100] in two.body and tape.mp3[200:300] in two.body
        assert f"bytes 200-299/{n}".encode() in two.body
    else:
        assert (two.status, two.body) == (200, tape.mp3)


def test_conditions_are_honoured(world, ready):
    server, business, tape = ready
    url = f"/api/recordings/{tape.sid}/stream"
    plain = server.get(url, business.viewer)
    etag, modified = plain.header("etag"), plain.header("last-modified")
    old, late = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    for headers, status in (
        ({"If-None-Match": etag}, 304), ({"If-None-Match": "*"}, 304), ({"If-None-Match": f'"x", {etag}'}, 304),
        ({"If-None-Match": f"W/{etag}"}, 304), ({"If-None-Match": '"x"'}, 200),
        ({"If-Modified-Since": modified}, 304), ({"If-Modified-Since": late}, 304), ({"If-Modified-Since": old}, 200),
        ({"If-Modified-Since": "gibberish"}, 200), ({"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
        ({"If-Match": etag}, 200), ({"If-Match": "*"}, 200), ({"If-Match": '"x"'}, 412), ({"If-Match": f"W/{etag}"}, 412),
        ({"If-Unmodified-Since": modified}, 200), ({"If-Unmodified-Since": old}, 412),
        ({"Range": "bytes=0-9", "If-Range": etag}, 206), ({"Range": "bytes=0-9", "If-Range": '"x"'}, 200),
        ({"Range": "bytes=0-9", "If-Range": f"W/{etag}"}, 200), ({"Range": "bytes=0-9", "If-Range": old}, 200),
        ({"Range": "bytes=0-9", "If-None-Match": etag}, 304), ({"Range": "bytes=0-9", "If-Match": '"x"'}, 412),
        ({"Range": "bytes=999999-", "If-Range": '"x"'}, 200), ({"Range": "bytes=999999-", "If-None-Match": etag}, 304),
    ):
        answer = server.get(url, business.viewer, headers)
        assert answer.status == status, (headers, answer)
        if status == 304:
            assert answer.body == b"" and answer.header("etag") == etag
            assert answer.header("cache-control") == "private, no-cache"
        if status == 200:
            assert answer.body == tape.mp3


def test_head_answers_as_get_without_a_range_would(world, ready):
    server, business, tape = ready
    url = f"/api/recordings/{tape.sid}/stream"
    with server.connect() as connection:
        auth = {"Authorization": f"Bearer {business.viewer}"}
        head = connection.call("HEAD", url, {**auth, "Range": "bytes=0-9"})
        get = connection.call("GET", url, auth)
    assert (head.status, head.body) == (200, b"")
    skip = {"date", "connection"}
    assert {k: v for k, v in head.headers if k not in skip} == {k: v for k, v in get.headers if k not in skip}
    assert head.header("content-length") == str(len(tape.mp3))


@pytest.mark.threads
def test_a_recording_is_found_by_its_call_its_child_and_its_parent(world, ready):
    server, business, tape = ready
    child, grand = p.sid("CA"), p.sid("CA")
    business.webhook_add_call(server, child, ParentCallSid=tape.call_sid, Direction="outbound-dial")
    eventually(lambda: server.get(f"/api/recordings/{child}/status", business.viewer).status == 200)
    lone = provider_tape = tape.provider.tape(seconds=2)
    business.webhook_add_call(server, grand)
    business.webhook_add_call(server, lone.call_sid, ParentCallSid=grand, Direction="outbound-dial")
    business.tell(server, lone)
    world.wait_state(lone.sid)
    for asked, owner in ((tape.call_sid, tape), (child, tape), (lone.call_sid, provider_tape), (grand, provider_tape)):
        for target in (f"/api/recordings/{asked}/stream", f"/api/recordings/file/{asked}"):
            answer = server.get(target, business.viewer)
            assert (answer.status, answer.body) == (200, owner.mp3), target
            assert owner.sid in answer.header("content-location"), target
        status = server.get(f"/api/recordings/{asked}/status", business.viewer)
        assert status.json()["recording_sid"] == owner.sid
        assert status.json()["stream_url"] == f"/api/recordings/{owner.sid}/stream"
        assert owner.sid in status.header("content-location")
    assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).header("content-location") is None


@pytest.mark.threads
def test_the_newest_usable_recording_of_a_call_is_meant(world, ready):
    server, business, tape = ready
    newer = tape.provider.tape(seconds=2)
    newer.call_sid = tape.call_sid
    business.tell(server, newer, RecordingStartTime="Thu, 01 Aug 2024 04:25:56 +0000")
    world.wait_state(newer.sid)
    newest = tape.provider.tape(seconds=2)
    newest.call_sid = tape.call_sid
    business.tell(server, newest, "absent", RecordingStartTime="Thu, 01 Aug 2024 04:29:56 +0000", ErrorCode="16102",
                  RecordingDuration="-1")
    world.wait_state(newest.sid, "failed")
    answer = server.get(f"/api/recordings/{tape.call_sid}/stream", business.viewer)
    assert (answer.status, answer.body) == (200, newer.mp3)


def test_a_download_has_a_name_for_people(world, ready):
    server, business, tape = ready
    name = "Ana/Müller \u202e\"x\"\\:*?<>|\n"
    patched = server.call("PATCH", f"/api/calls/{tape.call_sid}", {"Content-Type": "application/merge-patch+json"},
                          b'{"customer_name": "Ana/M\xc3\xbcller \xe2\x80\xae\\"x\\"\\\\:*?<>|\\n"}', business.key("agent"))
    assert patched.status == 200 and patched.json()["customer_name"] == name
    for target in (f"/api/calls/{tape.call_sid}/download", f"/api/calls/download/{tape.call_sid}",
                   f"/api/recordings/{tape.sid}/download"):
        answer = server.get(target, business.viewer)
        assert (answer.status, answer.body) == (200, tape.mp3)
        disposition = answer.header("content-disposition")
        plain = re.search(r'filename="([^"]*)"', disposition)
        assert disposition.startswith("attachment;") and plain, disposition
        # the call had no start time of its own: its name tells the recording's or the webhook's time
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}_\d{4}_\+?15005550100\.mp3", plain.group(1)), disposition
        extended = re.search(r"filename\*=UTF-8''(\S+)", disposition)
        assert extended and extended.group(1).endswith("AnaM%C3%BCller%20x.mp3"), disposition
        assert server.get(target, business.viewer, {"Range": "bytes=3-7"}).body == tape.mp3[3:8]
    for name in ("x" * 200, "ש" * 100, "é" * 100):
        patched = server.call("PATCH", f"/api/calls/{tape.call_sid}", {"Content-Type": "application/merge-patch+json"},
                              json.dumps({"customer_name": name}).encode(), business.key("agent"))
        assert patched.status == 200, patched
        disposition = server.get(f"/api/calls/{tape.call_sid}/download", business.viewer).header("content-disposition")
        extended = unquote_to_bytes(re.search(r"filename\*=UTF-8''(\S+)", disposition).group(1))
        assert len(extended) <= 255 and extended.decode().endswith(".mp3") and name[0] in extended.decode(), extended


def test_a_download_is_named_by_the_clock_that_its_reader_asks_for(world, ready):
    server, business, tape = ready
    path = f"/api/recordings/{tape.sid}/download"

    def named_at(query=""):
        name = re.search(r'filename="([^_]*_\d{4})', server.get(path + query, business.viewer).header("content-disposition"))
        return datetime.strptime(name.group(1), "%Y-%m-%d_%H%M")

    for minutes in (120, -330, 840, -840, 0):
        assert named_at(f"?utc_offset={minutes}") - named_at() == timedelta(minutes=minutes)
    for wrong in ("841", "-841", "", "x", "1.5", "9" * 30):
        answer = server.get(f"{path}?utc_offset={wrong}", business.viewer)
        assert (answer.status, answer.json()["code"]) == (400, "bad_request"), wrong


def test_a_call_shows_its_recordings_and_legs(world, ready):
    server, business, tape = ready
    child = p.sid("CA")
    business.webhook_add_call(server, child, ParentCallSid=tape.call_sid, Direction="outbound-dial", From="+15005550100",
                       To="+15005550123")
    def look():
        call = server.get(f"/api/calls/{tape.call_sid}", business.viewer).json()
        return call if child in call["legs"] else None
    call = eventually(look)
    assert call["call_sid"] == tape.call_sid and call["parent_call_sid"] is None
    assert call["direction"] == "inbound" and call["customer_number"] == "+15005550100"
    assert call["has_recording"] is True and call["has_transcript"] is False
    assert [r["recording_sid"] for r in call["recordings"]] == [tape.sid]
    listed = server.get("/api/calls", business.viewer).json()
    assert [c["call_sid"] for c in listed["calls"]] == [tape.call_sid] and listed["next_cursor"] is None
    legs = server.get("/api/calls?legs=all", business.viewer).json()
    assert {c["call_sid"] for c in legs["calls"]} == {tape.call_sid, child}
    told = server.get(f"/api/calls/{child}", business.viewer).json()
    assert told["parent_call_sid"] == tape.call_sid and told["customer_number"] == "+15005550100"


@pytest.mark.threads
def test_the_simulator_and_the_service_play_a_whole_day(world):
    """Call and recording webhooks by the simulator itself, doubled and shuffled."""
    server = world.server()
    simulator = world.simulator(webhooks=f"http://127.0.0.1:{server.port}/webhooks/twilio/1")
    business = world.business(simulator)
    assert business.id == 1
    made = [simulator.make_call(seconds=2, legs=legs, direction=direction, faults=faults)
            for legs, direction, faults in ((1, "inbound", []), (2, "inbound", ["dup"]), (2, "outbound", ["shuffle"]))]
    for call in made:
        world.wait_state(call["recording_sid"])
        answer = server.get(f"/api/recordings/{call['call_sid']}/stream", business.viewer)
        assert answer.body == simulator.media(call["recording_sid"]).body
        assert len(answer.body) == call["sizes"]["mp3"]
        if call.get("child_call_sid"):
            assert server.get(f"/api/recordings/{call['child_call_sid']}/stream", business.viewer).body == answer.body
        assert simulator.counts(call["recording_sid"])["downloads"] == 2  # the service's and this story's
