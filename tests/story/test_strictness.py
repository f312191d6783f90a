"""Requests that break HTTP/1.1 are refused, and slow peers do not hold up others."""
import select
import socket
import threading
import time

import pytest

import callreel
import provider as p
from callreel import eventually
from wire import Closed, Connection, at_once

pytestmark = pytest.mark.sanitized
HOST = b"Host: x\r\n"


@pytest.fixture
def server(world):
    return world.server()


def answers_to(port, raw, half_close=True):
    """All answers on one connection to these bytes, until the server closes it."""
    with Connection(port, timeout=20) as connection:
        try:
            connection.send(raw)
            if half_close:
                connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answers = []
        try:
            while True:
                answers.append(connection.read())
        except (Closed, OSError):
            return answers


def get(target=b"/healthz", *lines):
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(*lines, body=b""):
    return b"POST /webhooks/twilio/1/call HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def get_with_body(*lines, body=b""):
    """A body that is read: an unsigned webhook is refused at its head."""
    return b"GET /healthz HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"

REFUSED = {
    "length and chunked": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "chunked and length": post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + SMUGGLED),
    "two lengths": post(b"Content-Length: 0", b"Content-Length: 44", body=SMUGGLED),
    "a list of lengths": post(b"Content-Length: 0, 44", body=SMUGGLED),
    "a signed length": post(b"Content-Length: +0", body=SMUGGLED),
    "a negative length": post(b"Content-Length: -1", body=SMUGGLED),
    "a hexadecimal length": post(b"Content-Length: 0x0", body=SMUGGLED),
    "a length with a space": post(b"Content-Length: 1 0", body=SMUGGLED),
    "an empty length": post(b"Content-Length:", body=SMUGGLED),
    "a huge length": post(b"Content-Length: 99999999999999999999999", body=SMUGGLED),
    "a space before the colon": post(b"Content-Length : 0", body=SMUGGLED),
    "a folded line": get(b"/healthz", b"X-A: b", b" c"),
    "a folded length": post(b"Content-Length:", b" 0", body=SMUGGLED),
    "a line without a colon": get(b"/healthz", b"nonsense"),
    "an empty name": get(b"/healthz", b": x"),
    "a name with a space": get(b"/healthz", b"X A: b"),
    "a name with a control": get(b"/healthz", b"X\x01A: b"),
    "a NUL in a value": get(b"/healthz", b"X-A: b\x00c"),
    "a bare CR in a value": get(b"/healthz", b"X-A: b\rc: d"),
    "a NUL in the target": b"GET /health\x00z HTTP/1.1\r\n" + HOST + b"\r\n",
    "two hosts": get(b"/healthz", b"Host: y"),
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "a bad host": b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n",
    "two spaces": b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the target": b"GET /health z HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tab in the line": b"GET\t/healthz\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET /healthz\r\n" + HOST + b"\r\n",
    "an odd version": b"GET /healthz HTTP/1.1x\r\n" + HOST + b"\r\n",
    "a lower-case version": b"GET /healthz http/1.1\r\n" + HOST + b"\r\n",
    "no slash": b"GET healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "an odd method": b"G(T /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n",
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "chunked not last": post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n" + SMUGGLED),
    "an odd coding": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED),
    "a vertical tab coding": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + SMUGGLED),
    "two codings": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n" + SMUGGLED),
}


def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_ends(server):
    for name, raw in REFUSED.items():
        answers = answers_to(server.port, raw)
        assert len(answers) == 1, (name, answers)
        assert answers[0].status in (400, 501, 505), (name, answers)
        assert answers[0].header("connection") == "close", name
    assert answers_to(server.port, b"GET / HTTP/2.0\r\n" + HOST + b"\r\n")[0].status == 505


BAD_CHUNKS = {
    "no digits": b"\r\nabc\r\n0\r\n\r\n", "a sign": b"+1\r\na\r\n0\r\n\r\n", "0x": b"0x1\r\na\r\n0\r\n\r\n",
    "a space first": b" 1\r\na\r\n0\r\n\r\n", "no end": b"1\r\nab\r\n0\r\n\r\n", "bare LF": b"1\na\n0\n\n",
    "a huge size": b"ffffffffffffffff1\r\na\r\n", "a negative size": b"-1\r\na\r\n", "g": b"g\r\na\r\n",
    "a NUL in an extension": b"1;a=\x00\r\na\r\n0\r\n\r\n", "an endless extension": b"1;" + b"x" * 20000 + b"\r\na\r\n0\r\n\r\n",
    "a bare CR": b"1\ra\r\n0\r\n\r\n", "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n", "an odd trailer": b"0\r\nnonsense\r\n\r\n",
}


