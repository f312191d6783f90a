"""An HTTP/1.1 client on a socket that keeps the raw bytes and checks whether a body is complete."""
import json
import socket
import struct
import threading


class Response:
    def __init__(self, status, reason, headers):
        self.status, self.reason, self.headers = status, reason, headers
        self.body = b""
        self.complete = True  # False: the connection ended before the body did

    def header(self, name):
        values = self.all(name)
        return ", ".join(values) if values else None

    def all(self, name):
        return [v for k, v in self.headers if k == name.lower()]

    def json(self):
        return json.loads(self.body)

    def code(self):
        """The error code of the problem or the status object."""
        value = self.json()
        return value.get("code") or (value.get("error") or {}).get("code")

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r} complete={self.complete}>"


class Closed(Exception):
    """The server closed the connection before the head of a response was complete."""


class Connection:
    def __init__(self, port, timeout=30, receive_buffer=None):
        self.port = port
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.method = "GET"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, raw):
        self.socket.sendall(raw)

    def ask(self, method, target, headers=(), body=None):
        self.method = method
        self.send(request_bytes(method, target, self.port, headers, body))

    def fill(self):
        chunk = self.socket.recv(262144)
        self.buffer += chunk
        return len(chunk)

    def read_head(self):
        while True:
            while b"\r\n\r\n" not in self.buffer:
                try:
                    if not self.fill():
                        raise Closed(bytes(self.buffer))
                except ConnectionResetError as e:
                    raise Closed(bytes(self.buffer)) from e
            head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
            self.buffer = bytearray(rest)
            first, *lines = head.decode("latin-1").split("\r\n")
            version, status, *reason = first.split(" ", 2)
            assert version == "HTTP/1.1", first
            headers = []
            for line in lines:
                name, colon, value = line.partition(":")
                assert colon and name and not name.endswith(" "), line
                headers.append((name.lower(), value.strip(" \t")))
            response = Response(int(status), " ".join(reason), headers)
            if response.status >= 200:
                return response

    def read_some(self, n):
        """Reads n bytes of a body; fewer if it ends before."""
        while len(self.buffer) < n:
            try:
                if not self.fill():
                    break
            except ConnectionResetError:
                break
        got = bytes(self.buffer[:n])
        del self.buffer[:n]
        return got

    def read_chunked(self, response):
        parts = []
        while True:
            line = self.read_line()
            if line is None:
                response.complete = False
                break
            size = int(line.split(b";")[0], 16)
            if size == 0:
                while self.read_line():
                    pass
                break
            part = self.read_some(size)
            parts.append(part)
            if len(part) < size or self.read_some(2) != b"\r\n":
                response.complete = False
                break
        return b"".join(parts)

    def read_line(self):
        while b"\r\n" not in self.buffer:
            try:
                if not self.fill():
                    return None
            except ConnectionResetError:
                return None
        line, _, rest = bytes(self.buffer).partition(b"\r\n")
        self.buffer = bytearray(rest)
        return line

    def read_to_end(self):
        while True:
            try:
                if not self.fill():
                    break
            except ConnectionResetError:
                break
        got = bytes(self.buffer)
        self.buffer.clear()
        return got

    def read_body(self, response):
        if self.method == "HEAD" or response.status in (204, 304):
            return response
        length = response.header("content-length")
        if (response.header("transfer-encoding") or "").lower() == "chunked":
            response.body = self.read_chunked(response)
        elif length is not None:
            response.body = self.read_some(int(length))
            response.complete = len(response.body) == int(length)
        else:
            response.body = self.read_to_end()
        return response

    def read(self):
        return self.read_body(self.read_head())

    def call(self, method, target, headers=(), body=None):
        self.ask(method, target, headers, body)
        return self.read()


def connecting(port):
    """A socket that does not block, and connects while the caller continues."""
    one = socket.socket()
    one.setblocking(False)
    try:
        one.connect(("127.0.0.1", port))
    except BlockingIOError:
        pass
    return one


def request_bytes(method, target, port, headers=(), body=None):
    headers = list(headers.items() if isinstance(headers, dict) else headers)
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        headers.insert(0, ("Host", f"127.0.0.1:{port}"))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        headers.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def call(port, method, target, headers=(), body=None, timeout=30):
    headers = list(headers.items() if isinstance(headers, dict) else headers) + [("Connection", "close")]
    with Connection(port, timeout) as connection:
        return connection.call(method, target, headers, body)


def at_once(count, act):
    """Runs act(i, ready) in count threads and returns the results; ready() waits for the others."""
    barrier = threading.Barrier(count, timeout=60)
    results, errors = [None] * count, []

    def run(i):
        try:
            results[i] = act(i, barrier.wait)
        except BaseException as e:  # noqa: BLE001 - told below, in the story's own thread
            errors.append(e)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise next((e for e in errors if not isinstance(e, threading.BrokenBarrierError)), errors[0])
    assert not any(thread.is_alive() for thread in threads), "some of the threads never ended"
    return results
