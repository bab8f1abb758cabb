"""The reader that follows the pages notices what is not as they say."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from tests.follow import curl
from tests.follow.__main__ import environment_with, follow
from tests.follow.expectations import Ids
from tests.follow.pages import Block, NotAsWritten, steps_of
from tests.follow.reader import Reader
from tests.processes import run as run_process

SERVER = """
Create ``manage.py``:

.. code-block:: python

   import http.server
   import sys

   class Handler(http.server.BaseHTTPRequestHandler):
       def do_GET(self):
           self.send_response(200)
           self.end_headers()
           self.wfile.write(b"<p>The <i>answer</i> &amp; more</p>")

       def log_message(self, *arguments):
           print("Asked for 123456 at 2026-11-28", flush=True)

   server = http.server.HTTPServer(("127.0.0.1", PORT), Handler)
   print("Listening at http://127.0.0.1:PORT/", flush=True)
   try:
       server.serve_forever()
   except KeyboardInterrupt:
       print("Good bye", flush=True)

In a second terminal:

.. code-block:: console

   $ python3 manage.py runserver
   Listening at http://127.0.0.1:PORT/
"""


@pytest.fixture
def reader(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Reader(folder, {**os.environ, "PATH": path})


@pytest.fixture
def read(reader, tmp_path):
    """Return a function that follows a page of this text, with a free port for ``PORT``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    def read(text):
        page = tmp_path / "page.rst"
        page.write_text(text.replace("PORT", port))
        reader.follow(page)
        return reader

    return read


def console(code, intro="Type:"):
    indented = "".join(f"   {line}\n" for line in code.splitlines())
    return f"\n{intro}\n\n.. code-block:: console\n\n{indented}\n"


def test_what_a_page_says_is_done_in_order(read):
    reader = read(
        "Create ``shop/a.txt``:\n\n.. code-block:: ini\n\n   one\n\n"
        "Add to the end of ``shop/a.txt``:\n\n.. code-block:: ini\n\n   two\n"
        + console("$ cd shop\n$ export NAME=it\n$ cat a.txt\none\n\ntwo")
        + console("$ echo $NAME in $(basename $PWD)\nit in shop")
        + console(
            "$ echo ${NAME:-nothing} in $(basename $PWD)\nnothing in empty", "A second terminal:"
        )
    )
    assert reader.followed == 5


def test_french_pages_are_understood(read):
    reader = read(
        "Créez ``a.txt``\u00a0:\n\n.. code-block:: ini\n\n   un\n\n"
        "Ajoutez à la fin de ``a.txt``\u00a0:\n\n.. code-block:: ini\n\n   deux\n\n"
        "Remplacez le contenu de ``a.txt`` par\u00a0:\n\n.. code-block:: ini\n\n   trois\n"
    )
    assert (reader.folder / "a.txt").read_text() == "trois\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (console("$ echo 3 parcels\n2 parcels"), "--- printed:\n3 parcels"),
        (console("$ echo one; echo two\none"), "--- printed:\none\ntwo"),
        (console("$ false"), "exit code 1"),
        (console("echo one"), "does not begin with a command"),
        ("Look::\n\n   some text\n", "does not say what it is"),
        ("Look:\n\n.. code-block:: ruby\n\n   1\n", "not clear which file"),
        ("Create it:\n\n.. code-block:: python\n\n   1\n", "not clear which file"),
        ("Look at ``a.py``:\n\n.. code-block:: python\n\n   1\n", "not clear which file"),
        ("Create ``a.py`` and ``b.py``:\n\n.. code-block:: python\n\n   1\n", "not clear which"),
        ("Replace ``a.py``:\n\n.. code-block:: python\n\n   1\n", "it does not exist"),
        ("Stop ``runserver`` with Control-C.\n", "is not running"),
    ],
)
def test_what_is_not_as_written_is_an_error(read, text, problem):
    with pytest.raises(NotAsWritten, match=r"page\.rst:\d+") as caught:
        read(text)
    assert problem in str(caught.value)


