"""The simulated provider over the wire: its responses, its webhooks and its faults."""
import base64
import json
import random
import time
from urllib.parse import parse_qsl, urlsplit

import pytest

import wire
from callreel import SIMULATOR, Process, eventually, free_environment
from provider import Provider, sid
from signing import signature


class Receiver(Provider):
    """A server for webhooks: accepts all, unless the test says otherwise."""

    def __init__(self):
        super().__init__()
        self.hooks = []
        self.answer = 204

    def _read(self, connection, incoming):
        ask = super()._read(connection, incoming)
        if ask:
            ask.body = incoming.read(int(ask.headers.get("content-length", 0)))
        return ask

    def _act(self, ask):
        with self.lock:
            self.hooks.append(ask)
        ask.answer(self.answer)

    @property
    def url(self):
        return f"{self.base_url}/webhooks/twilio/1"

    def told(self):
        """Kind, call or recording, and its state, in the order of their coming."""
        rows = []
        with self.lock:
            hooks = list(self.hooks)
        for ask in hooks:
            fields = dict(parse_qsl(ask.body.decode(), keep_blank_values=True))
            kind = ask.path.rsplit("/", 1)[1]
            rows.append((kind, fields["RecordingSid" if kind == "recording" else "CallSid"],
                         fields["RecordingStatus" if kind == "recording" else "CallStatus"]))
        return rows


