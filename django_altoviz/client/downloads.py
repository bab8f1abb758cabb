"""PDF documents, streamed from Altoviz."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import requests
from urllib3.exceptions import HTTPError

from django_altoviz.exceptions import AnswerTooLarge, ConnectionFailed, UnexpectedAnswer

#: The longest document, in bytes.
MAX_BYTES = 200 * 2**20
# Names that mean a device on Windows, with any extension, and characters that a name there can't have.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_MAX_NAME_BYTES = 200
_FILENAME = re.compile(r'filename="?([^";]+)"?')
_PDF_SIGNATURE = b"%PDF-"
# PDF readers accept the signature anywhere in this many first bytes.
_HEAD_BYTES = 1024


class Download:
    """A PDF document being downloaded: iterate over its chunks or ``save`` it, then close it.

    Raises:
        ConnectionFailed: the download broke off.
        UnexpectedAnswer: the content is not a PDF. ``AnswerTooLarge``: it is too long.
    """

    def __init__(self, request: str, response: requests.Response) -> None:
        self._request, self._response = request, response
        name = _FILENAME.search(response.headers.get("content-disposition", ""))
        #: The file name that Altoviz sent, without any folder. "" if there is none that is safe.
        self.filename = _safe_name(name[1]) if name else ""

    def __iter__(self) -> Iterator[bytes]:
        chunks: Iterator[bytes] = self._response.iter_content(64 * 1024)
        try:
            length = 0
            for chunk in itertools.chain([self._read_head(chunks)], chunks):
                if (length := length + len(chunk)) > MAX_BYTES:
                    raise AnswerTooLarge(f"{self._request} goes on after {MAX_BYTES} bytes.")
                yield chunk
            return
        except (requests.RequestException, HTTPError, ValueError) as error:
            reason = type(error).__name__
        # Not within the "except": its context would bring the frames of requests into error reports.
        raise ConnectionFailed(f"{self._request} broke off ({reason}).")

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


def _safe_name(text: str) -> str:
    """Return the last part of a path, or "" if a file of that name might do harm on any system."""
    name = re.split(r"[/\\]", text)[-1].strip()
    is_odd = not name.isprintable() or name.startswith(".") or name.endswith(".")
    is_taken = _DEVICE.fullmatch(name) or _FORBIDDEN.search(name)
    is_long = len(name.encode(errors="replace")) > _MAX_NAME_BYTES
    return "" if is_odd or is_taken or is_long else name
