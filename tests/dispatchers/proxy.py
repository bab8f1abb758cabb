"""TCP proxy in front of a real broker, to make it fail."""

from __future__ import annotations

import contextlib
import select
import socket
import threading


class Proxy:
    """Proxy that listens on ``port`` and forwards to a server. ``is_silent`` stops the forwarding."""

    def __init__(self, host, port):
        self.server = (host, port)
        self.is_silent = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self.listener.accept()
                pair = (client, socket.create_connection(self.server))
                self.pairs.append(pair)
                threading.Thread(target=self._forward, args=[pair], daemon=True).start()

    def _forward(self, pair):
        one, other = pair
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            while True:
                for source in select.select(pair, [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return self._close(pair)
                    if not self.is_silent:
                        (other if source is one else one).sendall(data)

    def _close(self, pair):
        for each in pair:
            each.close()

    def break_connections(self):
        """Break all connections, as a restart of the broker does."""
        for pair in self.pairs:
            for each in pair:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def close(self):
        """Stop listening and break all connections."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.break_connections()
