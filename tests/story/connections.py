"""The connections of a server that a story scripts: each has a thread, and stays open for further requests."""
import socket
import threading


class Connections:
    """For a class whose instances have a listening socket: it calls accept_in_a_thread(listener), and has
    _read(connection, incoming), which returns the next request or None, and _act(request), which answers it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stopped = False
        self.connections = set()

    def accept_in_a_thread(self, listener):
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut_connections(self):
        """Shuts down all connections that are open."""
        with self.lock:
            open_ones = list(self.connections)
        for connection in open_ones:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self, listener):
        while not self.stopped:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with self.lock:
            self.connections.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            incoming = connection.makefile("rb")
            while not self.stopped:
                ask = self._read(connection, incoming)
                if not ask:
                    return
                self._act(ask)
                if ask.closes:
                    return
        except OSError:
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)
            connection.close()


def read_head(incoming):
    """The method and the target of the next request, and its headers by lower-case name; None: there is no further one."""
    first = incoming.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while line := incoming.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return first[0], first[1], headers
