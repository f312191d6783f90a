"""The waveform: it is made while the recording is downloaded, and requests for it start no download."""
import struct
import threading

import pytest

import provider as p
from callreel import eventually

BINARY = {"Accept": "application/octet-stream"}


def read(data):
    """audiowaveform's binary data format, version 2, read by its public description."""
    version, flags, rate, step, length, channels = struct.unpack_from("<iIiiIi", data)
    assert version == 2 and flags == 1
    assert len(data) == 24 + length * channels * 2
    return {"version": 2, "channels": channels, "sample_rate": rate, "samples_per_pixel": step, "bits": 8,
            "length": length, "data": list(struct.unpack_from(f"<{length * channels * 2}b", data, 24))}


def picture_of(samples, channels, step):
    """By the definition, of interleaved 16-bit samples."""
    data = []
    for start in range(0, len(samples) // channels, step):
        for channel in range(channels):
            part = samples[start * channels + channel:(start + step) * channels:channels]
            data += [int(min(part) / 256), int(max(part) / 256)]
    return data


def waveform(server, one, key, headers=()):
    return server.get(f"/api/recordings/{one}/waveform", key, headers)


@pytest.mark.sanitized
@pytest.mark.threads
@pytest.mark.parametrize("channels", [1, 2])
def test_the_picture_is_of_every_sample_and_says_the_same_in_both_forms(world, provider, channels):
    server = world.server(RECORDING_FORMATS="wav")
    business = world.business(provider)
    tape = provider.tape(seconds=11.3, channels=channels)
    business.tell(server, tape)
    world.wait_state(tape.sid)
    samples = struct.unpack(f"<{(len(tape.sounds['wav']) - 44) // 2}h", tape.sounds["wav"][44:])
    answer = waveform(server, tape.sid, business.viewer)
    assert answer.status == 200 and answer.header("content-type") == "application/json", answer
    assert answer.header("cache-control") == "no-store"
    picture = answer.json()
    assert (picture["channels"], picture["sample_rate"], picture["bits"]) == (channels, 8000, 8)
    assert 1000 <= picture["length"] <= 8000 and len(picture["data"]) == picture["length"] * channels * 2
    assert picture["data"] == picture_of(samples, channels, picture["samples_per_pixel"])
    binary = waveform(server, tape.sid, business.viewer, BINARY)
    assert binary.header("content-type") == "application/octet-stream" and read(binary.body) == picture
    by_call = waveform(server, tape.call_sid, business.viewer)
    assert by_call.json() == picture
    assert by_call.header("content-location") == f"/api/recordings/{tape.sid}/waveform"
    head = server.call("HEAD", f"/api/recordings/{tape.sid}/waveform", key=business.viewer)
    assert head.status == 200 and head.header("content-length") == str(len(answer.body))


def test_the_picture_of_real_speech_is_as_long_as_the_recording(world):
    server = world.server()
    simulator = world.simulator(webhooks=f"http://127.0.0.1:{server.port}/webhooks/twilio/1")
    business = world.business(simulator)
    made = simulator.make_call(seconds=30, channels=2)
    row = world.wait_state(made["recording_sid"])
    picture = read(waveform(server, made["recording_sid"], business.viewer, BINARY).body)
    seconds = picture["length"] * picture["samples_per_pixel"] / picture["sample_rate"]
    assert abs(seconds - row["duration_ms"] / 1000) < 0.2 and picture["channels"] == row["channels"]
    assert max(picture["data"]) > 10 and min(picture["data"]) < -10  # somebody speaks


def test_a_look_at_what_is_not_here_fetches_nothing_and_says_when_to_look_again(world, provider):
    server = world.server()
    business = world.business(provider)
    gate = threading.Event()
    missing, waiting, failed = provider.tape(), provider.tape(), provider.tape()
    business.tell(server, missing, "in-progress", RecordingDuration="-1")
    waiting.acts = [p.pause_at(4000, gate)]
    failed.default = p.status(500)
    business.tell(server, waiting)
    business.tell(server, failed)
    world.wait_state(waiting.sid, "downloading")
    world.wait_state(failed.sid, "failed")
    for tape, retry in ((missing, None), (waiting, True), (failed, None)):
        answer = waveform(server, tape.sid, business.viewer)
        assert answer.status == 404 and (answer.header("retry-after") is not None) == bool(retry), answer
    assert not missing.asks and world.state(missing.sid) == "missing"
    gate.set()
    world.wait_state(waiting.sid)
    assert waveform(server, waiting.sid, business.viewer).status == 200
    unknown = "RE" + "0" * 32
    assert waveform(server, unknown, business.viewer).status == 404
    assert waveform(server, "RE1", business.viewer).status == 400
    assert waveform(server, waiting.sid, None).status == 401


def test_a_signed_url_shows_the_picture_of_its_recording_alone(world, provider):
    server = world.server()
    business, other = world.business(provider), world.business(world.provider(), name="Beta")
    tapes = provider.tape(), provider.tape()
    for tape in tapes:
        business.tell(server, tape)
        world.wait_state(tape.sid)
    url = server.post(f"/api/recordings/{tapes[0].sid}/url", business.key("agent")).json()["url"]
    query = url.partition("?")[2]
    assert server.get(f"/api/recordings/{tapes[0].sid}/waveform?{query}").status == 200
    assert server.get(f"/api/recordings/{tapes[1].sid}/waveform?{query}").status == 401
    assert waveform(server, tapes[0].sid, other.viewer).status == 404


def test_a_file_that_was_found_has_its_picture_too_and_a_gone_one_none(world, provider):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    picture = waveform(server, tape.sid, business.viewer).json()
    path = world.file_of(tape.sid)
    kept = path.read_bytes()
    path.unlink()
    assert server.post(f"/api/recordings/{tape.sid}/prepare", business.viewer).status == 202
    world.wait_state(tape.sid, "missing")  # it was enqueued just before
    assert waveform(server, tape.sid, business.viewer).status == 404
    path.write_bytes(kept)
    path.chmod(0o640)
    assert server.post(f"/api/recordings/{tape.sid}/retry", business.key("agent")).status == 202
    world.wait_state(tape.sid)
    assert len(tape.asks) == 1  # found, not fetched
    assert waveform(server, tape.sid, business.viewer).json() == picture


def test_a_purged_business_leaves_no_picture(world, provider):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    assert world.sql("select count(*) n from waveforms")[0]["n"] == 1
    world.done("business", "remove", business.id, "--purge")
    eventually(lambda: world.sql("select count(*) n from waveforms")[0]["n"] == 0)
