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
from django_altoviz.event_types import Entity, EventType
from django_altoviz.log import FIELDS
from django_altoviz.models import Invoice, Quote, Status, WebhookEventQuerySet
from django_altoviz.overview.metrics import GAUGES
from django_altoviz.signals import BY_BUSINESS_SIGNAL, BY_EVENT_TYPE
from django_altoviz.testing import Behaviour, FakeAltoviz
from tests.conftest import body_of
from tests.test_architecture import LAYERS

PACKAGE = Path(django_altoviz.__file__).parent
CHECKS = "".join(path.read_text() for path in sorted((PACKAGE / "checks").glob("*.py")))
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.rst").read_text()
REFERENCE = (ROOT / "docs" / "reference.rst").read_text()
OPERATING = (ROOT / "docs" / "operating.rst").read_text()
TESTING = (ROOT / "docs" / "testing.rst").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.rst").read_text()
PAGES = [
    *sorted(ROOT.glob("*.rst")),
    *sorted((ROOT / "docs").glob("*.rst")),
    ROOT / "example_project" / "README.rst",
]
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
    def test_the_readme_lists_exactly_the_settings_that_exist(self):
        assert sorted(terms(section(README, "Settings"))) == sorted(
            {*APP_SETTINGS, *ACCOUNT_SETTINGS}
        )

    @pytest.mark.parametrize("page", PAGES, ids=page_id)
    def test_no_page_names_a_setting_that_does_not_exist(self, page):
        named = re.findall(r"ALTOVIZ\[[\"'](\w+)[\"']\]", page.read_text())
        assert {*named} <= {*APP_SETTINGS, *ACCOUNT_SETTINGS}

    def test_the_readme_states_the_default_of_each_number(self):
        text = section(README, "Settings").replace("5 MiB", str(5 * 2**20))
        defaults = {
            name: setting.default for name, setting in (APP_SETTINGS | ACCOUNT_SETTINGS).items()
        }
        for name in [name for name, value in defaults.items() if type(value) in (int, float)]:
            said = text.partition(f"``{name}``  ")[2].partition("\n``")[0]
            assert f"Default: {defaults[name]}" in said, name

    def test_the_readme_lists_what_an_account_may_set(self):
        accounts = section(README, "Settings").partition("``ACCOUNTS``")[2]
        assert all(f"``{name}``" in accounts for name in ACCOUNT_SETTINGS)


class TestModels:
    #: The sections that document the columns of each model.
    SECTIONS = {
        models.Customer: ["What all mirrors have", "Customer"],
        models.Contact: ["What all mirrors have", "Contact"],
        models.Product: ["What all mirrors have", "Product"],
        models.Invoice: [
            "What all mirrors have",
            "What invoices and quotes have in common",
            "Invoice",
        ],
        models.Quote: ["What all mirrors have", "What invoices and quotes have in common", "Quote"],
        models.InvoiceLine: ["Lines"],
        models.QuoteLine: ["Lines"],
        models.WebhookEvent: ["WebhookEvent"],
        models.ReceiverRun: ["ReceiverRun"],
        models.SyncRun: ["SyncRun"],
        models.SyncStep: ["SyncStep"],
        models.Watch: ["Watch"],
        models.Rejection: ["Rejection"],
    }
    #: Columns in the shared table of lines that this model does not have.
    OTHERS = {models.InvoiceLine: {"quote"}, models.QuoteLine: {"invoice"}}

    def test_each_model_has_a_section(self):
        registered = apps.get_app_config("django_altoviz").get_models()
        assert {model for model in registered if not model._meta.proxy} == {*self.SECTIONS}

    @pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
    def test_the_section_lists_exactly_the_columns_of_the_model(self, model):
        texts = [section(REFERENCE, title) for title in self.SECTIONS[model]]
        documented = [name for text in texts for name in first_cells(text)]
        columns = {field.name for field in model._meta.concrete_fields}
        assert len(documented) == len({*documented})
        assert {*documented} - self.OTHERS.get(model, set()) == columns

    @pytest.mark.parametrize(
        "name", ["Customer", "Contact", "Product", "Document", "Invoice", "Quote", "Line"]
    )
    def test_each_column_names_the_field_that_it_is_read_from(self, name):
        titles = {"Document": "What invoices and quotes have in common", "Line": "Lines"}
        text = section(REFERENCE, titles.get(name, name))
        documented = dict(re.findall(r"^``(\w+)`` +``([\w.]+)``  ", text, re.MULTILINE))
        read = {column.removesuffix("_id"): path for column, path in fields_read()[name].items()}
        documented = {column.removesuffix("_id"): path for column, path in documented.items()}
        assert documented == read

    def test_the_reference_lists_exactly_the_queries_of_events(self):
        queries = {name for name in vars(WebhookEventQuerySet) if not name.startswith("_")}
        text = section(REFERENCE, "WebhookEvent").partition("Both have the queries")[2]
        named = re.findall(r"``(\w+)\([a-z]*\)``", text.partition("\n\n")[0])
        assert {*named} == queries - {"store"}  # internal to the webhook


