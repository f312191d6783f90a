"""A client of Server-Sent Events that reads no byte ahead and checks the syntax of every line."""
import json
import socket
import time

from callreel import PATIENCE
from wire import Connection


class Event:
    def __init__(self, text):
        self.fields = [line.partition(": ")[::2] for line in text.split("\n") if line and not line.startswith(":")]
        self.is_comment = not self.fields
        found = dict(self.fields)
        self.kind, self.data = found.get("event"), found.get("data")
        self.id = int(found["id"]) if "id" in found else None
        self.retry = found.get("retry")

    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return f"<{self.kind} id={self.id} {(self.data or '')[:160]}>"


class Stream:
    """An open GET /api/events, whose first lines (retry, id) have been read."""

    def __init__(self, server, key=None, last_id=None, headers=(), receive_buffer=None, after=None):
        self.connection = Connection(server.port, timeout=10 * PATIENCE, receive_buffer=receive_buffer)
        headers = dict(headers)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        self.connection.ask("GET", "/api/events" + ("" if after is None else f"?after={after}"), headers)
        self.answer = self.connection.read_head()
        self.text, self.over, self.last_id, self.seen = "", None, last_id, []
        if self.answer.status != 200:
            self.connection.read_body(self.answer)
            return
        assert self.answer.header("content-type") == "text/event-stream", self.answer
        assert self.answer.header("cache-control") == "no-store" and self.answer.header("x-accel-buffering") == "no"
        opening = self._next()
        assert opening.retry == "3000" and opening.kind is None, opening
        self.opening_id, self.last_id = opening.id, opening.id or last_id

    def _chunk(self):
        """Reads one whole chunk."""
        line = self.connection.read_line()
        if line is None:
            self.over = "cut"
            return
        size = int(line, 16)
        self.text += self.connection.read_some(size).decode()
        assert self.connection.read_some(2) == b"\r\n"
        if size == 0:
            self.over = "ended"

    def _next(self):
        while "\n\n" not in self.text:
            if self.over:
                return None
            self._chunk()
        text, _, self.text = self.text.partition("\n\n")
        return Event(text)

    def next(self, within=10):
        """The next event that is not a comment; None at the end of the stream. Comments, which come for ever, give it no more time."""
        deadline = time.monotonic() + within * PATIENCE
        self.connection.socket.settimeout(within * PATIENCE)
        event = self._next()
        while event and event.is_comment:
            self.connection.socket.settimeout(max(0.01, deadline - time.monotonic()))
            event = self._next()
        if event:
            self.seen.append(event)
            self.last_id = event.id or self.last_id
        return event

    def comment(self):
        event = self._next()
        while event and not event.is_comment:
            event = self._next()
        return event

    def until(self, is_it, within=20):
        deadline = time.monotonic() + within * PATIENCE
        while True:
            try:
                event = self.next(max(0.1, deadline - time.monotonic()) / PATIENCE)
            except socket.timeout:
                raise AssertionError(f"not told of it; told of {self.seen}") from None
            assert event, f"the stream ended; told of {self.seen}"
            if is_it(event):
                return event

    def status(self, recording_sid, status):
        return self.until(lambda e: e.kind == "recording" and e.json()["recording_sid"] == recording_sid
                          and e.json()["status"] == status)

    def ends(self, within=5):
        """Reads until the stream ends in order; False if it does not end."""
        self.connection.socket.settimeout(within * PATIENCE)
        try:
            while self._next():
                pass
        except socket.timeout:
            return False
        return self.over == "ended"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
