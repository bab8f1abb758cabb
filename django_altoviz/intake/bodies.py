"""Read the raw body of a delivery, however the server passes it on."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


class LengthRequired(Exception):
    """The server can't pass on a body without a ``Content-Length``."""


class UnreadableBody(Exception):
    """The connection broke off, or the chunks are malformed."""


def read_raw(request: HttpRequest, most: int) -> bytes:
    """Return the body, or its first ``most`` bytes.

    Raises:
        LengthRequired: the body came in chunks, and this server can't say where they end.
        UnreadableBody: the connection broke off, or the chunks are malformed.
    """
    stream = _stream(request)
    parts: list[bytes] = []
    try:
        while most > 0 and (part := stream.read(most)):
            parts.append(part)
            most -= len(part)
    except Exception as error:  # servers have exceptions of their own
        raise UnreadableBody(f"{type(error).__name__}: {error}") from error
    return b"".join(parts)


def _stream(request: HttpRequest) -> Any:
    """Return the stream of the body.

    Without a ``Content-Length``, Django takes a body under WSGI for empty. Servers that can read such a
    body to its end say so by ``wsgi.input_terminated``.
    """
    environ = request.META
    if environ.get("CONTENT_LENGTH") or "wsgi.input" not in environ:
        # Not request.body, which enforces another limit, DATA_UPLOAD_MAX_MEMORY_SIZE.
        return request
    if environ.get("wsgi.input_terminated"):
        return environ["wsgi.input"]
    if "HTTP_TRANSFER_ENCODING" in environ:
        raise LengthRequired
    return request
