"""A browser that a reader opens the links of a page in."""

from __future__ import annotations

import html
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

from .pages import NotAsWritten

_LINK = re.compile(r"http://127\.0\.0\.1:\d+/[^\s`>]*[^\s`>.,;:)]")
_LOGIN = re.compile(r"``(\w+)``[^`.]*?(?:password|mot de passe)[^`.]*?``(\w+)``")
_BOLD = re.compile(r"\*\*(.+?)\*\*")


class Browser:
    """Opens pages, and logs in if a page asks for it and the text says with what."""

    def __init__(self) -> None:
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
        self._login: tuple[str, str] | None = None
        self.opened = 0

    def read(self, paragraph: str) -> None:
        """Open the links of a paragraph, and look for its bold words.

        Raises:
            NotAsWritten: a page does not answer, or lacks the words.
        """
        if login := _LOGIN.search(paragraph):
            self._login = login[1], login[2]
        links = _LINK.findall(re.sub("``.*?``", "", paragraph))
        shown = " ".join(self._open(link) for link in links)
        for words in _BOLD.findall(paragraph) if links else []:
            if " ".join(words.split()) not in shown:
                raise NotAsWritten(f"{links} does not show “{words}”, but:\n{shown}")

    def _open(self, url: str) -> str:
        page, address = self._request(url)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        if 'type="password"' in page and token:
            if self._login is None:
                raise NotAsWritten(f"{url} asks for a password, and the page has named none.")
            form = {"csrfmiddlewaretoken": token[1], "next": urllib.parse.urlsplit(url).path}
            form |= dict(zip(("username", "password"), self._login, strict=True))
            self._request(address, urllib.parse.urlencode(form).encode())
            page, address = self._request(url)
            if 'type="password"' in page:
                raise NotAsWritten(f"{url} does not accept {self._login[0]} and the password.")
        self.opened += 1
        return visible(page)

    def _request(self, url: str, form: bytes | None = None) -> tuple[str, str]:
        headers = {"Accept-Language": "en", "Referer": url}
        try:
            with self._opener.open(
                urllib.request.Request(url, form, headers), timeout=30
            ) as answer:
                return answer.read().decode(), answer.url
        except urllib.error.URLError as error:
            raise NotAsWritten(f"{url}: {error}") from error


def visible(page: str) -> str:
    """Return the text of an HTML page, with the labels of its buttons."""
    page = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", page)
    page = re.sub(r'<input[^>]* type="submit"[^>]* value="([^"]*)"[^>]*>', r" \1 ", page)
    text = html.unescape(re.sub(r"<[^>]*>", " ", page))
    return " ".join(text.split())