def test_a_block_may_say_why_it_is_not_followed(read):
    reader = read("Type:\n\n.. Not followed: no account.\n" + console("$ false", ""))
    assert (reader.followed, reader.not_followed) == (0, ["line 7: no account."])


@pytest.mark.parametrize(("version", "followed"), [("4.2", 0), ("100.0", 1)])
def test_a_block_may_be_for_an_older_django(read, version, followed):
    reader = read(console("$ true", f"Before Django {version}, type:"))
    assert (reader.followed, len(reader.not_followed)) == (followed, 1 - followed)


def test_only_a_comment_in_front_of_the_block_counts(tmp_path):
    page = tmp_path / "page.rst"
    page.write_text(".. Not followed: no account.\n" + console("$ a") + console("$ b"))
    blocks = [step for step in steps_of(page) if isinstance(step, Block)]
    assert [block.not_followed for block in blocks] == ["no account.", ""]


def test_only_times_and_ids_may_differ():
    ids = Ids()
    shown = "...\nInvoice 111111 of 2026-11-28\n111111 again\n..."
    assert not ids.is_output(shown, "Invoice 222222 of 2025-01-02\n333333 again")
    assert not ids.is_output(shown, "Invoice 222222 of today\n222222 again")
    assert ids.is_output(shown, "Before\nInvoice 222222 of 2025-01-02\n222222 again\nAfter")
    assert ids.put_into("curl /invoices/111111/send") == "curl /invoices/222222/send"
    assert not ids.is_output("111111", "444444")
    assert not ids.is_output("12.50 EUR", "12.51 EUR")
    assert ids.is_output("1 passed in 0.61s", "1 passed in 12.01s")


def test_servers_print_answer_and_stop(read):
    reader = read(
        f"{SERVER}\nOpen http://127.0.0.1:PORT/a and look for **answer & more**.\n\n"
        "It prints:\n\n.. code-block:: text\n\n   Asked for 654321 at 2027-01-02\n\n"
        "Stop ``runserver`` with Control-C.\n"
        + console("$ echo free\nfree", "In the second terminal:")
    )
    assert (reader.browser.opened, reader.servers) == (1, [])


def test_a_page_that_lacks_the_bold_words_is_an_error(read):
    with pytest.raises(NotAsWritten, match="does not show “question”"):
        read(f"{SERVER}\nOpen http://127.0.0.1:PORT/a for the **question**.\n")


def test_nothing_is_typed_into_the_terminal_of_a_server(read):
    with pytest.raises(NotAsWritten, match="runserver runs in this terminal"):
        read(SERVER + console("$ echo one", "In the second terminal:"))


def test_lines_that_no_server_prints_are_an_error(read, monkeypatch):
    monkeypatch.setattr("tests.follow.terminals._OUTPUT_SECONDS", 1)
    with pytest.raises(NotAsWritten, match="No server has printed this"):
        read(f"{SERVER}\nIt prints:\n\n.. code-block:: text\n\n   Good morning\n")


def test_a_busy_port_is_named(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        page = tmp_path / "page.rst"
        page.write_text(f"Open http://127.0.0.1:{other.getsockname()[1]}/.")
        assert follow(page, {}) == 1
    assert "another program listens there" in capsys.readouterr().err


def test_pip_takes_the_package_from_the_wheel(tmp_path):
    environment = environment_with(Path("/dist/django_altoviz-1.0-py3-none-any.whl"), tmp_path)
    assert Path(environment["PIP_CONSTRAINT"]).read_text() == (
        "django-altoviz @ file:///dist/django_altoviz-1.0-py3-none-any.whl\n"
    )
    assert not [name for name in environment if name.startswith(("DJANGO", "ALTOVIZ"))]


def test_the_stand_in_for_curl_posts(fake_altoviz, tmp_path):
    answer = tmp_path / "answer.json"
    arguments = ["--silent", "--output", answer, "--request", "POST"]
    url = f"{fake_altoviz.url}/fake/customers"
    run_process([sys.executable, curl.__file__, *arguments, url], check=True)
    (customer,) = fake_altoviz.customers.all()
    assert f'"id":{customer["id"]},' in answer.read_text()
