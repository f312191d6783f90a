"""A hostile client of one business, as a process of its own: crowds, dribbles, leaves answers unread, and asks
without end. What it saw is JSON on its standard output.

    hostile.py PORT KEY BUSINESS_ID CONNECTIONS ASKS
"""
import collections
import json
import os
import select
import socket
import sys
import time

import wire

ASKERS = 64
DRIBBLE_EVERY_S = 0.2


class Script:
    def __init__(self, port, key, business_id, connections, asks):
        self.address = ("127.0.0.1", port)
        self.poll = select.epoll()
        self.crowd, self.slow, self.askers = [], [], {}
        self.counts = collections.Counter()
        self.left = asks
        self.connections = connections
        common = f"Host: 127.0.0.1:{port}\r\n"
        auth = f"{common}Authorization: Bearer {key}\r\n"
        lists = ("limit=100", "search=nobody-has-this&limit=1", "legs=all&limit=100", "direction=inbound&limit=100")
        targets = [f"/api/calls?{query}" for query in lists]
        targets += ["/api/stats", f"/api/recordings/RE{0:032x}/status", f"/api/recordings/RE{1:032x}/stream", "/api/none"]
        self.requests = [f"GET {target} HTTP/1.1\r\n{auth}\r\n".encode() for target in targets]
        self.requests.append((f"POST /webhooks/twilio/{business_id}/call HTTP/1.1\r\n{common}X-Twilio-Signature: none\r\n"
                              "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b").encode())
        self.head = f"GET {targets[0]} HTTP/1.1\r\n{auth}".encode()

    def gather(self):
        """Opens connections: a third sends nothing, a third sends slowly, a third requests much and reads nothing."""
        for n in range(self.connections):
            try:
                one = socket.create_connection(self.address, timeout=5)
            except OSError:
                self.counts["refused"] += 1
                continue
            one.setblocking(False)
            try:
                if n % 3 == 1:
                    one.send(self.head[:20])
                    self.slow.append(one)
                elif n % 3 == 2:
                    one.send(self.requests[0] * 8)
            except OSError:
                self.counts["cut"] += 1
            self.crowd.append(one)
        self.counts["connections"] = len(self.crowd)

    def dribble(self, turn):
        for one in self.slow[turn % 10::10]:
            try:
                one.send(b"x")
            except OSError:
                self.counts["cut"] += 1

    def ask(self, one):
        if self.left <= 0:
            self.poll.modify(one, 0)
            self.askers.pop(one.fileno(), None)
            one.close()
            return
        self.left -= 1
        try:
            one.send(self.requests[self.left % len(self.requests)])
        except OSError:
            self.begin(one)

    def begin(self, old=None):
        if old:
            self.askers.pop(old.fileno(), None)
            old.close()
            self.counts["closed"] += 1
        one = wire.connecting(self.address[1])
        self.askers[one.fileno()] = [one, b"", True]
        self.poll.register(one, select.EPOLLIN | select.EPOLLOUT)

    def turn(self, number, events):
        one, _, is_new = state = self.askers[number]
        if is_new and events & select.EPOLLOUT:
            state[2] = False
            self.poll.modify(one, select.EPOLLIN)
            self.ask(one)
            return
        try:
            got = one.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if not got:
            self.begin(one)
            return
        state[1] += got
        head, end, rest = state[1].partition(b"\r\n\r\n")
        if not end:
            return
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        if len(rest) < length:
            return
        state[1] = rest[length:]
        self.counts[head[9:12].decode()] += 1
        self.ask(one)

    def run(self):
        self.gather()
        print("gathered", flush=True)
        for _ in range(ASKERS):
            self.begin()
        turn, dribbled = 0, time.monotonic()
        while self.askers:
            for number, events in self.poll.poll(0.1):
                if number in self.askers:
                    self.turn(number, events)
            if time.monotonic() - dribbled > DRIBBLE_EVERY_S:
                turn, dribbled = turn + 1, time.monotonic()
                self.dribble(turn)
        print(json.dumps(self.counts), flush=True)


if __name__ == "__main__":
    os.nice(19)  # its processor would be another machine's
    Script(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])).run()
