"""Brokers for the tests: real ones, and ports where none answers."""

from __future__ import annotations

import os
import socket

import pytest
from kombu import Connection

REDIS = f"redis://127.0.0.1:{os.environ.get('REDIS_PORT', 6379)}/15"
RABBITMQ = f"amqp://guest:guest@127.0.0.1:{os.environ.get('RABBITMQ_PORT', 5672)}//"
BROKERS = {"redis": REDIS, "rabbitmq": RABBITMQ}


def address_of(url):
    broker = Connection(url)
    return broker.hostname, broker.port


def real_broker(name):
    """Return the broker's URL. Skip the test if the broker is down, unless its port is configured."""
    try:
        socket.create_connection(address_of(BROKERS[name]), 2).close()
    except OSError:
        if f"{name.upper()}_PORT" in os.environ:
            raise
        pytest.skip(f"{name} does not answer")
    return BROKERS[name]


def at_port(url, port):
    """Return the URL of the same broker at another port."""
    return url.replace(f":{address_of(url)[1]}", f":{port}")


def refusing_port():
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class SilentServer:
    """Port that accepts connections and never answers. If ``is_full``, it does not even accept."""

    def __init__(self, is_full):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0 if is_full else 50)
        self.port = self.listener.getsockname()[1]
        self.callers = []
        for _ in range(4 if is_full else 0):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", self.port))
            self.callers.append(caller)

    def close(self):
        for each in [self.listener, *self.callers]:
            each.close()


def delete_queue(url, queue):
    """Remove the queue from the broker."""
    with Connection(url) as broker:
        if broker.transport.driver_type == "redis":
            client = broker.default_channel.client
            client.delete(queue, *client.keys(f"_kombu.binding*.{queue}"))
        else:
            broker.default_channel.queue_delete(queue)
            broker.default_channel.exchange_delete(queue)
