"""The documentation agrees with the code."""

from __future__ import annotations

import ast
import configparser
import dataclasses
import io
import json
import logging
import logging.config
import os
import re
import shlex
import sys
import unittest
from decimal import Decimal
from pathlib import Path

import django
import pytest
from django.apps import apps
from django.core import mail
from django.core.management import BaseCommand, CommandError, call_command, load_command_class
from django.dispatch import Signal
from django.test import override_settings

import django_altoviz
from django_altoviz import exceptions, models, signals, testing
from django_altoviz.checks import check_security, check_settings
from django_altoviz.conf import ACCOUNT_SETTINGS, APP_SETTINGS
from django_altoviz.event_types import SENT_TYPES, Entity, EventType
from django_altoviz.log import FIELDS
from django_altoviz.models import Credit, Invoice, Quote, Status, WebhookEventQuerySet
from django_altoviz.overview.metrics import GAUGES
from django_altoviz.signals import BY_BUSINESS_SIGNAL, BY_EVENT_TYPE
from django_altoviz.testing import Behaviour, FakeAltoviz
from docs import generate
from docs.generate import PART, fields_read
from tests.conftest import body_of
from tests.test_architecture import LAYERS

PACKAGE = Path(django_altoviz.__file__).parent
CHECKS = "".join(path.read_text() for path in sorted((PACKAGE / "checks").glob("*.py")))
NUMERALS = {"eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.rst").read_text()
DOCS = ROOT / "docs"
PAGES = [
    *sorted(ROOT.glob("*.rst")),
    *sorted([*DOCS.glob("*.rst"), *DOCS.glob("[!_]*/*.rst")]),
    ROOT / "example_project" / "README.rst",
]
CONTRIBUTING = (ROOT / "CONTRIBUTING.rst").read_text()


def pages_of(pattern):
    """Return the text of the pages below ``docs`` that match, one after the other."""
    return "\n".join(path.read_text() for path in sorted(DOCS.glob(f"{pattern}.rst")))


REFERENCE = pages_of("reference/*")
HOW_TO = pages_of("how-to/*")
TESTING = pages_of("reference/testing") + pages_of("how-to/test-receivers")
COMMANDS = sorted(path.stem for path in (PACKAGE / "management" / "commands").glob("altoviz_*.py"))


def page_id(path):
    return str(path.relative_to(ROOT))


