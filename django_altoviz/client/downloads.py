"""Documents, read while they come in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import requests

from django_altoviz.exceptions import ConnectionFailed, UnexpectedAnswer

_FILENAME = re.compile(r'filename="?([^";]+)"?')
# A PDF says within so many bytes that it is one.
_HEAD = 1024


class Download:
    """A document while it is being read: iterate over it, or ``save`` it. Close it in the end.

    Raises:
        ConnectionFailed: it broke off.
        UnexpectedAnswer: it is no PDF.
    """

    def __init__(self, request: str, response: requests.Response) -> None:
        self._request, self._response = request, response
        named = _FILENAME.search(response.headers.get("content-disposition", ""))
        #: The name that Altoviz gives it, without any folder, or "".
        self.filename = Path(named[1].replace("\\", "/")).name if named else ""

    def __iter__(self) -> Iterator[bytes]:
        chunks: Iterator[bytes] = self._response.iter_content(64 * 1024)
        try:
            yield self._head(chunks)
            yield from chunks
        except requests.RequestException as error:
            raise ConnectionFailed(f"{self._request} broke off ({type(error).__name__}).") from None

    def _head(self, chunks: Iterator[bytes]) -> bytes:
        """The beginning, by which a document is told from a page that says why there is none."""
        head = b""
        while len(head) < _HEAD and (chunk := next(chunks, b"")):
            head += chunk
        if b"%PDF-" not in head[:_HEAD]:
            raise UnexpectedAnswer(f"{self._request} was answered with what is no PDF.")
        return head

    def save(self, path: str | Path) -> None:
        """Write it to a file; one that could not be read to its end is not left there."""
        partial = Path(f"{path}.part")
        try:
            with self, partial.open("wb") as file:
                for chunk in self:
                    file.write(chunk)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def close(self) -> None:
        self._response.close()

    def __enter__(self) -> Download:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()
