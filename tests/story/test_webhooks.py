"""Webhooks are accepted in any order, repeats change nothing, and each is refused for the first reason that applies."""
import json
import random
import threading

import pytest

import provider as p
from callreel import eventually
from signing import form, signature
from wire import Closed, Connection

FORM = ("Content-Type", "application/x-www-form-urlencoded")
RECEIPT_TIMES = {"first_seen_at", "completed_at", "sort_at", "failed_at", "enqueued_at", "last_enqueue_at",
                 "next_ask_at", "version", "fields", "wanted_at", "search_id"}


def deliveries_of(business, calls):
    """The webhooks of the provider about so many calls, in its order: 2 legs each, two of three recorded, some absent."""
    random.seed(calls)
    deliveries = []
    for i in range(calls):
        top, child, recording = p.sid("CA"), p.sid("CA"), p.sid("RE")
        started = f"Thu, 01 Aug 2024 04:{i % 60:02}:{i // 60 % 60:02} +0000"
        for n, state in enumerate(("initiated", "ringing", "in-progress", "completed")):
            fields = business.call_fields(top, state, SequenceNumber=str(n), Timestamp=started)
            if state == "completed":
                fields["CallDuration"] = str(i % 100 + 1)
                fields["Extra"] = f"last {i}"
            deliveries.append(("call", fields))
        for n, state in enumerate(("ringing", "no-answer" if i % 2 else "completed")):
            deliveries.append(("call", business.call_fields(child, state, ParentCallSid=top, SequenceNumber=str(n),
                                                            Direction="outbound-dial", Timestamp=started)))
        if i % 3:
            url = f"http://127.0.0.1:9/2010-04-01/Accounts/{business.account_sid}/Recordings/{recording}"
            common = {"AccountSid": business.account_sid, "CallSid": top, "RecordingSid": recording, "RecordingUrl": url,
                      "RecordingStartTime": started, "RecordingSource": "DialVerb"}
            ends = "absent" if i % 7 == 0 else "completed"
            deliveries.append(("recording", {**common, "RecordingStatus": "in-progress", "RecordingDuration": "-1"}))
            deliveries.append(("recording", {**common, "RecordingStatus": ends, "RecordingChannels": "1",
                                             "RecordingDuration": str(i % 50 + 1) if ends == "completed" else "",
                                             **({"ErrorCode": "16102"} if ends == "absent" else {})}))
    return deliveries


def rows(world):
    """All that is known, but for the times of our receipt, and the number that a call's search document happens to have."""
    calls = [{k: v for k, v in row.items() if k not in RECEIPT_TIMES and k != "document_id"} for row in
             world.sql("select * from calls order by call_sid")]
    recordings = [{k: v for k, v in row.items() if k not in RECEIPT_TIMES} for row in
                  world.sql("select * from recordings order by recording_sid")]
    return calls, recordings


def deliver(port, business, deliveries, answered, retry, connections=32):
    """Sends all over so many connections. An unanswered one is sent again: retry() says to which port."""
    work = list(enumerate(deliveries))
    lock = threading.Lock()
    failures = []

    def run():
        connection = None
        to = port
        while not failures:
            with lock:
                if not work:
                    break
                i, (kind, fields) = work.pop()
            while True:
                try:
                    connection = connection or Connection(to, timeout=30)
                    answer = connection.call("POST", *business.signed(to, kind, fields))
                except (OSError, Closed):
                    connection = None
                    to = retry()
                    continue
                if answer.status == 204:
                    answered.add(i)
                    break
                if answer.status != 503:
                    failures.append(answer)
                    break
        if connection:
            connection.close()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures, failures[0]
    assert not any(thread.is_alive() for thread in threads)


