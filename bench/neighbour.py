"""Another business, as a process of its own: one request every GAP_MS, on LINES connections in turns, and how long each took.

    neighbour.py '{"kind": "webhook", "port": …, "gap_ms": 20, …}'

kind: webhook (business, account, token), health, status or play (key, id). fresh: a new connection for each request. A request's
time counts from the moment at which it was due; those in hand count as far as they have come. Each line on the standard input
is answered by a line of JSON about the requests since the line before: their count, statuses, p50, p99 and the longest in
milliseconds. The end of the input ends it."""
import collections
import json
import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/story"))

import signing  # noqa: E402 - found by the line above
import wire  # noqa: E402

TIMEOUT_S = 30
LINES = 8


class Asker(threading.Thread):
    """Every LINES-th of the requests, on a connection of its own: a slow answer does not hold up the next request."""

    def __init__(self, wish, number):
        super().__init__(daemon=True)
        self.wish, self.number, self.connection = wish, number, None
        self.run_id, self.lock, self.took_ms, self.statuses = os.urandom(6).hex(), threading.Lock(), [], collections.Counter()
        self.due = None  # when the request in hand was due

    def webhook(self):
        target = f"/webhooks/twilio/{self.wish['business']}/call"
        fields = {"AccountSid": self.wish["account"], "CallSid": f"CA{self.run_id}{self.number:020x}", "CallStatus": "completed",
                  "Direction": "inbound", "From": "+15005550100", "To": "+15005550199"}
        mark = signing.signature(self.wish["token"], f"http://127.0.0.1:{self.wish['port']}{target}", fields)
        headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Twilio-Signature", mark)]
        return "POST", target, headers, signing.form(fields)

    def health(self):
        return "GET", "/healthz", (), None

    def status(self):
        return "GET", f"/api/recordings/{self.wish['id']}/status", [("Authorization", f"Bearer {self.wish['key']}")], None

    def play(self):
        """The first half of a second of a recording that is ready."""
        return "GET", f"/api/recordings/{self.wish['id']}/stream", [("Authorization", f"Bearer {self.wish['key']}"),
                                                                   ("Range", "bytes=0-1999")], None

    def ask(self):
        """The status of the response, or why there was none."""
        try:
            if not self.connection:
                self.connection = wire.Connection(self.wish["port"], TIMEOUT_S)
            status = self.connection.call(*getattr(self, self.wish["kind"])()).status
        except (OSError, wire.Closed) as why:
            status = type(why).__name__
        if self.connection and (self.wish.get("fresh") or not isinstance(status, int)):
            self.connection.close()
            self.connection = None
        return str(status)

    def run(self):
        gap = self.wish["gap_ms"] / 1000
        due = time.monotonic() + self.number * gap
        while True:
            time.sleep(max(0.0, due - time.monotonic()))
            self.due = due
            status = self.ask()
            with self.lock:
                self.due = None
                self.took_ms.append(1000 * (time.monotonic() - due))
                self.statuses[status] += 1
            due += LINES * gap
            self.number += LINES

    def take(self, statuses):
        """The times of its requests since the last call."""
        with self.lock:
            took, self.took_ms = self.took_ms, []
            statuses.update(self.statuses)
            self.statuses.clear()
            waits = self.due
        return took + ([1000 * (time.monotonic() - waits)] if waits is not None else [])


def report(askers):
    statuses = collections.Counter()
    took = sorted(ms for asker in askers for ms in asker.take(statuses))
    if not took:
        return {"count": 0, "statuses": {}, "p50_ms": None, "p99_ms": None, "most_ms": None}
    return {"count": len(took), "statuses": statuses, "p50_ms": took[len(took) // 2], "p99_ms": took[len(took) * 99 // 100],
            "most_ms": took[-1]}


def main():
    askers = [Asker(json.loads(sys.argv[1]), number) for number in range(LINES)]
    for asker in askers:
        asker.start()
    for _ in sys.stdin:
        print(json.dumps(report(askers)), flush=True)


if __name__ == "__main__":
    main()
