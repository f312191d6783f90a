"""A provider under a story's full control: each request to a recording is answered as the story wrote it.

    tape = provider.tape(seconds=2)
    gate = threading.Event()
    tape.acts = [status(404), hold(gate), cut_at(3000)]     # first, second, third request; then: whole
"""
import base64
import random
import socket
import struct
import threading

import sound
from connections import Connections, read_head


def sid(prefix):
    return prefix + random.randbytes(16).hex()


class Ask:
    """One request, and methods to answer it."""

    def __init__(self, provider, connection, method, path, headers):
        self.provider, self.connection = provider, connection
        self.method, self.path, self.headers = method, path, headers
        self.tape = None
        self.status = None  # of the answer
        self.whole = False  # the answer was sent to its end
        self.closes = False

    def send(self, raw):
        self.connection.sendall(raw)

    def head(self, status, headers):
        self.status = status
        lines = [f"HTTP/1.1 {status} X"] + [f"{name}: {value}" for name, value in headers.items()]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    def answer(self, status, headers=None, body=b""):
        self.head(status, {"Content-Length": len(body), **(headers or {})})
        self.send(body)
        self.whole = True

    def wait(self, gate):
        """Waits until the story opens the gate or ends."""
        while not gate.wait(0.05):
            if self.provider.stopped:
                raise ConnectionAbortedError
        if self.provider.stopped:
            raise ConnectionAbortedError

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError

    def end(self):
        self.closes = True

    # The parts of an answer with audio.
    def bytes(self):
        return self.tape.bytes_for(self.path)

    def media_headers(self, data, **more):
        kind = "audio/mpeg" if data[:1] == b"\xff" else "audio/x-wav"
        return {"Content-Type": kind, "ETag": self.tape.etag, "Accept-Ranges": "bytes",
                "Content-Length": len(data), **more}


