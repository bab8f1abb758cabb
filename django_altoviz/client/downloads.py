"""PDF documents, streamed from Altoviz."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import requests

from django_altoviz.exceptions import ConnectionFailed, UnexpectedAnswer

_FILENAME = re.compile(r'filename="?([^";]+)"?')
_PDF_SIGNATURE = b"%PDF-"
# PDF readers accept the signature anywhere in this many first bytes.
_HEAD_BYTES = 1024


class Download:
    """A PDF document being downloaded: iterate over its chunks or ``save`` it, then close it.

    Raises:
        ConnectionFailed: the download broke off.
        UnexpectedAnswer: the content is not a PDF.
    """

    def __init__(self, request: str, response: requests.Response) -> None:
        self._request, self._response = request, response
        name = _FILENAME.search(response.headers.get("content-disposition", ""))
        #: The file name that Altoviz sent, without any folder, or "".
        self.filename = Path(name[1].replace("\\", "/")).name if name else ""

    def __iter__(self) -> Iterator[bytes]:
        chunks: Iterator[bytes] = self._response.iter_content(64 * 1024)
        try:
            yield self._read_head(chunks)
            yield from chunks
        except requests.RequestException as error:
            raise ConnectionFailed(f"{self._request} broke off ({type(error).__name__}).") from None

    def _read_head(self, chunks: Iterator[bytes]) -> bytes:
        """Return the first chunks. Fail if they are not the beginning of a PDF.

        A success may also carry a web page, such as a notice of maintenance.
        """
        head = b""
        while len(head) < _HEAD_BYTES and (chunk := next(chunks, b"")):
            head += chunk
        if _PDF_SIGNATURE not in head[:_HEAD_BYTES]:
            raise UnexpectedAnswer(
                f"{self._request} was answered with something that is not a PDF."
            )
        return head

    def save(self, path: str | Path) -> None:
        """Write the document to ``path``. If the download fails, leave no file behind."""
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
