"""The French catalogue is complete: nobody can add a text without translating it."""

from __future__ import annotations

import ast
import gettext
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.utils import translation

import django_altoviz
from django_altoviz.admin.actions import messages_about
from django_altoviz.admin.display.values import arrival_facts, translate_note
from django_altoviz.checks import check_settings
from django_altoviz.event_types import EventType
from django_altoviz.models import MIRRORS, Customer, Invoice, Quote, Status, WebhookEvent
from django_altoviz.processing import Replay
from django_altoviz.processing.history import LOST_WORKER
from django_altoviz.processing.mirroring import TOO_LATE

PACKAGE = Path(django_altoviz.__file__).parent
CATALOGUE = PACKAGE / "locale" / "fr" / "LC_MESSAGES"
PO = (CATALOGUE / "django.po").read_text(encoding="utf-8")

FIELD = re.compile(
    r'^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) ((?:"(?:[^"\\]|\\.)*"\n?)+)', re.M
)
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w+\}")

#: The number of leading arguments that are messages.
FUNCTIONS = {"_": 1, "gettext": 1, "gettext_lazy": 1, "ngettext": 2, "ngettext_lazy": 2}
#: The same for functions whose first argument is a context.
WITH_CONTEXT = {"pgettext": 2, "pgettext_lazy": 2, "npgettext": 3}
#: What gettext puts between a context and its message.
OF_CONTEXT = "\x04"
TRANSLATE = re.compile(r'\{% translate "([^"]+)" %\}')
BLOCK_TRANSLATE = re.compile(
    r"\{% blocktranslate [^%]*\btrimmed %\}([^%]+)\{% endblocktranslate %\}"
)
VARIABLE = re.compile(r"\{\{ (\w+) \}\}")


@dataclass(frozen=True)
class Message:
    originals: tuple[str, ...]  # the singular, with its context, and the plural if it has one
    translations: tuple[str, ...]


def messages_of(po):
    for entry in po.strip().split("\n\n")[1:]:  # the first is the header
        fields = [(name, ast.literal_eval(f"({text})")) for name, text in FIELD.findall(entry)]
        contexts = [text for name, text in fields if name == "msgctxt"]
        originals = [text for name, text in fields if name.startswith("msgid")]
        yield Message(
            (OF_CONTEXT.join([*contexts, originals[0]]), *originals[1:]),
            tuple(text for name, text in fields if name.startswith("msgstr")),
        )


MESSAGES = list(messages_of(PO))


def test_every_message_is_translated():
    assert [m.originals for m in MESSAGES if not m.translations or not all(m.translations)] == []
    assert {len(m.translations) for m in MESSAGES if len(m.originals) == 2} == {2}


def test_no_translation_is_a_guess_or_a_leftover():
    assert "fuzzy" not in PO
    assert "#~" not in PO


def test_no_message_occurs_twice():
    times = Counter(message.originals[0] for message in MESSAGES)
    assert [text for text, number in times.items() if number > 1] == []


def test_translations_keep_the_placeholders():
    for message in MESSAGES:
        expected = Counter(PLACEHOLDER.findall(message.originals[0]))
        for text in (*message.originals, *message.translations):
            assert Counter(PLACEHOLDER.findall(text)) == expected, text


def test_translations_follow_french_typography():
    bad = re.compile(r"'| [:;?!»]|« |[“”]|\.\.\.")
    texts = [text for message in MESSAGES for text in message.translations]
    assert [text for text in texts if bad.search(text)] == []


def test_a_thing_has_one_french_word():
    other_words = re.compile(r"entreprise|\bclé API|\bessais?\b|impayée|\(état", re.IGNORECASE)
    texts = [text for message in MESSAGES for text in message.translations]
    assert [text for text in texts if other_words.search(text)] == []


def test_a_french_date_has_its_article():
    """A time in words begins with a day: "28 novembre 2026 à 10:00:00"."""
    without = re.compile(r"(?:depuis|jusqu’à|:|de) %\((?:time|at|first|last)\)s", re.I)
    texts = [text for message in MESSAGES for text in message.translations]
    assert [text for text in texts if without.search(text)] == []


def test_no_message_is_hidden_by_one_of_django(french):
    """Django looks for a text in the apps in their order, and its own may mean something else."""
    for message in MESSAGES:
        shown = translation.gettext(message.originals[0])
        if len(message.originals) > 1:
            shown = translation.ngettext(*message.originals, 1)
        assert shown == message.translations[0], message.originals


def test_each_column_of_an_object_has_a_name_of_its_own(french):
    """The head of a CSV file has nothing else to tell its columns apart."""
    for model in MIRRORS.values():
        names = Counter(str(field.verbose_name) for field in model._meta.concrete_fields)
        assert [name for name, number in names.items() if number > 1] == [], model


