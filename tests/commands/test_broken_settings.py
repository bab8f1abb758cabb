"""Commands with an ``ALTOVIZ`` setting that can't be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.core.management.base import SystemCheckError

from django_altoviz import management

COMMANDS = sorted(
    path.stem for path in (Path(management.__file__).parent / "commands").glob("altoviz_*.py")
)


@pytest.fixture(
    autouse=True, params=["not a dict", {"ACCOUNTS": ["acme"]}, {"RETENTION_DAYS": "ninety"}]
)
def broken(request, settings):
    settings.ALTOVIZ = request.param
    return request.param


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_shown_all_the_same(name):
    command = load_command_class("django_altoviz", name)
    assert "--verbosity" in command.create_parser("manage.py", name).format_help()


def test_the_system_check_names_the_error():
    with pytest.raises(SystemCheckError, match="altoviz"):
        call_command("altoviz_status", skip_checks=False)


def test_an_account_that_can_not_be_looked_up_is_an_error_of_its_option(broken):
    if "RETENTION_DAYS" in broken:
        pytest.skip("the accounts can be read")
    with pytest.raises(CommandError, match=r"--account: .*ALTOVIZ"):
        call_command("altoviz_status", "--account", "acme")