def test_chunks_that_are_no_chunks_are_refused(server):
    for name, body in BAD_CHUNKS.items():
        answers = answers_to(server.port, get_with_body(b"Transfer-Encoding: chunked", body=body + SMUGGLED))
        assert len(answers) == 1 and answers[0].status in (400, 413, 431), (name, answers)
        assert answers[0].header("connection") == "close", name


def test_a_webhook_may_come_in_chunks_byte_by_byte(world, provider, server):
    business = world.business(provider)
    call = p.sid("CA")
    eventually(lambda: business.webhook(server, "call", business.call_fields(p.sid("CA"))).status == 204)
    target, headers, body = business.signed(server.port, "call", business.call_fields(call))
    chunks = b"".join(b"%x;x=1\r\n%s\r\n" % (1, body[i:i + 1]) for i in range(len(body))) + b"0\r\nTrailer: x\r\n\r\n"
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers)
    raw = (f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{lines}Transfer-Encoding: chunked\r\n\r\n"
           .encode() + chunks)
    with Connection(server.port) as connection:
        for start in range(0, len(raw), 97):
            connection.send(raw[start:start + 97])
        assert connection.read().status == 204
        assert connection.call("GET", "/healthz").status == 200  # and nothing is left over
    assert world.sql("select count(*) n from calls where call_sid = ?", call)[0]["n"] == 1


def test_pipelined_requests_are_answered_in_order(server):
    answers = answers_to(server.port, get() + get(b"/nothing") + get(b"/readyz") +
                         b"HEAD /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n" + get())
    assert [a.status for a in answers[:3]] == [200, 404, 200]
    assert len(answers_to(server.port, get() * 500 + get(b"/healthz", b"Connection: close"))) == 501