def test_the_compiled_catalogue_is_up_to_date():
    with (CATALOGUE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    expected = {}
    for message in MESSAGES:
        singular = message.originals[0]
        if len(message.originals) == 1:
            expected[singular] = message.translations[0]
        else:
            expected.update({(singular, n): text for n, text in enumerate(message.translations)})
    assert {key: text for key, text in compiled._catalog.items() if key} == expected
    assert compiled.info()["plural-forms"] == "nplurals=2; plural=(n > 1);"


def in_python(path):
    """Yield the messages in a file. They must be literals, because makemessages can't run code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if number := FUNCTIONS.get(name) or WITH_CONTEXT.get(name):
            arguments = node.args[:number]
            assert all(isinstance(argument, ast.Constant) for argument in arguments), (
                f"{path}:{node.lineno}: a message must be a literal"
            )
            texts = [argument.value for argument in arguments]
            first = OF_CONTEXT.join(texts[:2]) if name in WITH_CONTEXT else texts[0]
            yield (first, *texts[2 if name in WITH_CONTEXT else 1 :])
        else:
            assert "gettext" not in name, f"{path}:{node.lineno}: this test does not know {name}"


def in_template(path):
    text = path.read_text(encoding="utf-8")
    found = [(message,) for message in TRANSLATE.findall(text)]
    for block in BLOCK_TRANSLATE.findall(text):
        found.append((VARIABLE.sub(r"%(\1)s", " ".join(block.split())),))
    number = len(re.findall(r"\{% *(?:block)?trans|_\(", text))
    assert number == len(found), f"{path}: this test does not understand all messages"
    return found


def test_the_catalogue_has_the_messages_of_the_package_and_no_others():
    used = set()
    for path in PACKAGE.rglob("*.py"):
        used.update(in_python(path))
    for path in PACKAGE.rglob("*.html"):
        used.update(in_template(path))
    known = {message.originals for message in MESSAGES}
    assert used - known == set(), "run makemessages, translate, and run compilemessages"
    assert known - used == set(), "run makemessages, and remove the obsolete ones"


@pytest.fixture
def french():
    with translation.override("fr"):
        yield


def test_labels_are_translated(french):
    assert EventType.INVOICE_CREATED.label == "facture créée"
    assert EventType.QUOTE_UPDATED.label == "devis modifié"
    assert Status.PROCESSED.label == "traité"
    assert Invoice._meta.verbose_name_plural == "factures"
    assert Invoice._meta.get_field("tax_excluded_amount").verbose_name == "montant HT"
    assert Quote._meta.get_field("deposit_value").verbose_name == "acompte"
    assert Customer._meta.get_field("vat_number").verbose_name == "numéro de TVA"


def test_plurals_are_translated(french):
    for count, expected in (1, "1 événement a été traité."), (2, "2 événements ont été traités."):
        [(_level, text)] = messages_about(Counter({Replay.PROCESSED: count}))
        assert text == expected


def test_checks_are_translated(french, settings):
    settings.ALTOVIZ = {}
    (warning,) = check_settings()
    assert warning.msg == "Le compte «\xa0default\xa0» n’a pas de WEBHOOK_SECRET."


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"[]", "Le corps n’est pas un objet JSON."),
        (b"no", "Le corps n’est pas du JSON en UTF-8: Expecting value: line 1 column 1 (char 0)"),
        (b'{"id": "a", "type": "X", "data": {}}', "Cette version ne connaît pas"),
    ],
)
def test_what_the_app_notes_of_an_event_is_shown_in_french(french, body, shown):
    """Notes are stored in English, because nobody knows who will read them."""
    event = WebhookEvent.from_delivery(body, "default", {})
    assert event.error.isascii()
    assert translate_note(event.error).startswith(shown)


@pytest.mark.parametrize("note", [*[decision.value for decision in TOO_LATE], LOST_WORKER])
def test_each_reason_to_ignore_or_give_up_an_event_is_translated(french, note):
    assert translate_note(note) != note


def test_what_others_say_of_an_event_is_not_translated(french):
    for text in ("", "Error", "yes: no", "KeyError: 'copy'", ": "):
        assert translate_note(text) == text


def test_the_facts_about_an_arrival_are_shown_in_french(french):
    arrival = {"address": "::1", "read_again": "gone", "else": "gone"}
    assert [(str(name), str(value)) for name, value in arrival_facts(arrival)] == [
        ("adresse de l’expéditeur", "::1"),
        ("lors de la relecture", "l’objet n’existait plus"),
        ("else", "gone"),
    ]
