"""PDF documents, streamed from Altoviz."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from django_altoviz.client.limits import CHUNK_BYTES, HEAD_BYTES
from django_altoviz.exceptions import AnswerTooLarge, ConnectionFailed, UnexpectedAnswer

#: The longest document, in bytes.
MAX_BYTES = 200 * 2**20
# Names that mean a device on Windows, with any extension, and characters that a name there can't have.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_MAX_NAME_BYTES = 200
_FILENAME = re.compile(r'filename="?([^";]+)"?')
_PDF_SIGNATURE = b"%PDF-"


class Download:
    """A PDF document being downloaded: iterate over its chunks or ``save`` it, then close it.

    Raises:
        UnexpectedAnswer: the content is not a PDF. Its beginning has been read already.
        ConnectionFailed: the download broke off.
        AnswerTooLarge: the document is too long.
    """

    def __init__(self, request: str, response: Any) -> None:
        self._request, self._response, self._head = request, response, response.head
        # PDF readers accept the signature anywhere in the head. A success may also carry a web page,
        # such as a notice of maintenance.
        if _PDF_SIGNATURE not in self._head[:HEAD_BYTES]:
            self.close()
            raise UnexpectedAnswer(f"{request} was answered with something that is not a PDF.")
        name = _FILENAME.search(response.headers.get("content-disposition", ""))
        #: The file name that Altoviz sent, without any folder. "" if there is none that is safe.
        self.filename = _safe_name(name[1]) if name else ""

    def __iter__(self) -> Iterator[bytes]:
        is_whole = len(self._head) < HEAD_BYTES
        chunks: Iterator[bytes] = iter(() if is_whole else self._response.iter_content(CHUNK_BYTES))
        try:
            length = 0
            for chunk in itertools.chain([self._head], chunks):
                if (length := length + len(chunk)) > MAX_BYTES:
                    raise AnswerTooLarge(f"{self._request} goes on after {MAX_BYTES} bytes.")
                yield chunk
            return
        except (requests.RequestException, HTTPError, ValueError) as error:
            reason = type(error).__name__
        # Not within the "except": its context would bring the frames of requests into error reports.
        raise ConnectionFailed(f"{self._request} broke off ({reason}).")

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