class Simulator(Process):
    def __init__(self, directory, *options):
        self.account_sid, self.token = sid("AC"), random.randbytes(16).hex()
        super().__init__([SIMULATOR, "--listen", "127.0.0.1:0", "--account", self.account_sid, "--token", self.token, *options],
                         directory / "simulator.log", free_environment())
        self.port = self.listening_port(r"listening on http://127\.0\.0\.1:(\d+) account AC")
        self.root = f"/2010-04-01/Accounts/{self.account_sid}"

    def sim(self, method, path, body=None, status=None):
        raw = None if body is None else json.dumps(body).encode()
        answer = wire.call(self.port, method, f"/sim/{path}", {"Content-Type": "application/json"}, raw)
        assert status is None or answer.status == status, answer
        return answer

    def make(self, **wishes):
        return self.sim("POST", "calls", wishes, 201).json()

    def counts(self, recording):
        return self.sim("GET", f"recordings/{recording}", status=200).json()

    def authorization(self, user=None, password=None):
        pair = f"{user or self.account_sid}:{password or self.token}"
        return ("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())

    def ask(self, path, method="GET", headers=(), credentials=None, body=None):
        return wire.call(self.port, method, self.root + path, [credentials or self.authorization(), *headers], body)

    def media(self, recording, extension=".mp3", headers=(), method="GET"):
        return self.ask(f"/Recordings/{recording}{extension}", method, headers)

    def webhooks(self):
        return self.sim("GET", "webhooks", status=200).json()

    def all_told(self, sent):
        """Once that many webhooks have their result."""
        return eventually(lambda: (c := self.webhooks())["sent"] == sent and c["pending"] == 0 and c)


@pytest.fixture
def simulator(tmp_path):
    simulator = Simulator(tmp_path)
    yield simulator
    simulator.stop()


@pytest.fixture
def told(tmp_path):
    receiver = Receiver()
    simulator = Simulator(tmp_path, "--webhooks", receiver.url)
    yield simulator, receiver
    simulator.stop()
    receiver.stop()


# ---- media ----

@pytest.mark.parametrize("extension, kind, size", [
    ("", "audio/x-wav", "wav"), (".wav", "audio/x-wav", "wav"), (".mp3", "audio/mpeg", "mp3")])
@pytest.mark.parametrize("channels", [1, 2])
def test_media_has_the_size_that_was_told(simulator, extension, kind, size, channels):
    made = simulator.make(seconds=7, channels=channels)
    assert made["recording_url"].endswith(f"{simulator.root}/Recordings/{made['recording_sid']}")
    answer = simulator.media(made["recording_sid"], extension)
    assert (answer.status, answer.header("content-type")) == (200, kind)
    assert answer.complete and len(answer.body) == made["sizes"][size] == int(answer.header("content-length"))
    assert simulator.media(made["recording_sid"], extension).body == answer.body
    head = simulator.media(made["recording_sid"], extension, method="HEAD")
    assert head.status == 200 and head.header("content-length") == answer.header("content-length")
    total = len(answer.body)
    eventually(lambda: simulator.counts(made["recording_sid"]) ==
               {"requests": 3, "downloads": 2, "complete": 2, "bytes": 2 * total})


def test_sizes_are_those_of_telephone_recordings(simulator):
    assert simulator.make(seconds=10)["sizes"] == {"wav": 44 + 160000, "mp3": 40032}
    assert simulator.make(seconds=10, channels=2)["sizes"] == {"wav": 44 + 320000, "mp3": 40032}


def test_channels_are_those_that_were_recorded_or_fewer(simulator):
    mono, dual = simulator.make(seconds=2)["recording_sid"], simulator.make(seconds=2, channels=2)["recording_sid"]
    refused = simulator.media(mono, ".wav?RequestedChannels=2")
    assert refused.status == 400 and b"<Code>16113</Code>" in refused.body
    channels_of = lambda answer: answer.body[22]
    assert channels_of(simulator.media(mono, ".wav?RequestedChannels=1")) == 1
    assert channels_of(simulator.media(dual, ".wav")) == 2
    assert channels_of(simulator.media(dual, ".wav?RequestedChannels=2")) == 2
    assert channels_of(simulator.media(dual, ".wav?RequestedChannels=1")) == 1


def test_ranges_and_their_validator(simulator):
    recording = simulator.make(seconds=5)["recording_sid"]
    whole = simulator.media(recording)
    etag, total = whole.header("etag"), len(whole.body)
    part = simulator.media(recording, headers=[("Range", "bytes=1000-1999"), ("If-Range", etag)])
    assert part.status == 206 and part.body == whole.body[1000:2000]
    assert part.header("content-range") == f"bytes 1000-1999/{total}"
    assert simulator.media(recording, headers=[("Range", "bytes=-5")]).body == whole.body[-5:]
    assert simulator.media(recording, headers=[("Range", "bytes=1000-"), ("If-Range", '"other"')]).body == whole.body
    beyond = simulator.media(recording, headers=[("Range", f"bytes={total}-")])
    assert beyond.status == 416 and beyond.header("content-range") == f"bytes */{total}"
    assert simulator.media(recording, headers=[("If-None-Match", etag)]).status == 304


@pytest.mark.parametrize("extension, type_, mark", [
    (".mp3", "application/xml", b"<Code>20003</Code>"), ("", "application/xml", b"<Code>20003</Code>"),
    (".json", "application/json", b'"code":20003')])
def test_wrong_credentials_are_refused_as_the_provider_does(simulator, extension, type_, mark):
    path = f"/Recordings/{simulator.make()['recording_sid']}{extension}"
    for wrong in (simulator.authorization(password="x"), simulator.authorization(user=sid("AC")), ("Authorization", "Basic !"),
                  ("Authorization", "Bearer x"), ("X-None", "1")):
        answer = simulator.ask(path, credentials=wrong)
        assert answer.status == 401 and answer.header("www-authenticate") == 'Basic realm="Twilio API"'
        assert answer.header("content-type") == type_ and mark in answer.body


def test_another_accounts_path_is_refused(simulator):
    recording = simulator.make()["recording_sid"]
    answer = wire.call(simulator.port, "GET", f"/2010-04-01/Accounts/{sid('AC')}/Recordings/{recording}.mp3",
                       [simulator.authorization()])
    assert answer.status == 401


def test_api_keys_are_credentials_too(tmp_path):
    simulator = Simulator(tmp_path, "--api-key", "SK1:first", "--api-key", "SK2:second")
    path = f"/Recordings/{simulator.make()['recording_sid']}.mp3"
    assert simulator.ask(path, credentials=simulator.authorization("SK1", "first")).status == 200
    assert simulator.ask(path, credentials=simulator.authorization("SK2", "second")).status == 200
    assert simulator.ask(path, credentials=simulator.authorization("SK1", "second")).status == 401
    simulator.stop()


def test_what_is_not_there_is_404_in_the_paths_own_language(simulator):
    xml, js = simulator.media(sid("RE")), simulator.media(sid("RE"), ".json")
    assert xml.status == js.status == 404
    assert b"<Code>20404</Code>" in xml.body and xml.header("content-type") == "application/xml"
    assert js.json()["code"] == 20404 and js.json()["status"] == 404
    assert simulator.ask("/Nothing.json").status == 404


def test_a_get_with_a_body_is_forbidden(simulator):
    recording = simulator.make()["recording_sid"]
    assert simulator.ask(f"/Recordings/{recording}.mp3", body=b"x").status == 403


@pytest.mark.parametrize("status", ["absent", "in-progress", "processing", "failed", "paused"])
def test_only_what_is_completed_has_media(simulator, status):
    recording = simulator.make(status=status)["recording_sid"]
    assert simulator.media(recording).status == 404
    assert simulator.media(recording, ".json").json()["status"] == status
    assert simulator.sim("PUT", f"recordings/{recording}", {"status": "completed"}).status == 204
    assert simulator.media(recording).status == 200


def test_without_speech_it_says_so_and_works(tmp_path):
    simulator = Simulator(tmp_path, "--audio", str(tmp_path / "nothing"))
    assert "no speech in" in simulator.log()
    made = simulator.make(seconds=3)
    assert len(simulator.media(made["recording_sid"]).body) == made["sizes"]["mp3"]
    simulator.stop()


# ---- faults ----

@pytest.mark.parametrize("fault, status, mark", [
    ("not_yet", 404, b"<Code>20404</Code>"), ("429", 429, b"<Code>20429</Code>"), ("500", 500, b"<Code>20500</Code>"),
    ("401", 401, b"<Code>20003</Code>"), ("xml", 200, b"<TwilioResponse>"), ("header_only", 200, b"RIFF")])
def test_a_fault_with_a_count_ends_after_it(simulator, fault, status, mark):
    made = simulator.make(faults=[f"{fault}:2"])
    for _ in range(2):
        answer = simulator.media(made["recording_sid"])
        assert answer.status == status and mark in answer.body
        if fault == "header_only":
            assert len(answer.body) == 44
        if fault == "429":
            assert int(answer.header("twilio-concurrent-requests")) > 100
    assert len(simulator.media(made["recording_sid"]).body) == made["sizes"]["mp3"]
    downloads = 3 if status == 200 else 1
    eventually(lambda: (c := simulator.counts(made["recording_sid"]))["requests"] == 3 and
               c["downloads"] == c["complete"] == downloads)


def test_a_fault_without_a_count_stays_until_it_is_ended(simulator):
    recording = simulator.make(faults=["500"])["recording_sid"]
    assert [simulator.media(recording).status for _ in range(5)] == [500] * 5
    simulator.sim("PUT", "faults", {"recording_sid": recording, "faults": []}, 204)
    assert simulator.media(recording).status == 200


def test_faults_of_everything_come_after_a_recordings_own(simulator):
    recording = simulator.make(faults=["429:1"])["recording_sid"]
    simulator.sim("PUT", "faults", {"faults": ["500:1"]}, 204)
    assert [simulator.media(recording).status for _ in range(3)] == [429, 500, 200]


@pytest.mark.parametrize("fault", ["cut", "short"])
def test_a_body_ends_at_half(simulator, fault):
    made = simulator.make(seconds=60, faults=[f"{fault}:1"])
    with wire.Connection(simulator.port) as connection:
        connection.ask("GET", f"{simulator.root}/Recordings/{made['recording_sid']}.mp3", [simulator.authorization()])
        head = connection.read_head()
        assert head.status == 200 and int(head.header("content-length")) == made["sizes"]["mp3"]
        body = connection.read_some(made["sizes"]["mp3"] // 2)
        try:
            ended_in_order = connection.socket.recv(1) == b""
        except ConnectionResetError:
            ended_in_order = False
    assert ended_in_order == (fault == "short")
    assert simulator.media(made["recording_sid"]).body.startswith(body)
    eventually(lambda: (c := simulator.counts(made["recording_sid"]))["downloads"] == 2 and c["complete"] == 1)


def test_a_redirect_leads_to_an_origin_that_wants_no_credentials(simulator):
    made = simulator.make(faults=["redirect:1"])
    answer = simulator.media(made["recording_sid"])
    assert answer.status == 302
    there = urlsplit(answer.header("location"))
    assert there.port != simulator.port
    target = f"{there.path}?{there.query}"
    assert wire.call(there.port, "GET", target, [simulator.authorization()]).status == 400
    assert wire.call(there.port, "GET", target + "0").status == 403
    assert wire.call(there.port, "GET", target.replace("seconds=10", "seconds=11")).status == 403
    body = wire.call(there.port, "GET", target).body
    assert body == simulator.media(made["recording_sid"]).body
    eventually(lambda: simulator.counts(made["recording_sid"]) ==
               {"requests": 2, "downloads": 2, "complete": 2, "bytes": 2 * len(body)})


def test_a_hang_answers_nothing(simulator):
    made = simulator.make(faults=["hang:1"])
    with wire.Connection(simulator.port) as connection:
        connection.ask("GET", f"{simulator.root}/Recordings/{made['recording_sid']}.mp3", [simulator.authorization()])
        eventually(lambda: simulator.counts(made["recording_sid"])["requests"] == 1)
        assert simulator.media(made["recording_sid"]).status == 200
        connection.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.socket.recv(1)


def test_slow_and_stall_take_their_time(simulator):
    slow = simulator.make(seconds=1, faults=["slow:4000"])
    stall = simulator.make(seconds=1, faults=["stall:1"])
    for made, least in ((slow, 0.7), (stall, 0.9)):
        begun = time.monotonic()
        assert len(simulator.media(made["recording_sid"]).body) == made["sizes"]["mp3"]
        assert time.monotonic() - begun > least


def test_a_body_without_a_length_is_whole_all_the_same(simulator):
    made = simulator.make(faults=["no_length"])
    answer = simulator.media(made["recording_sid"])
    assert answer.header("content-length") is None and answer.header("transfer-encoding") == "chunked"
    assert answer.complete and len(answer.body) == made["sizes"]["mp3"]


def test_without_ranges_the_whole_comes(simulator):
    made = simulator.make(faults=["no_range"])
    answer = simulator.media(made["recording_sid"], headers=[("Range", "bytes=5-9")])
    assert answer.status == 200 and len(answer.body) == made["sizes"]["mp3"] and not answer.header("accept-ranges")


@pytest.mark.parametrize("body, name", [
    (b'{"seconds":-1}', "seconds"), (b'{"channels":3}', "channels"), (b'{"legs":"2"}', "legs"), (b'{"direction":"up"}', "direction"),
    (b'{"faults":["explode"]}', "faults"), (b'{"faults":["cut:x"]}', "faults"), (b'{"colour":"red"}', "colour"),
    (b'{"from":7}', "from"), (b"[]", "the body"), (b"{", "the body")])
def test_a_bad_order_is_refused_by_name(simulator, body, name):
    answer = wire.call(simulator.port, "POST", "/sim/calls", (), body)
    assert answer.status == 400 and answer.json()["error"].startswith(name + ":")


# ---- webhooks ----

def test_a_call_of_two_legs_is_told_in_order_and_signed(told):
    simulator, receiver = told
    made = simulator.make(seconds=5, legs=2, **{"from": "+15005550100", "to": "+15005550199"}, caller_name="Ann & Son")
    assert simulator.all_told(10) == {"sent": 10, "answered": 10, "failed": 0, "pending": 0}
    parent, child, recording = made["call_sid"], made["child_call_sid"], made["recording_sid"]
    begin = ["initiated", "ringing", "in-progress"]
    assert receiver.told() == (
        [("call", parent, s) for s in begin] + [("call", child, s) for s in begin] + [("recording", recording, "in-progress")] +
        [("call", child, "completed"), ("call", parent, "completed"), ("recording", recording, "completed")])
    for ask in receiver.hooks:
        fields = parse_qsl(ask.body.decode(), keep_blank_values=True)
        assert ask.headers["x-twilio-signature"] == signature(simulator.token, receiver.base_url + ask.path, fields)
        assert ask.headers["content-type"].startswith("application/x-www-form-urlencoded")
        assert ask.headers["i-twilio-idempotency-token"]
    calls = [dict(parse_qsl(a.body.decode())) for a in receiver.hooks if a.path.endswith("/call")]
    end = [c for c in calls if c["CallStatus"] == "completed"]
    assert [c.get("ParentCallSid") for c in end] == [parent, None]
    assert end[1] | {"Timestamp": ""} == end[1] | {
        "Timestamp": "", "CallSid": parent, "AccountSid": simulator.account_sid, "From": "+15005550100", "To": "+15005550199",
        "Direction": "inbound", "CallDuration": "5", "Duration": "1", "SequenceNumber": "3", "CallerName": "Ann & Son",
        "ApiVersion": "2010-04-01"}
    last = dict(parse_qsl(receiver.hooks[-1].body.decode()))
    assert last["RecordingUrl"] == made["recording_url"] and last["CallSid"] == parent
    assert (last["RecordingDuration"], last["RecordingChannels"]) == ("5", "1")


def test_a_recording_can_be_booked_on_the_child(told):
    simulator, receiver = told
    made = simulator.make(legs=2, booked_on="child")
    simulator.all_told(10)
    assert dict(parse_qsl(receiver.hooks[-1].body.decode()))["CallSid"] == made["child_call_sid"]


def test_a_conference_has_no_call(told):
    simulator, receiver = told
    simulator.make(source="Conference")
    simulator.all_told(6)
    last = dict(parse_qsl(receiver.hooks[-1].body.decode()))
    assert last["ConferenceSid"].startswith("CF") and "CallSid" not in last


def test_an_absent_recording_says_why(told):
    simulator, receiver = told
    simulator.make(status="absent", error_code=16102)
    simulator.all_told(6)
    last = dict(parse_qsl(receiver.hooks[-1].body.decode()))
    assert (last["RecordingStatus"], last["ErrorCode"], last["RecordingDuration"]) == ("absent", "16102", "-1")


def test_a_recording_may_take_its_time(told):
    simulator, receiver = told
    made = simulator.make(complete_after=1)
    assert simulator.media(made["recording_sid"]).status == 404
    simulator.all_told(6)
    assert receiver.told()[-1] == ("recording", made["recording_sid"], "completed")
    assert simulator.media(made["recording_sid"]).status == 200


def test_a_call_can_have_more_recordings(told):
    simulator, receiver = told
    made = simulator.make()
    more = simulator.sim("POST", f"calls/{made['call_sid']}/recordings", {"seconds": 3}, 201).json()
    assert more["recording_sid"] != made["recording_sid"] and more["call_sid"] == made["call_sid"]
    simulator.all_told(8)
    assert ("recording", more["recording_sid"], "completed") in receiver.told()


@pytest.mark.parametrize("status, states", [
    ("busy", ["initiated", "ringing", "busy"]), ("ringing", ["initiated", "ringing"]),
    ("in-progress", ["initiated", "ringing", "in-progress"])])
def test_a_call_goes_as_far_as_it_was_ordered(told, status, states):
    simulator, receiver = told
    made = simulator.make(call_status=status, recording=False)
    assert made["recording_sid"] is None
    simulator.all_told(len(states))
    assert [row[2] for row in receiver.told()] == states


def test_faults_of_webhooks(told):
    simulator, receiver = told
    simulator.make(faults=["lost"])
    assert simulator.webhooks()["sent"] == 0
    simulator.make(faults=["dup"])
    simulator.all_told(12)
    rows = receiver.told()
    assert rows[::2] == rows[1::2] and len(set(rows)) == 6
    tokens = [a.headers["i-twilio-idempotency-token"] for a in receiver.hooks]
    assert tokens[::2] == tokens[1::2] and len(set(tokens)) == 6
    receiver.hooks.clear()
    simulator.make(faults=["shuffle"])
    simulator.all_told(18)
    assert len(set(receiver.told())) == 6
    receiver.hooks.clear()
    simulator.sim("PUT", "faults", {"faults": ["late:3600"]}, 204)
    simulator.make()
    assert simulator.webhooks()["pending"] == 6 and not receiver.hooks


def test_an_answer_that_is_no_2xx_is_final(told):
    simulator, receiver = told
    receiver.answer = 500
    simulator.make()
    assert simulator.all_told(6) == {"sent": 6, "answered": 0, "failed": 6, "pending": 0}
    assert len(receiver.hooks) == 6


def test_where_nobody_listens_all_fail_and_another_place_can_be_named(tmp_path):
    receiver = Receiver()
    simulator = Simulator(tmp_path, "--webhooks", "http://127.0.0.1:1")
    simulator.make()
    assert simulator.all_told(6)["failed"] == 6
    simulator.sim("PUT", "webhooks", {"url": receiver.url}, 204)
    simulator.make()
    assert simulator.all_told(12)["answered"] == 6
    simulator.sim("PUT", "webhooks", {"url": "ftp://x"}, 400)
    simulator.stop()
    receiver.stop()


# ---- lists ----

def test_lists_are_newest_first_and_paged_to_their_end(simulator):
    made = [simulator.make(seconds=1, start_time=f"2026-01-0{n}T00:00:00Z")["recording_sid"] for n in (3, 1, 5, 2, 4)]
    expected = [made[i] for i in (2, 4, 0, 3, 1)]
    path, seen = f"{simulator.root}/Recordings.json?PageSize=2", []
    while path:
        page = wire.call(simulator.port, "GET", path, [simulator.authorization()]).json()
        seen += [r["sid"] for r in page["recordings"]]
        path = page["next_page_uri"]
        simulator.make(seconds=1)  # a call that comes meanwhile moves no page
    assert seen == expected


def test_lists_are_filtered(simulator):
    old = simulator.make(start_time="2026-01-01T12:00:00Z")
    new = simulator.make(start_time="2026-01-03T12:00:00Z", legs=2, direction="outbound")
    listed = lambda query: [r["sid"] for r in simulator.ask(query).json()["recordings"]]
    assert listed("/Recordings.json?DateCreated%3E=2026-01-02") == [new["recording_sid"]]
    assert listed("/Recordings.json?DateCreated%3C=2026-01-01") == [old["recording_sid"]]
    assert listed("/Recordings.json?DateCreated=2026-01-03") == [new["recording_sid"]]
    assert listed(f"/Recordings.json?CallSid={old['call_sid']}") == [old["recording_sid"]]
    assert listed(f"/Calls/{new['call_sid']}/Recordings.json") == [new["recording_sid"]]
    calls = simulator.ask(f"/Calls.json?ParentCallSid={new['call_sid']}").json()["calls"]
    assert [c["sid"] for c in calls] == [new["child_call_sid"]]
    assert calls[0]["direction"] == "outbound-dial" and calls[0]["parent_call_sid"] == new["call_sid"]
    assert simulator.ask("/Calls.json?PageSize=many").status == 400
    assert simulator.ask(f"/Calls/{old['call_sid']}.json").json()["duration"] == "10"
    assert simulator.ask(".json").json()["sid"] == simulator.account_sid


def test_a_deleted_recording_leaves_its_metadata(simulator):
    recording = simulator.make()["recording_sid"]
    assert simulator.media(recording, ".json", method="DELETE").status == 204
    assert simulator.media(recording).status == 404
    assert simulator.media(recording, ".json").status == 404
    assert simulator.media(recording, ".json?IncludeSoftDeleted=true").json()["status"] == "deleted"
    assert simulator.ask("/Recordings.json").json()["recordings"] == []
    assert simulator.media(recording, ".json", method="DELETE").status == 404
    busy = simulator.make(status="in-progress")["recording_sid"]
    assert simulator.media(busy, ".json", method="DELETE").status == 409
    assert simulator.sim("GET", f"recordings/{recording}/deletions").json() == {"requests": 2, "deleted": True}


def test_metadata_of_a_deleted_recording_is_gone_after_40_days(world):
    simulator = world.simulator()
    recording = simulator.make_call()["recording_sid"]
    soft = ".json?IncludeSoftDeleted=true"
    assert simulator.media(recording, ".json", method="DELETE").status == 204
    world.clock.advance(39 * 86400)
    assert simulator.media(recording, soft).status == 200 and simulator.media(recording).status == 404
    world.clock.advance(2 * 86400)
    assert simulator.media(recording, soft).status == 404


def test_deletions_fail_on_request(simulator):
    faults = ["delete_401:1", "delete_429:2", "retry_after:7:1", "delete_500:1"]
    recording = simulator.make(faults=faults)["recording_sid"]
    answers = [simulator.media(recording, ".json", method="DELETE") for _ in range(6)]
    assert [a.status for a in answers] == [401, 429, 429, 500, 204, 404]
    assert [a.header("retry-after") for a in answers[:3]] == [None, "7", None] and answers[1].json()["code"] == 20429
    other = simulator.make()["recording_sid"]
    simulator.sim("PUT", "faults", {"faults": ["delete_500:1"]}, 204)
    assert simulator.media(other).status == 200, "media has faults of its own"
    assert simulator.media(other, ".json", method="DELETE").status == 500
    assert simulator.sim("GET", f"recordings/{other}/deletions").json() == {"requests": 1, "deleted": False}


# ---- many at once ----

def test_many_downloads_and_calls_at_once(told):
    simulator, receiver = told
    recordings = [simulator.make(seconds=20)["recording_sid"] for _ in range(20)]

    def act(i, ready):
        ready()
        return [len(simulator.media(recordings[(i + n) % 20], (".mp3", ".wav")[n % 2]).body) for n in range(5)]

    for row in wire.at_once(16, act):
        assert row == [80064, 320044, 80064, 320044, 80064]
    simulator.all_told(120)
    assert len(set(receiver.told())) == 120


def test_a_listener_that_leaves_is_not_counted_as_whole(simulator):
    recording = simulator.make(seconds=600)["recording_sid"]
    with wire.Connection(simulator.port, receive_buffer=8192) as connection:
        connection.ask("GET", f"{simulator.root}/Recordings/{recording}.wav", [simulator.authorization()])
        connection.read_head()
        connection.read_some(1000)
    eventually(lambda: (c := simulator.counts(recording))["downloads"] == 1 and c["bytes"] > 0 and c["complete"] == 0)


def test_calls_and_recordings_are_there_after_a_restart(tmp_path):
    first = Simulator(tmp_path, "--data", tmp_path / "data")
    mono = first.make(seconds=7, caller_name="Dana \"D\" Levi", start_time="2026-01-03T12:00:00Z")
    dual = first.make(seconds=3, channels=2, legs=2, booked_on="child")
    gone = first.make()["recording_sid"]
    making = first.make(complete_after=3600)["recording_sid"]
    assert first.media(gone, ".json", method="DELETE").status == 204
    listed = first.ask("/Recordings.json").json()["recordings"], first.ask("/Calls.json").json()["calls"]
    bodies = [first.media(made["recording_sid"], ".wav").body for made in (mono, dual)]
    first.kill()
    with open(tmp_path / "data" / "calls.jsonl", "a") as journal:
        journal.write('{"recording_sid":"RE')  # the rest of a line that a kill leaves
    for run in ("second", "third"):
        (tmp_path / run).mkdir()
        again = Simulator(tmp_path / run, "--data", tmp_path / "data")
        assert [again.media(made["recording_sid"], ".wav").body for made in (mono, dual)] == bodies
        assert again.media(gone).status == 404 and again.media(making).status == 200
        assert facts(again.ask("/Calls.json").json()["calls"]) == facts(listed[1])
        assert facts(again.ask("/Recordings.json").json()["recordings"]) == facts(listed[0])
        again.stop()


def facts(listed):
    return [(one["sid"], one.get("call_sid"), one.get("to"), one.get("parent_call_sid")) for one in listed]