def whole(ask):
    """Answers 200, or 206 to an open range whose validator matches."""
    data = ask.bytes()
    wanted = ask.headers.get("range", "")
    if wanted.startswith("bytes=") and wanted.endswith("-") and ask.headers.get("if-range") in (None, ask.tape.etag):
        start = int(wanted[6:-1])
        part = data[start:]
        ask.head(206, ask.media_headers(data, **{"Content-Length": len(part),
                                                 "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}))
        ask.send(part)
    else:
        ask.head(200, ask.media_headers(data))
        ask.send(data)
    ask.whole = True


def status(code, headers=None, body=b""):
    def act(ask):
        ask.answer(code, headers, body or f"<TwilioResponse><RestException><Code>{code}</Code><Status>{code}</Status>"
                   "</RestException></TwilioResponse>".encode())
    return act


def hold(gate, then=whole):
    """Sends no byte before the gate opens."""
    def act(ask):
        ask.wait(gate)
        then(ask)
    return act


def pause_at(n, gate, then=None):
    """Sends the head and n bytes; when the gate opens, the rest (or what `then` does)."""
    def act(ask):
        data = ask.bytes()
        ask.head(200, ask.media_headers(data))
        ask.send(data[:n])
        ask.wait(gate)
        if then:
            return then(ask)
        ask.send(data[n:])
        ask.whole = True
        return None
    return act


def steps(*points):
    """Sends everything in pieces: each (n, gate) sends up to byte n, then waits for the gate."""
    def act(ask):
        data = ask.bytes()
        ask.head(200, ask.media_headers(data))
        sent = 0
        for n, gate in points:
            ask.send(data[sent:n])
            sent = n
            ask.wait(gate)
        ask.send(data[sent:])
        ask.whole = True
    return act


def cut_at(n):
    """Announces the whole length, resets the connection after n bytes."""
    def act(ask):
        data = ask.bytes()
        ask.head(200, ask.media_headers(data))
        ask.send(data[:n])
        ask.reset()
    return act


def short_at(n):
    """Announces the whole length, closes the connection in order after n bytes."""
    def act(ask):
        data = ask.bytes()
        ask.head(200, ask.media_headers(data))
        ask.send(data[:n])
        ask.end()
    return act


def chunked(ask):
    data = ask.bytes()
    headers = ask.media_headers(data, **{"Transfer-Encoding": "chunked"})
    del headers["Content-Length"]
    ask.head(200, headers)
    for start in range(0, len(data), 700):
        part = data[start:start + 700]
        ask.send(b"%x\r\n%s\r\n" % (len(part), part))
    ask.send(b"0\r\n\r\n")
    ask.whole = True


def unknown_length(*points):
    """Sends chunks without a length; each (n, gate) as in steps."""
    def act(ask):
        data = ask.bytes()
        headers = ask.media_headers(data, **{"Transfer-Encoding": "chunked"})
        del headers["Content-Length"]
        ask.head(200, headers)
        sent = 0
        for n, gate in list(points) + [(len(data), None)]:
            if n > sent:
                ask.send(b"%x\r\n%s\r\n" % (n - sent, data[sent:n]))
            sent = n
            if gate:
                ask.wait(gate)
        ask.send(b"0\r\n\r\n")
        ask.whole = True
    return act


def chunk_cut(n):
    """Sends chunks without a length, resets the connection after n bytes."""
    def act(ask):
        data = ask.bytes()
        headers = ask.media_headers(data, **{"Transfer-Encoding": "chunked"})
        del headers["Content-Length"]
        ask.head(200, headers)
        ask.send(b"%x\r\n%s\r\n" % (n, data[:n]))
        ask.reset()
    return act


def redirect(url, code=302):
    return status(code, {"Location": url}, b"elsewhere")


def hang(ask):
    ask.wait(threading.Event())


def content(data, headers=None):
    """Answers 200 with other bytes than the recording's."""
    def act(ask):
        ask.head(200, ask.media_headers(data, **(headers or {})))
        ask.send(data)
        ask.whole = True
    return act


class Tape:
    """A recording at the provider."""

    def __init__(self, provider, seconds, channels):
        self.provider = provider
        self.sid, self.call_sid = sid("RE"), sid("CA")
        self.seconds, self.channels = seconds, channels
        self.etag = f'"{self.sid[-8:]}"'
        self.acts = []
        self.default = whole
        self.asks = []
        self.sounds = {"mp3": sound.mp3(seconds, self.sid)}

    @property
    def url(self):
        return f"{self.provider.base_url}/2010-04-01/Accounts/{self.provider.account_sid}/Recordings/{self.sid}"

    @property
    def mp3(self):
        return self.sounds["mp3"]

    def bytes_for(self, path):
        kind = "mp3" if path.endswith(".mp3") else "wav"
        if kind not in self.sounds:
            self.sounds[kind] = sound.wav(self.seconds, self.sid, self.channels)
        return self.sounds[kind]

    @property
    def downloads(self):
        """The number of requests that were answered with audio."""
        return sum(1 for ask in self.asks if ask.status in (200, 206))

    def next_act(self, ask):
        with self.provider.lock:
            n = len(self.asks)
            self.asks.append(ask)
        return self.acts[n] if n < len(self.acts) else self.default


class Provider(Connections):
    def __init__(self, account_sid=None, token=None):
        super().__init__()
        self.account_sid = account_sid or sid("AC")
        self.token = token or random.randbytes(16).hex()
        self.tapes = {}
        self.asks = []  # all requests, in the order they came
        self.pages = {}  # other paths: an act each
        self.outage = None  # an act instead of every answer
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.accept_in_a_thread(self.listener)

    def tape(self, seconds=2.0, channels=1):
        tape = Tape(self, seconds, channels)
        self.tapes[tape.sid] = tape
        return tape

    def stop(self):
        self.stopped = True
        self.listener.close()
        self.cut_connections()

    def _read(self, connection, incoming):
        head = read_head(incoming)
        if not head:
            return None
        ask = Ask(self, connection, *head)
        with self.lock:
            self.asks.append(ask)
        return ask

    def _act(self, ask):
        path = ask.path.partition("?")[0]
        if path in self.pages:
            return self.pages[path](ask)
        name = path.rsplit("/", 1)[-1].partition(".")[0]
        ask.tape = self.tapes.get(name)
        if self.outage:
            return self.outage(ask)
        expected = base64.b64encode(f"{self.account_sid}:{self.token}".encode()).decode()
        if ask.headers.get("authorization") != f"Basic {expected}":
            return status(401, {"WWW-Authenticate": 'Basic realm="Twilio API"'})(ask)
        if not ask.tape:
            return status(404)(ask)
        return ask.tape.next_act(ask)(ask)
