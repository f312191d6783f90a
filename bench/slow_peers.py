"""Many peers that never finish a request, as a process of its own: each sends a byte now and then, and comes again when it is cut.

    slow_peers.py PORT COUNT head|body TARGET

head: a request's head that does not end. body: a webhook to TARGET whose head is whole and whose body does not end. It says
`here` once all have connected; the end of the input ends it."""
import os
import select
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/story"))
import wire  # found as the line above says

EVERY_S = 2.0
CONNECTS_AT_ONCE = 200
COME_AGAIN_AT_ONCE = 20  # in each turn of the poll, which ends early if anything happens: a flood of new connections


class Peers:
    def __init__(self, port, count, part, target):
        self.port, self.count, self.socks = port, count, {}
        head = f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Twilio-Signature: none\r\n"
        whole = f"{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\na="
        self.first = (head + "X-Slow: " if part == "head" else whole).encode()
        self.poll = select.epoll()

    def add(self):
        one = wire.connecting(self.port)
        self.socks[one.fileno()] = [one, False]
        self.poll.register(one, select.EPOLLOUT | select.EPOLLIN)

    def drop(self, number):
        one, _ = self.socks.pop(number)
        one.close()

    def turn(self, number, events):
        one, sent = self.socks[number]
        try:
            if not sent and events & select.EPOLLOUT:
                one.send(self.first)
                self.socks[number][1] = True
                self.poll.modify(one, select.EPOLLIN)
            elif events & ~select.EPOLLOUT and not one.recv(4096):
                self.drop(number)
        except OSError:
            self.drop(number)

    def dribble(self):
        for number, (one, sent) in list(self.socks.items()):
            try:
                if sent:
                    one.send(b"x")
            except BlockingIOError:
                pass
            except OSError:
                self.drop(number)

    def go_on(self):
        told, dribbled = False, time.monotonic()
        self.poll.register(0, select.EPOLLIN | select.EPOLLHUP)
        while True:
            for _ in range(min(COME_AGAIN_AT_ONCE if told else CONNECTS_AT_ONCE, self.count - len(self.socks))):
                self.add()
            for number, events in self.poll.poll(0.05):
                if number == 0:
                    return
                if number in self.socks:
                    self.turn(number, events)
            if not told and len(self.socks) == self.count and all(sent for _, sent in self.socks.values()):
                told = True
                print("here", flush=True)
            if time.monotonic() - dribbled > EVERY_S:
                dribbled = time.monotonic()
                self.dribble()


if __name__ == "__main__":
    os.nice(10)  # their processors would be other machines'
    Peers(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]).go_on()