def test_sizes_have_their_limits(server):
    for raw, statuses in (
        (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", (414, 431)),
        (get(b"/healthz", b"X-A: " + b"b" * 33000), (431,)),
        (get(b"/healthz", *[b"X-%d: b" % i for i in range(3000)]), (431,)),
        (get(b"/healthz", *[b"A:" for i in range(12000)]), (431,)),
        (b"G" * 40000, (400, 414, 431)),
        (post(b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 70000", body=b"a" * 70000), (413,)),
        (get_with_body(b"Transfer-Encoding: chunked", body=b"11170\r\n" + b"a" * 70000 + b"\r\n0\r\n\r\n"), (413,)),
        (get(b"/healthz", b"X-A: " + b"b" * 20000), (200,)),
        (b"\r\n\r\n" + get(), (200,)),
    ):
        answers = answers_to(server.port, raw)
        assert answers and answers[0].status in statuses, (raw[:60], answers)


def test_expect_continue_is_answered(server):
    with Connection(server.port) as connection:
        connection.send(post(b"Content-Type: text/plain", b"Content-Length: 70000", b"Expect: 100-continue"))
        assert connection.read().status == 413  # without a byte of the body
    with Connection(server.port) as connection:
        connection.send(get_with_body(b"Content-Length: 3", b"Expect: 100-continue"))
        connection.socket.settimeout(10)
        assert connection.socket.recv(25, socket.MSG_PEEK).startswith(b"HTTP/1.1 100")
        connection.send(b"a=b")
        assert connection.read().status == 200
    with Connection(server.port) as connection:
        connection.send(post(b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 3", b"Expect: 100-continue"))
        assert connection.read().status == 401  # not signed: nobody needs its body


def test_old_clients_and_odd_targets(server):
    for raw, status in (
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"GET http://x/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", None), (b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", None),
        (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", None),
        (get(b"/%68ealthz"), None), (get(b"/healthz?%"), None), (get(b"/../healthz"), None), (get(b"/api/%00"), None),
    ):
        answers = answers_to(server.port, raw)
        assert len(answers) == 1 and (answers[0].status == status if status else 200 <= answers[0].status < 600), (raw, answers)
        assert answers[0].status != 500, raw


def test_a_head_that_never_ends_is_cut_after_ten_seconds(world, server):
    began = time.monotonic()

    def now():
        """Time on the server's clock since before the first of them came: the time that was moved, and the time that passed by itself."""
        return time.monotonic() - began + world.clock.ms / 1000
    with Connection(server.port) as slow, Connection(server.port) as body, Connection(server.port) as idle:
        slow.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ")
        body.send(get_with_body(b"Content-Length: 100", body=b"a="))
        assert idle.call("GET", "/healthz").status == 200
        ends = {slow: 10, body: 30, idle: 75}
        for passed, cut in ((7, ()), (11, (slow,)), (27, ()), (31, (body,)), (72, ()), (77, (idle,))):
            world.clock.advance(max(0, passed - now()))
            assert server.get("/healthz").status == 200
            for connection in cut:
                answer = connection.socket.recv(4096)
                assert answer == b"" if connection is idle else answer[:12] in (b"HTTP/1.1 408", b""), (passed, answer)
            if not cut:
                open_ones = {c.socket: c for c in ends if ends[c] > passed}
                ended = [open_ones[s] for s in select.select(list(open_ones), [], [], 0.1)[0]]
                assert [c for c in ended if now() < ends[c]] == [], passed


def test_a_thousand_slow_clients_do_not_slow_a_fast_one(world, server):
    business = world.business(type("At", (), dict(account_sid=p.sid("AC"), token="t" * 32, base_url="http://127.0.0.1:9")))
    slow = [Connection(server.port) for _ in range(1000)]
    try:
        for i, connection in enumerate(slow):
            connection.send((b"GET /api/calls HTTP/1.1\r\nHost: x\r\nX: ", post(b"Content-Length: 9", body=b"a"), b"G", b"")[i % 4])
        begin = time.monotonic()
        with Connection(server.port) as fast:
            for _ in range(1000):
                assert fast.call("GET", "/healthz").status == 200
        took = time.monotonic() - begin
        assert took < 5 * callreel.PATIENCE, took
        assert business.webhook(server, "call", business.call_fields(p.sid("CA"))).status == 204
    finally:
        for connection in slow:
            connection.close()


def test_past_its_connections_a_process_says_503_and_keeps_room_for_health(world, provider):
    server = world.server(CONNECTIONS=50)
    business = world.business(provider)
    idle = [Connection(server.port, timeout=5) for _ in range(45)]
    try:
        for connection in idle:
            connection.send(b"GET /api")
        with Connection(server.port) as one:
            answer = one.call("GET", "/api/calls", {"Authorization": f"Bearer {business.viewer}"})
            assert answer.status == 503 and int(answer.header("retry-after")) >= 1
        assert server.get("/healthz").status == 200
        assert business.webhook(server, "call", business.call_fields(p.sid("CA"))).status == 204
    finally:
        for connection in idle:
            connection.close()


def test_a_businesss_listeners_have_a_ceiling_of_their_own(world):
    server = world.server(LISTENERS_PER_BUSINESS=5)
    mine, theirs = world.provider(), world.provider()
    a, b = world.business(mine, "A"), world.business(theirs, "B")
    gate = threading.Event()
    tape, other = mine.tape(), theirs.tape()
    tape.default = p.hold(gate)
    a.tell(server, tape, "in-progress")
    b.tell(server, other)
    world.wait_state(other.sid, business_id=b.id)
    url, auth = f"/api/recordings/{tape.sid}/stream", {
        "Authorization": f"Bearer {a.viewer}", "Range": "bytes=0-", "Prefer": "wait=54"}
    listeners = [Connection(server.port, timeout=60) for _ in range(6)]
    try:
        for listener in listeners:
            listener.ask("GET", url, auth)
        [refused] = select.select([c.socket for c in listeners], [], [], 20)[0]
        [one] = [c for c in listeners if c.socket is refused]
        answer = one.read()
        assert answer.status == 429 and int(answer.header("retry-after")) >= 1
        assert server.get(f"/api/recordings/{other.sid}/stream", b.viewer).body == other.mp3
        gate.set()
        for listener in listeners:
            assert listener is one or listener.read().body == tape.mp3
    finally:
        for listener in listeners:
            listener.close()


def test_resets_in_the_middle_of_everything_harm_nobody(world, provider, server):
    business = world.business(provider)
    tape = provider.tape(seconds=400)
    business.tell(server, tape)
    world.wait_state(tape.sid)

    def act(i, ready):
        connection = Connection(server.port, receive_buffer=4096)
        ready()
        if i % 3 == 0:
            connection.ask("GET", f"/api/recordings/{tape.sid}/stream", {"Authorization": f"Bearer {business.viewer}"})
            connection.socket.recv(1000)
        elif i % 3 == 1:
            connection.send(business_bytes(business, server)[:i * 3])
        connection.reset()

    at_once(90, act)
    assert server.get(f"/api/recordings/{tape.sid}/stream", business.viewer).body == tape.mp3


def business_bytes(business, server):
    fields = business.call_fields(p.sid("CA"))
    target, headers, body = business.signed(server.port, "call", fields)
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers)
    return f"POST {target} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
