"""The README's code does what the README says. ``make follow`` also takes its steps literally."""

from __future__ import annotations

import os
import re
import shlex
import sys
from decimal import Decimal
from pathlib import Path

import django
import pytest
from django.core import mail
from django.dispatch import Signal

import django_altoviz
from django_altoviz.event_types import SENT_TYPES, EventType
from django_altoviz.signals import BY_BUSINESS_SIGNAL, invoice_finalized
from tests.conftest import body_of
from tests.follow.terminals import commands_in
from tests.processes import run as run_process
from tests.test_docs import blocks

ROOT = Path(django_altoviz.__file__).parents[1]
README = (ROOT / "README.rst").read_text()
CODE = blocks(README, "python")
COMMANDS = {name: commands_in(code) for name, code in blocks(README, "console").items()}


#: The code of the other pages, wherever it stands.
PAGES = {
    name: code
    for page in sorted((ROOT / "docs").rglob("*.rst"))
    for name, code in blocks(page.read_text(), "python").items()
}


def commands(name):
    """Return the commands of a block, each as a list of words."""
    return [shlex.split(command) for command, _shown in COMMANDS[name]]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Create a project and apply the first four steps to it."""
    path = tmp_path_factory.mktemp("readme")
    run = Runner(path)
    for command in commands("install")[-2:]:
        run(*command)
    settings = path / "mysite" / "settings.py"
    settings.write_text(settings.read_text() + "\n" + CODE["settings"])
    urls = path / "mysite" / "urls.py"
    urls.write_text(urls.read_text() + "\n" + CODE["urls"])
    for command in commands("migrate"):
        if command[0] == "python":
            run(*command)
    return run


class Runner:
    def __init__(self, path):
        self.path = path
        self.env = os.environ | {
            "PYTHONPATH": f"{path}{os.pathsep}{ROOT}",
            "ALTOVIZ_WEBHOOK_SECRET": "of the readme's test",
        }
        self.env.pop("DJANGO_SETTINGS_MODULE", None)

    def __call__(self, program, *args):
        programs = {"python": [sys.executable], "django-admin": [sys.executable, "-m", "django"]}
        done = run_process(
            [*programs[program], *args],
            cwd=self.path,
            env=self.env,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


def test_the_steps_lead_to_a_project_that_passes_the_checks(project):
    assert "no issues (0 silenced)" in project("python", "manage.py", "check")
    assert project("python", "manage.py", "makemigrations", "--check")


def test_the_install_command_names_this_package():
    assert ["pip", "install", "django-altoviz"] in commands("install")
    assert "name = django-altoviz\n" in (ROOT / "setup.cfg").read_text()


@pytest.mark.parametrize("name", ["celery-settings", "django-tasks-settings"])
def test_the_settings_for_workers_pass_the_checks(project, name):
    settings = project.path / "mysite" / "settings.py"
    before = settings.read_text()
    settings.write_text(f"{before}\n{PAGES[name]}\n")
    if name == "django-tasks-settings" and django.VERSION < (6, 0):
        settings.write_text(settings.read_text() + 'INSTALLED_APPS += ["django_tasks"]\n')
    try:
        assert "no issues (0 silenced)" in project("python", "manage.py", "check")
        program = project.path / "program.py"
        program.write_text(PROGRAM)
        assert "as routed" in project("python", "program.py")
    finally:
        settings.write_text(before)


PROGRAM = """
import os
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
django.setup()
from django.conf import settings
from importlib import import_module
dispatcher = import_module(settings.ALTOVIZ["DISPATCHER"])
for pattern in getattr(settings, "CELERY_TASK_ROUTES", {}):
    assert dispatcher.process_event.name.startswith(pattern.rstrip("*"))
print("as routed")
"""


def test_the_sample_event_can_be_sent(project):
    *_, command = commands("send")
    assert "POST http://127.0.0.1:8000/altoviz/webhook/" in project(*command, "--dry-run")


@pytest.mark.django_db
def test_the_first_receiver_mails_each_finalized_invoice_once(
    post, django_capture_on_commit_callbacks
):
    code = {}
    exec(CODE["receiver"].strip(), code)

    def deliver(event_type, **data):
        with django_capture_on_commit_callbacks(execute=True):
            post(body_of(event_type, id=1, taxIncludedAmount=Decimal("12.50"), **data))
        return len(mail.outbox)

    try:
        assert deliver("InvoiceCreated", isDraft=True, number="draft") == 0
        assert deliver("InvoiceUpdated", isDraft=False, number="FA1") == 1
        assert deliver("InvoiceUpdated", isDraft=False, number="FA1", subject="typo") == 1
    finally:
        assert isinstance(invoice_finalized, Signal)
        assert invoice_finalized.disconnect(code["tell_accounting"])
    assert mail.outbox[0].body == "FA1: 12.5 EUR"
    assert len(CODE["receiver"].strip().splitlines()) < 20


@pytest.mark.django_db
def test_the_queries_of_the_mirror_work(post, capsys):
    post(EventType.INVOICE_UPDATED)
    code = {}
    exec(CODE["mirror"], code)
    assert code["owed"] == {"balance__sum": Decimal("3056.61")}
    assert capsys.readouterr().out == "FA001043 3056.61 4\n"


def test_the_first_receiver_has_at_most_ten_lines():
    _imports, function = CODE["receiver"].strip().split("@receiver")
    assert len(f"@receiver{function}".splitlines()) <= 10


def test_the_french_quick_start_has_the_same_steps():
    french = (ROOT / "README.fr.rst").read_text()
    same = ["settings", "urls", "apps", "mail"]
    code = [*blocks(french, "python").values()]
    assert [CODE[name] for name in same] == [part for part in code if part in CODE.values()]
    assert len(code) == len(CODE)
    consoles = [commands_in(part) for part in blocks(french, "console").values()]
    assert consoles == [*COMMANDS.values()]


def test_the_french_quick_start_counts_the_signals():
    french = (ROOT / "README.fr.rst").read_text()
    assert f"{len(SENT_TYPES)} types d’événements" in french
    number = {8: "huit", 9: "neuf", 10: "dix", 11: "onze", 12: "douze"}[len(BY_BUSINESS_SIGNAL)]
    assert f" {number} autres" in french


def prose(page):
    """Return the text of a page without its code, comments and the targets of links."""
    page = re.sub(r"(?m)^( *)\.\. code-block::.*\n((?:\1   .*|\s*)\n)+", "", page)
    return re.sub(r"(?m)^ *\.\. .*$|<[^>]*>(?=`_)", "", page)


def test_no_line_of_the_french_quick_start_begins_with_punctuation():
    french = prose((ROOT / "README.fr.rst").read_text())
    assert re.findall(r"[\w`*)] [:;?!»]|« ", french) == []
    assert "\u00a0:" in french


def test_the_readme_is_read_in_three_minutes():
    assert len(re.findall(r"[^\W\d][\w'.-]*", prose(README))) <= 700
