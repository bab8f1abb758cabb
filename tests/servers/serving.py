"""Start a web server, and send it requests byte by byte."""

from __future__ import annotations

import contextlib
import socket
import time

from tests.chaos.servers import free_port, wait_for_port
from tests.dispatchers.workers import working

WSGI, ASGI = "tests.servers.application:wsgi", "tests.servers.application:asgi"
#: The commands of the servers, on a port.
COMMANDS = {
    "gunicorn": f"-m gunicorn {WSGI} --bind 127.0.0.1:%d --no-control-socket",
    "gunicorn with threads": f"-m gunicorn {WSGI} --bind 127.0.0.1:%d --no-control-socket --threads 2",
    "waitress": f"-m waitress --listen 127.0.0.1:%d {WSGI}",
    "uvicorn": f"-m uvicorn {ASGI} --port %d",
    "daphne": f"-m daphne -b 127.0.0.1 -p %d {ASGI}",
    "runserver": "-m django runserver 127.0.0.1:%d --noreload --skip-checks",
}


@contextlib.contextmanager
def served(server, directory, **environment):
    """Start the server, and yield its port when it answers."""
    port = free_port()
    environment = {"WORKER_DISPATCHER": "django_altoviz.dispatchers.inline"} | environment
    with working((COMMANDS[server] % port).split(), directory, **environment):
        wait_for_port(port)
        yield port


def ask(port, head, *parts, pause=0.0):
    """Send a request in parts, and return the status code and the body of the answer."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(head)
        for part in parts:
            time.sleep(pause)
            connection.sendall(part)
        answer = connection.makefile("rb").read()
    status, _, body = answer.partition(b"\r\n\r\n")
    return int(status.split()[1]), body.decode()


def head(path="/altoviz/webhook/", **headers):
    """Return the head of a POST. An underscore in a header's name stands for a hyphen."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunks(body, size=1000):
    """Return the body in the chunks of ``Transfer-Encoding: chunked``."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return [b"%x\r\n%s\r\n" % (len(part), part) for part in parts] + [b"0\r\n\r\n"]
