"""The text by which a search finds a row: on every database alike, whatever its case and accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from django.db.models import Q

#: The length of the text, in characters: every database can index that much.
SEARCH_LENGTH = 500
# Each word adds a condition to the query, and no row has more words of use.
_MAX_WORDS = 30
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae"})
_PHONE = re.compile(r"\+?[\d\s.()/-]{8,}")


def folded(text: str) -> str:
    """Return the text in lower case and without accents, as ``fonderie brule``."""
    # Before the case is folded, too: a letter of formulas has no lower case, but its plain letter has.
    plain = unicodedata.normalize("NFKD", text).casefold()
    decomposed = unicodedata.normalize("NFKD", plain)
    letters = (c for c in decomposed if not unicodedata.combining(c) and c.isprintable())
    return "".join(letters).translate(_LIGATURES)


def search_text(values: Iterable[object]) -> str:
    """Return the text to search, from the values of the columns that are searched.

    Of a telephone number, it has the digits alone, too, because people write them in many ways.
    """
    texts = [str(value) for value in values if value not in (None, "")]
    texts += [re.sub(r"\D", "", text) for text in texts if _PHONE.fullmatch(text)]
    # The longest last, so that it takes no other value's place.
    return " ".join(dict.fromkeys(map(folded, sorted(texts, key=len))))[:SEARCH_LENGTH]


def has_words(words: Iterable[str]) -> Q:
    """Return the condition that a row has all of the words. No row has more than 30 different ones."""
    words = {*words}
    if len(words) > _MAX_WORDS:
        return Q(pk__in=())
    return Q(*(Q(search_text__contains=word) for word in sorted(words)))


def words_of(term: str) -> list[str]:
    """Return the words that a row must all have to be found."""
    return [folded(word) for word in term.split()]