def test_ten_thousand_deliveries_in_any_order_through_a_crash_leave_the_rows_of_one_orderly_delivery(world, tmp_path):
    import callreel

    at = type("At", (), {"account_sid": p.sid("AC"), "token": random.randbytes(16).hex(), "base_url": "http://127.0.0.1:9"})
    (tmp_path / "orderly").mkdir()
    orderly = callreel.World(tmp_path / "orderly")
    try:
        # role web: nothing is fetched, so that rows are what webhooks made of them
        tidy = orderly.server(role="web")
        business_there = orderly.business(at)
        orderly.secrets.add(at.token)
        eventually(lambda: business_there.webhook(tidy, "call", {"AccountSid": "x"}).status != 404)
        deliveries = deliveries_of(business_there, 690)
        deliver(tidy.port, business_there, list(reversed(deliveries)), set(), lambda: tidy.port, connections=1)
        expected = rows(orderly)
    finally:
        orderly.close()
    assert len(expected[0]) == 1380 and len(expected[1]) == 460

    server = world.server(role="web")
    business = world.business(at)
    messy = deliveries + deliveries
    messy = messy + messy[:10_000 - len(messy)] if len(messy) < 10_000 else messy
    random.seed(7)
    random.shuffle(messy)
    answered, running = set(), threading.Event()
    running.set()
    port = server.port

    def retry():
        running.wait(60)
        return port

    def crash():
        eventually(lambda: len(answered) > len(messy) // 2, 60)
        running.clear()
        server.kill()
        told = set(answered)
        world.again(server)
        running.set()
        return told

    crashed = []
    crasher = threading.Thread(target=lambda: crashed.append(crash()))
    crasher.start()
    deliver(port, business, messy, answered, retry)
    crasher.join(60)
    assert crashed and len(answered) == len(messy) >= 10_000
    got = rows(world)
    assert len(got[0]) == len(expected[0]) and len(got[1]) == len(expected[1])
    for mine, theirs in zip(got[0] + got[1], expected[0] + expected[1]):
        assert mine == theirs


def test_what_got_its_204_survives_the_kill(world, provider):
    """Kills the server in the middle of a stream of deliveries; every delivery that was answered is stored."""
    server = world.server(role="web")
    business = world.business(provider)
    for round_number in range(5):
        taken, lock = [], threading.Lock()

        def run():
            connection = Connection(server.port)
            while True:
                call_sid = p.sid("CA")
                try:
                    answer = connection.call("POST", *business.signed(server.port, "call", business.call_fields(call_sid)))
                except (OSError, Closed):
                    return
                if answer.status == 204:
                    with lock:
                        taken.append(call_sid)

        threads = [threading.Thread(target=run, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(taken) > 100 + 37 * round_number)
        server.kill()
        for thread in threads:
            thread.join(30)
        server = world.again(server)
        there = {row["call_sid"] for row in world.sql("select call_sid from calls")}
        assert set(taken) <= there


@pytest.mark.sanitized
def test_refusals_come_in_their_order(world, provider):
    server = world.server()
    business = world.business(provider)
    silent = json.loads(world.done("business", "add", "--json", "--name", "No token"))["business_id"]
    fields = business.call_fields(p.sid("CA"))
    eventually(lambda: business.webhook(server, "call", fields).status == 204)

    def post(body=None, kind="call", business_id=business.id, headers=None, sign=None, content_type=FORM[1], port=server.port):
        target = f"/webhooks/twilio/{business_id}/{kind}"
        sent = [("Content-Type", content_type)] if content_type else []
        if sign is not None:
            mark = sign if isinstance(sign, str) else signature(business.token, f"http://127.0.0.1:{port}{target}", sign)
            sent.append(("X-Twilio-Signature", mark))
        return server.call("POST", target, sent + (headers or []), form(fields) if body is None else body)

    good = form(fields)
    big = b"A=" + b"x" * (64 * 1024)
    wrong_account = {**fields, "AccountSid": p.sid("AC")}
    no_call = {k: v for k, v in fields.items() if k != "CallSid"}
    broken = b"CallSid=%zz&AccountSid=%"
    cases = [
        # the first error that applies: a later one is there as well
        (413, dict(body=big, content_type="text/plain")),
        (413, dict(body=big)),
        (415, dict(content_type="application/json")),
        (415, dict(content_type=None)),
        (401, dict(business_id=999)),
        (401, dict()),
        (404, dict(business_id=999, sign="AAAA")),
        (404, dict(business_id=999, sign="AAAA", body=broken)),
        (403, dict(sign="AAAA", body=broken)),
        (403, dict(sign="AAAA")),
        (403, dict(sign="AAAA", body=form(no_call))),
        (403, dict(sign=signature(business.token, f"http://127.0.0.1:{server.port}/webhooks/twilio/{silent}/call", fields),
                   business_id=silent)),
        (403, dict(sign=wrong_account, body=form(wrong_account))),
        (403, dict(sign={**wrong_account, "CallSid": "x"}, body=form({**wrong_account, "CallSid": "x"}))),
        (400, dict(sign=no_call, body=form(no_call))),
        (400, dict(sign={**fields, "CallSid": "CAxyz"}, body=form({**fields, "CallSid": "CAxyz"}))),
        (400, dict(sign={**fields, "CallSid": "../../etc"}, body=form({**fields, "CallSid": "../../etc"}))),
        (204, dict(sign=fields)),
        (204, dict(sign=fields, content_type="application/x-www-form-urlencoded; charset=UTF-8")),
        (204, dict(sign=fields, headers=[("Content-Encoding", "")])),
        (204, dict(sign=fields, headers=[("Content-Encoding", "identity")])),
        (415, dict(sign=fields, headers=[("Content-Encoding", "gzip")])),
        (404, dict(sign=fields, kind="nothing")),
        (404, dict(sign=fields, business_id="x")),
    ]
    for status, how in cases:
        answer = post(**how)
        assert answer.status == status, (status, how, answer)
        if status != 204:
            assert answer.header("content-type").startswith("application/problem+json"), answer
        else:
            assert answer.body == b""
    assert server.get(f"/webhooks/twilio/{business.id}/call").status == 405
    assert server.get(f"/webhooks/twilio/{business.id}/call").header("allow") == "POST"
    assert world.sql("select count(*) n from calls")[0]["n"] == 1
    assert good


@pytest.mark.sanitized
def test_a_signature_covers_the_url_and_every_field(world, provider):
    server = world.server()
    business = world.business(provider)
    fields = business.call_fields(p.sid("CA"), Odd="ä &=+%", Empty="")
    eventually(lambda: business.webhook(server, "call", fields).status == 204)
    target, headers, body = business.signed(server.port, "call", fields)
    assert server.call("POST", target, headers, body + b"&More=1").status == 403
    assert server.call("POST", target + "?x=1", headers, body).status == 403
    assert server.call("POST", target.replace("/call", "/recording"), headers, body).status == 403
    assert business.webhook(server, "call", fields, token="0" * 32).status == 403
    # with a query, and an answer in TwiML
    asked = target + "?reply=twiml"
    mark = signature(business.token, f"http://127.0.0.1:{server.port}{asked}", fields)
    world.signatures.add(mark)
    answer = server.call("POST", asked, [FORM, ("X-Twilio-Signature", mark)], form(fields))
    assert answer.status == 200 and answer.header("content-type").startswith("text/xml")
    assert b"<Response" in answer.body


def test_the_public_base_url_is_what_is_signed(world, provider):
    server = world.server(PUBLIC_BASE_URL="https://calls.example/sub")
    business = world.business(provider)
    key = business.viewer
    eventually(lambda: server.get("/api/calls", key).status == 200)
    fields = business.call_fields(p.sid("CA"))
    path = f"/webhooks/twilio/{business.id}/call"
    for url, status in ((f"https://calls.example/sub{path}", 204), (f"https://calls.example:443/sub{path}", 204),
                        (f"https://calls.example/other{path}", 403), (f"http://127.0.0.1:{server.port}{path}", 403),
                        (f"http://calls.example/sub{path}", 403), (f"https://calls.example:8443/sub{path}", 403)):
        mark = signature(business.token, url, fields)
        for target in (path, "/sub" + path):
            answer = server.call("POST", target, [FORM, ("X-Twilio-Signature", mark)], form(fields))
            assert answer.status == status, (url, target, answer)
    tape = provider.tape()
    mark = signature(business.token, f"https://calls.example/sub/webhooks/twilio/{business.id}/recording",
                     business.recording_fields(tape))
    assert server.call("POST", f"/sub/webhooks/twilio/{business.id}/recording",
                       [FORM, ("X-Twilio-Signature", mark)], form(business.recording_fields(tape))).status == 204
    world.wait_state(tape.sid)
    status = server.get(f"/sub/api/recordings/{tape.sid}/status", key).json()
    assert status["stream_url"] in (f"/sub/api/recordings/{tape.sid}/stream",
                                    f"https://calls.example/sub/api/recordings/{tape.sid}/stream")
    assert server.get(f"/api/recordings/{tape.sid}/stream", key).body == tape.mp3


def test_two_tokens_are_good_during_a_rotation(world, provider):
    server = world.server()
    business = world.business(provider)
    old, new = business.token, random.randbytes(16).hex()
    world.secrets.add(new)
    fields = business.call_fields(p.sid("CA"))
    eventually(lambda: business.webhook(server, "call", fields).status == 204)
    assert business.webhook(server, "call", fields, token=new).status == 403
    world.done("business", "set", business.id, "--auth-token-file", world.secret_file(new),
               "--auth-token-file", world.secret_file(old))
    eventually(lambda: business.webhook(server, "call", fields, token=new).status == 204, 2)
    assert business.webhook(server, "call", fields, token=old).status == 204
    world.done("business", "set", business.id, "--auth-token-file", world.secret_file(new))
    eventually(lambda: business.webhook(server, "call", fields, token=old).status == 403, 2)
    assert business.webhook(server, "call", fields, token=new).status == 204


@pytest.mark.sanitized
def test_fields_are_read_as_the_provider_means_them(world, provider):
    server = world.server()
    business = world.business(provider)

    def status(tape):
        return server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()

    for unknown in ("", "-1", "0", None):
        tape = provider.tape()
        tape.default = p.status(404)
        business.tell(server, tape, "in-progress", RecordingDuration=unknown)
        assert status(tape)["duration"] is None, unknown
    # no RecordingStatus means completed
    tape = provider.tape()
    business.tell(server, tape, RecordingStatus=None)
    world.wait_state(tape.sid)
    # a call webhook with a recording's URL makes the recording, its SID is taken from the URL
    tape = provider.tape()
    business.webhook_add_call(server, tape.call_sid, RecordingUrl=tape.url, RecordingDuration="2")
    world.wait_state(tape.sid)
    assert server.get(f"/api/recordings/{tape.call_sid}/status", business.viewer).json()["recording_sid"] == tape.sid
    # the same in a recording webhook; without either, 400
    tape = provider.tape()
    business.tell(server, tape, RecordingSid=None, RecordingUrl=tape.url + ".mp3")
    world.wait_state(tape.sid)
    fields = business.recording_fields(tape, RecordingSid=None, RecordingUrl=provider.base_url + "/nothing")
    assert business.webhook(server, "recording", fields).status == 400
    # relative, with an extension, of a conference
    for url in (lambda t: t.url.replace(provider.base_url, ""), lambda t: t.url + ".json", lambda t: t.url + ".wav"):
        tape = provider.tape()
        business.tell(server, tape, RecordingUrl=url(tape))
        world.wait_state(tape.sid)
        assert tape.asks[0].path.endswith(f"/Recordings/{tape.sid}.mp3")
    tape = provider.tape()
    business.tell(server, tape, CallSid=None, ConferenceSid=p.sid("CF"), RecordingSource="Conference")
    row = world.wait_state(tape.sid)
    assert row["call_sid"] is None and row["name"].rsplit("/", 1)[1] == f"{tape.sid}.mp3"
    assert status(tape)["call_sid"] is None


@pytest.mark.sanitized
@pytest.mark.threads
def test_the_provider_says_that_there_is_nothing(world, provider):
    server = world.server()
    business = world.business(provider)
    for status, error_code, code, answer_status in (
        ("absent", "16101", "absent_too_short", 404), ("absent", "16102", "absent_silent", 404),
        ("deleted", None, "not_found_at_provider", 404), ("failed", None, "encrypted", 502),
    ):
        tape = provider.tape()
        business.tell(server, tape, status, ErrorCode=error_code, RecordingDuration="-1")
        row = world.wait_state(tape.sid, "failed")
        assert row["error_code"] == code and row["for_good"] == 1 and row["next_retry_at"] is None
        answer = server.get(f"/api/recordings/{tape.sid}/stream", business.viewer, {"Range": "bytes=0-"})
        assert (answer.status, answer.code()) == (answer_status, code), answer
        seen = server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()
        assert seen["status"] == "failed" and seen["error"]["code"] == code and seen["error"]["message"]
        business.tell(server, tape, status, ErrorCode=error_code, RecordingDuration="-1")
        assert tape.asks == []
    # a ready recording stays ready
    tape = provider.tape()
    business.tell(server, tape)
    world.wait_state(tape.sid)
    business.tell(server, tape, "deleted")
    assert world.state(tape.sid) == "ready"
    assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3


def test_a_call_is_known_however_many_further_fields_come_with_it(world, provider):
    """Headers that a caller fills never keep a webhook of the provider from being stored."""
    server = world.server(ADMIN_LISTEN="127.0.0.1:0")
    business = world.business(provider)
    call = p.sid("CA")
    business.webhook_add_call(server, call, "in-progress", **{f"SipHeader_X-{i}": "x" for i in range(310)})
    business.webhook_add_call(server, call, "in-progress", **{f"Later_{i}": "x" for i in range(50)},
                       **{"N" * 129: "x", "Long": "x" * 5000})
    business.webhook_add_call(server, call, "completed", CallDuration="7", Last="x")
    answer = server.get(f"/api/calls/{call}", business.viewer).json()
    assert (answer["status"], answer["duration"], answer["from"]) == ("completed", 7, "+15005550100")
    fields = json.loads(world.sql("select fields from calls where call_sid = ?", call)[0]["fields"])
    assert sum(name.startswith("SipHeader_") for name in fields) >= 290 and "Last" not in fields and "Long" not in fields
    assert server.figures()["callreel_webhook_fields_dropped_total"] >= 60


@pytest.mark.sanitized
def test_a_signed_delivery_is_taken_whatever_its_incidental_fields_are(world, provider):
    server = world.server()
    business = world.business(provider)
    call = p.sid("CA")
    business.webhook_add_call(server, call, "in-progress", To="sip:" + "1" * 996, CallerName="ד" * 150)
    business.webhook_add_call(server, call, "completed", CallDuration="1.5", ParentCallSid="none", Timestamp="yesterday",
                       **{f"Parameter{i}": "x" for i in range(200)})
    seen = server.get(f"/api/calls/{call}", business.viewer).json()
    assert (seen["to"], seen["caller_name"], seen["duration"]) == ("+15005550199", "ד" * 150, None)
    business.webhook_add_call(server, call, "completed", SequenceNumber="9", To="sip:" + "é" * 600, Name="a\0b", X="\0")
    assert server.get(f"/api/calls/{call}", business.viewer).json()["to"] == "sip:" + "é" * 510
    fields = json.loads(world.sql("select fields from calls where call_sid = ?", call)[0]["fields"])
    assert fields["to_cut"][0] == "1" and fields["Name"][0] == "ab" and "X" not in fields
    for duration in ("12.34", " 12", "NaN", "-2", "abc"):
        tape = provider.tape()
        business.tell(server, tape, "in-progress", RecordingDuration=duration, RecordingStartTime="soon", CallSid="x")
        assert server.get(f"/api/recordings/{tape.sid}/status", business.viewer).json()["duration"] is None
    for url in (lambda t: t.url + ".MP3", lambda t: f"  {t.url}.Wav?RequestedChannels=2 ", lambda t: t.url + "?x=1"):
        tape = provider.tape()
        business.tell(server, tape, RecordingUrl=url(tape), RecordingSid=None)
        world.wait_state(tape.sid)
    # blanks around the essential ones
    call, tape = p.sid("CA"), provider.tape()
    business.webhook_add_call(server, f" {call}\t", AccountSid=f"{business.account_sid} ", ParentCallSid=f" {call}")
    assert server.get(f"/api/calls/{call}", business.viewer).json()["parent_call_sid"] is None
    business.tell(server, tape, " completed", CallSid=f"{call} ", RecordingSid=f"\t{tape.sid}")
    assert world.wait_state(tape.sid)["call_sid"] == call
    # statuses in other letters
    call, tape = p.sid("CA"), provider.tape()
    business.webhook_add_call(server, call, "Completed")
    assert server.get(f"/api/calls/{call}", business.viewer).json()["status"] == "completed"
    business.tell(server, tape, "COMPLETED")
    assert world.wait_state(tape.sid)["provider_status"] == "completed"
    # as many fields as the body takes; the essential ones are the last
    tape = provider.tape()
    many = [(f"{i}", "") for i in range(9000)]
    answer = business.webhook(server, "recording", many + list(business.recording_fields(tape).items()))
    assert answer.status == 204
    world.wait_state(tape.sid)


def test_an_unknown_status_of_a_recording_is_kept_and_queues_nothing(world, provider):
    server = world.server()
    business = world.business(provider)
    tape = provider.tape()
    business.tell(server, tape, "transmogrified")
    row = world.sql("select status, provider_status from recordings where recording_sid = ?", tape.sid)[0]
    assert (row["status"], row["provider_status"]) == ("missing", "transmogrified")
    assert tape.asks == []
    business.tell(server, tape, "completed")
    world.wait_state(tape.sid)
    business.tell(server, tape, "transmogrified")
    assert world.sql("select provider_status p from recordings where recording_sid = ?", tape.sid)[0]["p"] == "completed"


def test_the_host_of_a_signed_url_has_no_case_and_the_scheme_is_the_outermost_trusted_proxys(world, provider):
    server = world.server(TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8")
    business = world.business(provider)
    fields = business.call_fields(p.sid("CA"))
    target = f"/webhooks/twilio/{business.id}/call"

    def tell(url, *headers):
        sent = [FORM, ("X-Twilio-Signature", signature(business.token, url + target, fields)), *headers]
        return server.call("POST", target, sent, form(fields)).status
    assert tell("http://calls.example", ("Host", "Calls.Example")) == 204
    assert tell("http://Calls.Example:80", ("Host", "Calls.Example")) == 204
    assert tell("http://other.example", ("Host", "Calls.Example")) == 403
    https = ("Host", "calls.example"), ("X-Forwarded-Proto", "https,http")
    assert tell("https://calls.example", *https, ("X-Forwarded-For", "192.0.2.1, 10.0.0.7")) == 204
    assert tell("https://calls.example", *https) == 204
    assert tell("http://calls.example", *https) == 204
    assert tell("ftp://calls.example", *https) == 403


def test_webhooks_of_a_business_have_a_rate_that_others_do_not_share(world, provider):
    server = world.server(WEBHOOKS_PER_BUSINESS=1, ADMIN_LISTEN="127.0.0.1:0")
    busy, other = world.business(provider), world.business(provider, name="Other", number="+15005550177")

    def tell(business, token=None):
        return business.webhook(server, "call", business.call_fields(p.sid("CA")), token)
    assert [tell(busy, "1" * 32).status for _ in range(40)] == [403] * 40  # a stranger uses nothing up
    answers = [tell(busy) for _ in range(40)]
    assert [a.status for a in answers[:5]] == [204] * 5
    refused = [a for a in answers if a.status != 204]
    assert len(refused) >= 10 and {a.status for a in refused} == {429}
    assert all(int(a.header("retry-after")) >= 1 for a in refused) and refused[0].code() == "too_many_requests"
    assert tell(other).status == 204
    assert server.figures()['callreel_http_limited_total{limit="webhooks"}'] == len(refused)
    world.clock.advance(10)
    assert [tell(busy).status for _ in range(5)] == [204] * 5


def test_refusals_are_logged_once_a_minute(world, provider):
    server = world.server()
    business = world.business(provider)
    eventually(lambda: business.webhook(server, "call", business.call_fields(p.sid("CA"))).status == 204)
    before = len(server.log_lines())
    for _ in range(200):
        assert business.webhook(server, "call", business.call_fields(p.sid("CA")), token="1" * 32).status == 403
    assert len(server.log_lines()) - before <= 3
    fields = business.call_fields(p.sid("CA"), AccountSid=p.sid("AC"))
    assert business.webhook(server, "call", fields).status == 403
    assert any("Webhook refused" in line and "call=" + fields["CallSid"] in line for line in server.log_lines())