def first_cells(text):
    """Return the first cells of the tables whose first heading is ``Column``."""
    tables = re.findall(r"^=+  =.*\nColumn .*\n=+  =.*\n((?:.*\n)*?)=+  =", text, re.MULTILINE)
    return [name for table in tables for name in terms(table)]


def fields_read():
    """Return ``{class: {column: path of the field}}``, from the dict in each ``columns_from``."""
    read = {}
    for path in (PACKAGE / "models").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                read[node.name] = {
                    column.value: ".".join(literals(value))
                    for dictionary in ast.walk(node)
                    if isinstance(dictionary, ast.Dict)
                    for column, value in zip(dictionary.keys, dictionary.values, strict=True)
                    if literals(value)
                }
    # These two columns are computed from several fields.
    read["Customer"] |= {"type": "type", "name": "name"}
    return read


def literals(call):
    """Return the path in ``text(data, "billingAddress", "city")``, or an empty list."""
    if (
        not isinstance(call, ast.Call)
        or getattr(call.args[:1] and call.args[0], "id", "") != "data"
    ):
        return []
    return [getattr(argument, "value", "") for argument in call.args[1:]]


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
        assert f"{len(EventType)} event types" in re.sub(r"\s+", " ", README)

    def test_the_reference_explains_exactly_the_statuses(self):
        assert sorted(terms(section(REFERENCE, "Statuses of an event"))) == sorted(Status.values)

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
        assert all(f"``{name}``" in README for name in names - of_types)

    def test_each_business_signal_has_a_row_with_the_columns_that_show_it(self):
        text = section(REFERENCE, "Business signals")
        rows = re.findall(r"^``(\w+)`` +``(\w+)``  +(.+)$", text, re.MULTILINE)
        documented = [(name, model, words(meaning)) for name, model, meaning in rows]
        # No column says that an invoice is overdue: the date does.
        documented.remove(("invoice_overdue", "Invoice", {"awaited_due_date"}))
        assert documented == [
            (name, model.__name__, words_of(business_signal.is_reached))
            for model in (Invoice, Quote)
            for name, business_signal in model.BUSINESS_SIGNALS.items()
        ]
        counted = re.search(r"(\w+) more\s+say\s+what\s+a\s+change\s+means", README)[1]
        assert (counted, len(rows)) == ("Nine", len(BY_BUSINESS_SIGNAL))


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
        text = section(REFERENCE, "Commands")
        titles = re.findall(r"^(altoviz_\w+).*\n-+\n", text, re.MULTILINE)
        assert sorted(titles) == sorted(COMMANDS)
        assert all(f"``{name}" in section(README, "Commands") for name in COMMANDS)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_each_command_documents_exactly_its_options(self, name):
        command = load_command_class("django_altoviz", name)
        of_django = long_options(BaseCommand().create_parser("manage.py", name))
        options = long_options(command.create_parser("manage.py", name)) - of_django
        title = re.search(rf"^{name}.*$", REFERENCE, re.MULTILINE)[0]
        documented = {term.split()[0] for term in terms(section(REFERENCE, title))}
        assert documented == options
        readme = section(README, "Commands").partition(f"``{name}")[2].partition("\n``altoviz")[0]
        assert {*re.findall(r"--[a-z-]+", readme)} - of_django == options

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
        shown, told = json.loads(shown), json.loads(out.getvalue())
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
        assert directives <= {"code-block", "contents", "image"}
        assert not re.search(r":[a-z:]+:`", text)

    def test_its_relative_links_lead_to_files(self, page):
        for target in re.findall(r"`[^`<]+\s<([^>]+)>`__?", page.read_text()):
            if not target.startswith(("https://", "http://", "mailto:")):
                assert (page.parent / target).resolve().exists(), target

    def test_its_code_compiles(self, page):
        for name, code in blocks(page.read_text(), "python").items():
            compile(code, f"{page.name}:{name}", "exec")


def test_the_index_links_every_page():
    index = (ROOT / "docs" / "index.rst").read_text()
    linked = {(ROOT / "docs" / target).resolve() for target in re.findall(r"<([^>]+\.rst)>", index)}
    assert linked == {*PAGES} - {ROOT / "docs" / "index.rst"}


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
    patterns = ["*.*", "Makefile", ".ci/*", "docs/*", "benchmarks/*.*"]
    patterns += [f"benchmarks/{inner}/**/*.*" for inner in ("measuring", "sites")]
    patterns += [f"{top}/**/*.*" for top in ("django_altoviz", "example_project", "tests")]
    files = [path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]
    made = re.compile(r"\.(pyc|mo|sqlite3|coverage|git$)|node_modules")
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
        code = blocks(OPERATING, "python")
        for name in ["proxy", "rotation", "accounts", "retention"]:
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
            logging.config.dictConfig(run(blocks(OPERATING, "python")["logging"])["LOGGING"])
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
        shown = section(OPERATING, "What to monitor")
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
        code = run(blocks(OPERATING, "python")["alarm"])
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
        code = run(blocks(OPERATING, "python")["retry"])
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
        code = blocks(OPERATING, "python")["settle"]
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
        run(blocks(OPERATING, "python")["rename"])
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