def section(page, title):
    """Return the text under a heading, including its subsections."""
    heading = re.search(rf"^{re.escape(title)}\n(([=-])\2+)\n", page, re.MULTILINE)
    assert heading, f"there is no heading {title!r}"
    end = r"^\S.*\n={3,}\n" if heading[2] == "=" else r"^\S.*\n(?:={3,}|-{3,})\n"
    rest = page[heading.end() :]
    following = re.search(end, rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def terms(text):
    """Return the ``literals`` that begin lines: first cells of tables, and terms of definitions."""
    lines = [
        re.match(r"((?:``[^`]+``(?:, )?)+)(?: \(.*\))?(?:  |$)", line) for line in text.split("\n")
    ]
    return [term for line in lines if line for term in re.findall(r"``([^`]+)``", line[1])]


def blocks(page, language):
    """Return ``{name: code}`` for the code blocks of a language; unnamed blocks are numbered."""
    found = re.finditer(
        rf"^( *)\.\. code-block:: {language}\n(?:\1   :name: (.+)\n)?\n((?:\1   .*\n|\n)+)",
        page,
        re.MULTILINE,
    )
    return {
        match[2] or str(number): "".join(
            line.removeprefix(match[1] + "   ") for line in match[3].splitlines(keepends=True)
        )
        for number, match in enumerate(found)
    }


class TestSettings:
    def test_the_reference_lists_exactly_the_settings_that_exist(self):
        of_account = terms(section(REFERENCE, "Settings of an account"))
        assert [of_account, terms(section(REFERENCE, "Settings of the app"))] == [
            [*ACCOUNT_SETTINGS],
            [*APP_SETTINGS],
        ]

    @pytest.mark.parametrize("page", PAGES, ids=page_id)
    def test_no_page_names_a_setting_that_does_not_exist(self, page):
        named = re.findall(r"ALTOVIZ\[[\"'](\w+)[\"']\]", page.read_text())
        assert {*named} <= {*APP_SETTINGS, *ACCOUNT_SETTINGS}


class TestModels:
    MODELS = [
        model
        for model in apps.get_app_config("django_altoviz").get_models()
        if not model._meta.proxy
    ]
    #: The generated tables by the class whose columns they list.
    TABLES = {part[3]: part[0] for part in PART.finditer(REFERENCE) if part[2] == "columns"}

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_the_tables_list_exactly_the_columns_of_the_model(self, model):
        tables = [self.TABLES.get(base.__name__, "") for base in model.__mro__]
        documented = [name for table in tables for name in first_cells(table)]
        columns = {field.name for field in model._meta.concrete_fields}
        assert len(documented) == len({*documented})
        # The primary key of the mirrors is explained in their common section.
        assert {*documented} | {"id"} == columns

    @pytest.mark.parametrize("name", fields_read())
    def test_each_column_is_read_from_the_field_that_is_documented(self, name):
        (model, *_) = [
            model for model in self.MODELS if name in [base.__name__ for base in model.__mro__]
        ]
        rows = re.findall(r"^``(\w+)`` +``([\w.]+)``  +(\w+)", self.TABLES[name], re.MULTILINE)
        assert {column: path for column, path, _kind in rows} == fields_read()[name]
        for column, path, kind in rows:
            read = model.columns_from(payload(path, self.VALUES[kind]))
            assert read[column] is not None, column
            # A customer without a name is shown by that of the company.
            others = {other for other, *_ in rows} - {column, "name"}
            assert {read[other] for other in others} <= {None}, column

    #: A value of each kind, as Altoviz sends it.
    VALUES = {
        "amount": Decimal("1.5"),
        "date": "2026-11-25",
        "integer": 7,
        "short": "a text",
        "text": "a text",
        "time": "2026-11-25T08:30:00Z",
        "true": True,
    }

    def test_the_reference_lists_exactly_the_queries_of_events(self):
        queries = {name for name in vars(WebhookEventQuerySet) if not name.startswith("_")}
        text = section(REFERENCE, "WebhookEvent").partition("Both have the queries")[2]
        named = re.findall(r"``(\w+)\([a-z]*\)``", text.partition("\n\n")[0])
        assert {*named} == queries - {"store"}  # internal to the webhook


def first_cells(text):
    """Return the first cells of the tables whose first heading is ``Column``."""
    tables = re.findall(r"^=+  =.*\nColumn .*\n=+  =.*\n((?:.*\n)*?)=+  =", text, re.MULTILINE)
    return [name for table in tables for name in terms(table)]


def payload(path, value):
    """Return an object of Altoviz that has nothing but the value at the path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


class TestEvents:
    def test_each_event_type_has_a_row(self):
        rows = re.findall(
            r"^``(\w+)`` +``(\w+)`` +``(\w+)``$", section(REFERENCE, "Event types"), re.MULTILINE
        )
        known = [
            (
                event_type.value,
                next(name for name, value in vars(signals).items() if value is signal),
                models.MIRRORS[event_type.entity].__name__,
            )
            for event_type, signal in BY_EVENT_TYPE.items()
        ]
        assert rows == known
        assert len(rows) == len(EventType)
        assert f"{len(SENT_TYPES)} event types" in re.sub(r"\s+", " ", README)
        assert f"sends the first {len(SENT_TYPES)}." in section(REFERENCE, "Event types")
        assert [*EventType][: len(SENT_TYPES)] == [*SENT_TYPES]

    def test_the_reference_explains_exactly_the_statuses(self):
        assert sorted(terms(section(REFERENCE, "Statuses"))) == sorted(Status.values)

    def test_the_reference_names_each_entity(self):
        row = re.search(
            r"^``entity`` +(.*(?:\n  .*)*)", section(REFERENCE, "WebhookEvent"), re.MULTILINE
        )
        assert {*Entity.values} == {*re.findall(r"``(\w+)``", row[1])}

    def test_each_signal_is_documented(self):
        names = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
        of_types = {
            name for name, value in vars(signals).items() if value in BY_EVENT_TYPE.values()
        }
        reports = names - of_types - {*BY_BUSINESS_SIGNAL}
        assert {*terms(section(REFERENCE, "Reports"))} == reports

    def test_each_business_signal_has_a_row_with_the_columns_that_show_it(self):
        text = section(REFERENCE, "Business signals")
        rows = re.findall(r"^``(\w+)`` +``(\w+)``  +(.+)$", text, re.MULTILINE)
        documented = [(name, model, words(meaning)) for name, model, meaning in rows]
        # No column says that an invoice is overdue: the date does.
        documented.remove(("invoice_overdue", "Invoice", {"awaited_due_date"}))
        assert documented == [
            (name, model.__name__, words_of(business_signal.is_reached))
            for model in (Invoice, Quote, Credit)
            for name, business_signal in model.BUSINESS_SIGNALS.items()
        ]
        counted = re.search(r"(\w+)\s+business\s+signals", README)[1]
        assert NUMERALS[counted] == len(rows) == len(BY_BUSINESS_SIGNAL)


def words(text):
    """Return the ``literals`` of a sentence, except Python's constants."""
    return {*re.findall(r"``(\w+)``", text)} - {"False", "True", "None"}


def words_of(is_reached):
    """Return the columns that a business signal reads, and the values it compares them with."""
    code = is_reached.__code__
    return {*code.co_names, *(value for value in code.co_consts if isinstance(value, str))} - {
        "bool"
    }


class TestChecks:
    def test_the_reference_explains_exactly_the_checks_that_exist(self):
        ids = re.findall(r'id="(django_altoviz\.[EIW]\d+)"', CHECKS)
        assert sorted(terms(section(REFERENCE, "System checks"))) == sorted({*ids})

    @pytest.mark.parametrize("page", PAGES, ids=page_id)
    def test_no_page_names_a_check_that_does_not_exist(self, page):
        ids = re.findall(r"django_altoviz\.[EIW]\d+", CHECKS)
        assert {*re.findall(r"django_altoviz\.[EIW]\d+", page.read_text())} <= {*ids}


class TestCommands:
    def test_each_command_has_a_section(self):
        titles = re.findall(r"^(altoviz_\w+)\n=+\n", pages_of("reference/commands"), re.MULTILINE)
        assert sorted(titles) == sorted(COMMANDS)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_each_command_documents_exactly_its_options(self, name):
        command = load_command_class("django_altoviz", name)
        of_django = long_options(BaseCommand().create_parser("manage.py", name))
        options = long_options(command.create_parser("manage.py", name)) - of_django
        documented = {term.split()[0] for term in terms(section(REFERENCE, name))}
        assert {term for term in documented if term.startswith("--")} == options

    @pytest.mark.parametrize("page", PAGES, ids=page_id)
    def test_each_command_line_in_a_page_is_valid(self, page):
        shown = re.findall(r"manage\.py (altoviz_\w+)([^`\n]*)", page.read_text())
        for name, arguments in shown:
            parser = load_command_class("django_altoviz", name).create_parser("manage.py", name)
            parser.parse_args(shlex.split(arguments, comments=True))

    @pytest.mark.django_db
    def test_the_json_of_process_events_is_as_documented(self):
        text = section(REFERENCE, "altoviz_process_events")
        out = io.StringIO()
        call_command("altoviz_process_events", "--format", "json", stdout=out)
        (shown,) = re.findall(r"``(\{\"processed[^`]+\})``", text)
        assert [*json.loads(shown)] == [*json.loads(out.getvalue())]

    @pytest.mark.django_db
    def test_the_json_of_status_is_as_documented(self):
        text = section(REFERENCE, "altoviz_status")
        out = io.StringIO()
        call_command("altoviz_status", "--format", "json", stdout=out)
        (shown,) = re.findall(r"``(\{\"accounts[^`]+\})``", text)
        shown, told = json.loads(" ".join(shown.split())), json.loads(out.getvalue())
        assert [*shown] == [*told]
        assert [*shown["accounts"][0]] == [*told["accounts"][0]]


def long_options(parser):
    return {
        option
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--")
    }


class TestTheFake:
    def test_each_switch_is_documented_with_its_default(self):
        rows = re.findall(
            r"^``(\w+)`` +(\S.*?)(?:  +|$)", section(TESTING, "Switches"), re.MULTILINE
        )
        expected = {field.name: field.default for field in dataclasses.fields(Behaviour)}
        assert [name for name, _ in rows] == [*expected]
        for name, default in rows:
            assert default.strip("`") == str(expected[name]).partition(";")[0].removesuffix(".0")

    @pytest.mark.parametrize("kind", ["customers", "contacts", "products", "invoices", "quotes"])
    def test_each_method_of_the_fake_objects_is_documented(self, kind):
        text = section(TESTING, "A fake Altoviz")
        with FakeAltoviz() as altoviz:
            records = getattr(altoviz, kind)
        names = {name for name in dir(records) if callable(getattr(records, name))}
        of_the_fake = {"add", "add_main_contact", "default_id", "emit", "finalized", "skip_ids"}
        for name in names - of_the_fake - {"of_customer"}:
            assert name[0] == "_" or f"``{name}(" in text, name

    def test_each_public_name_is_documented(self):
        assert all(name in TESTING for name in testing.__all__)


class TestExceptions:
    def test_the_reference_explains_exactly_the_exceptions_that_exist(self):
        names = [
            name
            for name, value in vars(exceptions).items()
            if isinstance(value, type) and value.__module__ == exceptions.__name__
        ]
        assert terms(section(REFERENCE, "Exceptions")) == names


class TestLog:
    def test_the_reference_explains_exactly_the_messages_that_are_logged(self):
        text = section(REFERENCE, "Log messages").partition("The messages:")[2]
        assert terms(text)
        assert {*terms(text)} == {
            message
            for path in PACKAGE.rglob("*.py")
            for message in messages_in(ast.parse(path.read_text()))
        }

    def test_the_package_uses_only_its_own_logger(self):
        for path in PACKAGE.rglob("*.py"):
            if path != PACKAGE / "log.py":
                assert "getLogger" not in path.read_text(), path

    def test_the_reference_explains_exactly_the_fields_of_a_record(self):
        text = section(REFERENCE, "Log messages").partition("The messages:")[0]
        rows = re.findall(r"^``(\w+)``  ", text, re.MULTILINE)
        assert tuple(rows) == FIELDS


LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def messages_in(module):
    """Yield the messages logged through ``log``, ``event.log`` or ``log_about()``."""
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        log = node.func.value
        if isinstance(log, ast.Call):
            log = log.func
        name = getattr(log, "attr", getattr(log, "id", ""))
        if name in ("log", "log_about") and node.func.attr in LEVELS:
            yield node.args[0].value


class TestLayout:
    def test_the_table_of_layers_agrees_with_the_code(self):
        rows = re.findall(r"^(\d+) +``(\w+)``", section(CONTRIBUTING, "The layout"), re.MULTILINE)
        layers = [
            {name for number, name in rows if int(number) == n} for n in range(1, len(LAYERS) + 1)
        ]
        assert layers == LAYERS


class TestPrivateAPI:
    def test_the_names_are_used_where_the_table_says(self):
        table = section(CONTRIBUTING, "Private API of Django")
        rows = re.findall(r"^``(?:\w+\.)?(\w+)`` +``([\w.]+)``  ", table, re.MULTILINE)
        assert len(rows) == 14
        for name, module in rows:
            path = PACKAGE / module.replace(".", "/")
            files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
            assert any(name in file.read_text() for file in files), name


class TestSupportedVersions:
    SETUP = configparser.ConfigParser()
    SETUP.read(ROOT / "setup.cfg")

    def classified(self, framework):
        pattern = rf"{re.escape(framework)} :: (\d+\.\d+)$"
        return re.findall(pattern, self.SETUP["metadata"]["classifiers"], re.MULTILINE)

    def test_python(self):
        first, *_, last = self.classified("Programming Language :: Python")
        assert f"Python {first} to {last}" in README
        assert self.SETUP["options"]["python_requires"] == f">={first}"
        assert f"Python {first} or later" in CONTRIBUTING

    def test_django(self):
        first, *_, last = self.classified("Framework :: Django")
        assert f"Django {first} to {last}" in README
        assert f"django>={first}." in self.SETUP["options"]["install_requires"]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
class TestPages:
    def test_is_valid_restructuredtext(self, page):
        core = pytest.importorskip("docutils.core", reason="docutils is not installed")
        problems = []

        class Collected:
            def write(self, text):
                problems.append(text)

        core.publish_doctree(
            page.read_text(),
            source_path=str(page),
            settings_overrides={
                "report_level": 2,
                "warning_stream": Collected(),
                "syntax_highlight": "none",
                "_disable_config": True,
            },
        )
        assert problems == []

    def test_needs_no_sphinx(self, page):
        text = page.read_text()
        directives = {*re.findall(r"^ *\.\. ([\w-]+)::", text, re.MULTILINE)}
        # These GitHub shows, too. docs/conf.py gives Sphinx the tree of pages from the index.
        assert directives <= {"code-block", "contents", "image"}
        assert not re.search(r":[a-z:]+:`", text)

    def test_its_relative_links_lead_to_files(self, page):
        for target in re.findall(r"`[^`<]+\s<([^>]+)>`__?", page.read_text()):
            if not target.startswith(("https://", "http://", "mailto:")):
                file, _, heading = target.partition("#")
                path = (page.parent / file).resolve()
                assert path.exists(), target
                assert not heading or heading in headings(path.read_text()), target

    def test_its_code_compiles(self, page):
        for name, code in blocks(page.read_text(), "python").items():
            compile(code, f"{page.name}:{name}", "exec")


def headings(page):
    """Return the anchors of a page's headings."""
    titles = re.findall(r"^(\S.*)\n[=-]{3,}$", page, re.MULTILINE)
    return {re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") for title in titles}


def test_the_index_links_every_page():
    index = (ROOT / "docs" / "index.rst").read_text()
    linked = {(ROOT / "docs" / target).resolve() for target in re.findall(r"<([^>]+\.rst)>", index)}
    assert linked == {*PAGES} - {ROOT / "docs" / "index.rst"}


class TestGenerated:
    """``make reference`` has been run since the code or the notes changed."""

    @pytest.mark.parametrize("page", generate.pages(), ids=page_id)
    def test_the_page_is_what_the_script_writes(self, page):
        assert page.read_text() == generate.generated(page.read_text())

    def test_there_is_a_part_of_each_kind(self):
        assert {part[2] for part in PART.finditer(REFERENCE)} == {*generate.PARTS}

    @pytest.mark.parametrize("kind", generate.PARTS)
    def test_each_section_of_the_notes_is_about_a_part(self, kind):
        names = {part[3] for part in PART.finditer(REFERENCE) if part[2] == kind}
        assert {*generate.notes_of(f"{kind}.ini").sections()} <= names

    def test_a_note_about_what_is_gone_is_an_error(self, tmp_path, monkeypatch):
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "settings.ini").write_text("[app]\nFORMER = What it was.\n")
        monkeypatch.setattr(generate, "DOCS", tmp_path)
        with pytest.raises(LookupError, match="app has no FORMER"):
            generate.settings_of("app")

    def test_a_column_of_the_app_needs_a_note(self, tmp_path, monkeypatch):
        monkeypatch.setattr(generate, "notes_of", lambda file: {})
        with pytest.raises(LookupError, match=r"Rejection\.account has no note"):
            generate.columns("Rejection")


class TestGlossary:
    GLOSSARY = (ROOT / "docs" / "glossary.rst").read_text()
    ENTRIES = re.findall(r"^(\S.*)\n    \S", GLOSSARY, re.MULTILINE)

    def test_the_readme_links_it(self):
        assert "<docs/glossary.rst>" in README

    def test_it_is_short_and_sorted(self):
        assert 15 <= len(self.ENTRIES) <= 20
        assert sorted(self.ENTRIES, key=str.lower) == self.ENTRIES

    @pytest.mark.parametrize("entry", ENTRIES)
    def test_each_term_is_used_in_the_documentation_or_the_code(self, entry):
        pages = [page for page in PAGES if page.name != "glossary.rst"]
        texts = [path.read_text() for path in [*pages, *PACKAGE.rglob("*.py")]]
        words = re.compile(r"\b" + re.sub(r"[ -]", r"[\\s-]+", entry), re.IGNORECASE)
        assert any(words.search(text) for text in texts)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_each_module_that_a_page_names_exists(page):
    owners = (models.WebhookEvent, models.Overview)
    permissions = {"view_overview"}
    permissions |= {codename for model in owners for codename, _ in model._meta.permissions}
    for name in {*re.findall(r"``(django_altoviz(?:\.[a-z_]\w*)+)", page.read_text())}:
        path, *names = PACKAGE, *name.split(".")[1:]
        while names and (path / names[0]).is_dir():
            path /= names.pop(0)
        if names and (path / f"{names[0]}.py").is_file():
            path /= f"{names.pop(0)}.py"
        source = (path / "__init__.py" if path.is_dir() else path).read_text()
        assert names[1:] == [], name
        assert {*names} <= {*re.findall(r"\w+", source), *permissions}, name


def test_no_file_contains_a_path_of_the_machine_it_was_written_on():
    folders = "|".join(["work", "root"])
    path_of_it = re.compile(rf"(?<![\w.)}}<])/(?:{folders})\b")
    patterns = ["*.*", "Makefile", ".ci/*", "docs/*.*", "docs/[!_]*/*.*", "benchmarks/*.*"]
    patterns += [f"benchmarks/{inner}/**/*.*" for inner in ("measuring", "sites")]
    patterns += [f"{top}/**/*.*" for top in ("django_altoviz", "example_project", "tests")]
    files = [path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]
    made = re.compile(r"\.(pyc|mo|sqlite3|coverage|png|git$)|node_modules")
    written = [path for path in files if not made.search(str(path.relative_to(ROOT)))]
    assert len(written) > 100
    for path in written:
        assert not path_of_it.search(path.read_text()), path


class TestCode:
    """Code in the pages runs and does what the pages say."""

    def test_the_settings_pass_the_checks(self, monkeypatch):
        names = "WEBHOOK", "FORMER_WEBHOOK", "ACME_WEBHOOK"
        for name in names:
            monkeypatch.setenv(f"ALTOVIZ_{name}_SECRET", f"the {name} secret")
        monkeypatch.setenv("ALTOVIZ_API_KEY", "the key")
        code = blocks(HOW_TO, "python")
        for name in ["proxy", "rotation", "accounts", "retention", "production"]:
            altoviz = run(f"import os\n{code[name]}")["ALTOVIZ"]
            with override_settings(ALTOVIZ=altoviz):
                assert check_settings() + check_security() == []
        assert run(code["sqlite"], BASE_DIR=ROOT)["DATABASES"]
        assert run(code["mariadb"])["DATABASES"]

    @pytest.mark.django_db
    def test_the_logging_configuration(self, post, capfd):
        former = logging.getLogger("django_altoviz")
        level, propagate = former.level, former.propagate
        try:
            logging.config.dictConfig(run(blocks(HOW_TO, "python")["logging"])["LOGGING"])
            post(body_of("CustomerUpdated", "evt_1", active="maybe"))
            post(EventType.CUSTOMER_CREATED, signature="0" * 64)
        finally:
            former.handlers.clear()
            former.setLevel(level)
            former.propagate = propagate
        failed, *_, turned_away = capfd.readouterr().err.splitlines()
        assert "ERROR default evt_1: Event" in failed
        assert "WARNING default None: Delivery" in turned_away

    @pytest.mark.django_db
    def test_the_monitoring_commands_and_table(self, post):
        shown = pages_of("how-to/monitor")
        names = terms(shown)
        limits = [name for name in names if name.startswith("--")]
        assert limits == ["--max-age", "--max-failed", "--max-rejected", "--max-silence"]
        alerts = [re.split("[{ ]", name)[0] for name in names if name not in limits]
        assert alerts
        assert {*alerts} <= {*GAUGES}
        post(body_of("CustomerCreated", id=1))
        post(body_of("CustomerCreated", id=2), account="acme")
        _look, check = re.findall(r"manage\.py altoviz_status(.*)", shown)
        call_command("altoviz_status", *check.split(), stdout=io.StringIO())
        post(body_of("CustomerUpdated", active="maybe"))
        out = io.StringIO()
        with pytest.raises(CommandError, match="failed or dead: 1"):
            call_command("altoviz_status", *check.split(), stdout=out)
        table = shown.partition("    Account “default”\n")[2].partition("\n\n")[0]
        told = out.getvalue().partition("Account “default”\n")[2]
        assert labels(table) == labels(told.partition("\nAccount")[0])

    @pytest.mark.django_db
    def test_the_alarm_mails_about_dead_events(self, post, settings):
        address = "admin@shop.example"
        settings.ADMINS = [("Admin", address)] if django.VERSION < (6, 0) else [address]
        code = run(blocks(HOW_TO, "python")["alarm"])
        try:
            post(body_of("CustomerUpdated", active="maybe"))
            assert mail.outbox == []
            settings.ALTOVIZ = settings.ALTOVIZ | {"MAX_ATTEMPTS": 1}
            post(body_of("CustomerUpdated", active="maybe"))
        finally:
            signals.event_failed.disconnect(code["raise_alarm"])
        (message,) = mail.outbox
        assert "CustomerUpdated 418206: InvalidPayload" in message.body

    @pytest.mark.django_db
    def test_the_receiver_that_retries_later_or_gives_up(self, post):
        code = run(blocks(HOW_TO, "python")["retry"])
        accepted = {"customerId": 7, "status": "Accepted"}
        try:
            post(body_of("QuoteUpdated", "evt_1", **accepted))
            event = models.WebhookEvent.objects.get()
            assert (event.status, event.failures) == (Status.FAILED, 0)
            post(body_of("CustomerDeleted", id=7))
            models.WebhookEvent.objects.update(next_attempt_at=None)  # the end of the delay
            post(body_of("QuoteUpdated", "evt_1", **accepted))
        finally:
            signals.quote_accepted.disconnect(code["order_material"])
        event.refresh_from_db()
        assert event.status == Status.DEAD
        assert "the customer was deleted" in event.error

    @pytest.mark.django_db
    def test_settling_a_dead_event_by_hand(self, post, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"MAX_ATTEMPTS": 1}
        code = blocks(HOW_TO, "python")["settle"]
        event_id = re.search(r"evt_\w+", code)[0]
        post(body_of("CustomerUpdated", event_id, active="maybe"))
        check = ["altoviz_status", "--max-failed", "0"]
        with pytest.raises(CommandError):
            call_command(*check, stdout=io.StringIO())
        run(code)
        call_command(*check, stdout=io.StringIO())
        assert models.WebhookEvent.objects.get().is_settled

    @pytest.mark.django_db
    def test_renaming_an_account(self, post):
        for account in ("acme", "default"):
            post(EventType.INVOICE_UPDATED, account=account)
        run(blocks(HOW_TO, "python")["rename"])
        assert models.Invoice.with_deleted.get().account == "default"
        assert models.InvoiceLine.objects.exclude(invoice__account="default").count() == 0

    @pytest.mark.django_db
    def test_the_example_test_of_a_receiver_passes(self):
        receiver = run(blocks(README, "python")["receiver"])
        case = run(blocks(TESTING, "python")["events"])["AccountingTests"]
        try:
            result = unittest.defaultTestLoader.loadTestsFromTestCase(case).run(
                unittest.TestResult()
            )
        finally:
            signals.invoice_finalized.disconnect(receiver["tell_accounting"])
        assert result.testsRun == 1
        assert not result.errors + result.failures

    def test_the_example_of_the_fake_prints_the_balance(self, capsys):
        run(blocks(TESTING, "python")["fake"])
        assert capsys.readouterr().out == "1662.56\n"

    def test_the_example_tests_with_fixtures_pass(self, pytester, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        # A database other than that of this test run.
        monkeypatch.setenv("DATABASE_NAME", f"fixtures_{os.getpid()}")
        code = blocks(TESTING, "python")
        pytester.makeconftest(code["conftest"])
        pytester.makepyfile(code["fixtures"])
        options = ["--ds=tests.settings", "--nomigrations", f"--rootdir={pytester.path}"]
        pytester.runpytest_subprocess(*options).assert_outcomes(passed=2)

    @pytest.mark.django_db(transaction=True)
    def test_the_example_dispatcher_processes_events(self, post, settings, tmp_path, monkeypatch):
        (tmp_path / "my_queue.py").write_text(
            "import types\n"
            "def task(function):\n"
            "    return types.SimpleNamespace(enqueue=lambda pk: function(pk))\n"
        )
        (tmp_path / "shop_dispatcher.py").write_text(blocks(REFERENCE, "python")["dispatcher"])
        monkeypatch.syspath_prepend(tmp_path)
        settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "shop_dispatcher"}
        try:
            post(EventType.CUSTOMER_CREATED)
        finally:
            for name in ("shop_dispatcher", "my_queue"):
                sys.modules.pop(name, None)
        assert models.WebhookEvent.objects.get().status == Status.PROCESSED


def labels(table):
    """Return the labels of a table, without their values."""
    return re.findall(r"^ +(\w.*?)  ", table, re.MULTILINE)


def run(code, **names):
    """Run the code and return the names that it defines."""
    exec(compile(code, "documentation", "exec"), names)
    return names
