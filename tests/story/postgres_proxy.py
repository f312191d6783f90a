"""A proxy before a PostgreSQL server that a story has keep what it was given.

    proxy = Proxy(server.port)          postgresql://postgres@127.0.0.1:{proxy.port}/…
    proxy.cut_off()                     nothing passes any more, in either direction; connections stay open
    proxy.swallow_commits(2)            the next two answers to a COMMIT do not pass; their connections are closed then
    proxy.heal()                        what was kept is dropped with its connections; new ones pass"""
import socket
import threading

COMMIT = b"commit\0"


class Proxy:
    def __init__(self, server_port):
        self.server_port, self.lock = server_port, threading.Lock()
        self.is_cut, self.commits_left, self.swallowed, self.pairs, self.stopped = False, 0, 0, set(), False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_off(self):
        self.is_cut = True

    def swallow_commits(self, count):
        with self.lock:
            self.commits_left = count

    def heal(self):
        self.is_cut = False
        with self.lock:
            pairs, self.commits_left = list(self.pairs), 0
        for pair in pairs:
            pair.close()

    def stop(self):
        self.stopped = True
        self.listener.close()
        self.heal()

    def _accept(self):
        while not self.stopped:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.server_port), 5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            pair = _Pair(self, client, server)
            with self.lock:
                self.pairs.add(pair)
            pair.start()


class _Pair:
    """One client's connection, and ours to the server."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.swallows = False
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self):
        threading.Thread(target=self._copy, args=(self.client, self.server), daemon=True).start()
        threading.Thread(target=self._copy, args=(self.server, self.client), daemon=True).start()

    def close(self):
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        with self.proxy.lock:
            self.proxy.pairs.discard(self)

    def _begins_to_swallow(self, data):
        with self.proxy.lock:
            if not self.proxy.commits_left or COMMIT not in data:
                return False
            self.proxy.commits_left -= 1
            return True

    def _copy(self, source, to):
        """When a commit has passed, the server's next bytes are its answer: they are dropped, and the connection with them."""
        try:
            while data := source.recv(1 << 16):
                if self.proxy.is_cut:
                    continue
                if source is self.client and self._begins_to_swallow(data):
                    self.swallows = True
                if source is self.server and self.swallows:
                    self.proxy.swallowed += 1
                    break
                to.sendall(data)
        except OSError:
            pass
        self.close()
