"""A reader who does what the steps of a page say."""

from __future__ import annotations

import re
from pathlib import Path

from .browser import Browser
from .expectations import Ids, difference
from .pages import Block, NotAsWritten, Paragraph, steps_of
from .terminals import Server, Terminal, commands_in, is_server, wait_for_lines

_ORDINALS = {
    "first": r"first terminal|premier terminal",
    "second": r"second terminal|deuxième terminal",
    "third": r"third terminal|troisième terminal",
}
_FILE_ACTIONS = {
    "create": r"\b(Create|Créez)\b",
    "replace": r"\b(Replace|Remplacez)\b",
    "append": r"\b([Aa]dd|[Aa]joutez)\b",
}
_BEFORE_DJANGO = re.compile(r"\b(?:Before|Avant) Django (\d+)\.(\d+)\b")
_SHELL = "``python manage.py shell``"
_STOP = re.compile(r"\b(?:Stop|Arrêtez) ``(\w+)`` (?:with|par) Control-C")


class Reader:
    """Follows a page in a directory that is empty at first."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.terminals: dict[str, Terminal] = {}
        #: The last terminal that was typed into.
        self.terminal = self.terminal_called("first")
        self.servers: list[Server] = []
        self.browser = Browser()
        self.ids = Ids()
        self.followed = 0
        self.not_followed: list[str] = []

    def follow(self, page: Path) -> None:
        """Take each step of the page, and stop the servers at the end.

        Raises:
            NotAsWritten: what happens is not what the page says.
        """
        line = 0
        try:
            for step in steps_of(page):
                line = step.line
                self.take(step)
        except NotAsWritten as error:
            raise NotAsWritten(f"{page}:{line}: {error}") from error
        finally:
            for server in self.servers:
                server.stop()

    def take(self, step: Paragraph | Block) -> None:
        if isinstance(step, Paragraph):
            self.stop_servers(step.text)
            self.browser.read(step.text)
        elif step.not_followed:
            self.not_followed.append(f"line {step.line}: {step.not_followed}")
        elif self.is_for_an_older_django(step.intro):
            self.not_followed.append(f"line {step.line}: it is for an older Django.")
        else:
            self.use(step)
            self.followed += 1

    def is_for_an_older_django(self, intro: str) -> bool:
        before = _BEFORE_DJANGO.search(intro)
        if not before:
            return False
        installed = self.terminal.type("python -m django --version").split(".")
        return [int(part) for part in installed[:2]] >= [int(part) for part in before.groups()]

    def use(self, block: Block) -> None:
        if block.language == "console":
            self.type(block)
        elif block.language == "text":
            wait_for_lines(self.servers, block.code, self.ids)
        elif block.language == "python" and _SHELL in block.intro:
            self.type_into_the_shell(block.code)
        else:
            self.write(block)

    def terminal_called(self, ordinal: str) -> Terminal:
        """Return the terminal, and open it in the first directory if it is new."""
        if ordinal not in self.terminals:
            self.terminals[ordinal] = Terminal(self.folder, dict(self.environment))
        return self.terminals[ordinal]

    def type(self, block: Block) -> None:
        named = [name for name, words in _ORDINALS.items() if re.search(words, block.intro)]
        self.terminal = self.terminal_called(named[0] if named else "first")
        for command, shown in commands_in(self.ids.put_into(block.code)):
            self.run(command, shown)

    def run(self, command: str, shown: str) -> None:
        for server in self.servers:
            if server.terminal is self.terminal and not server.is_in_background:
                raise NotAsWritten(f"{server.name} runs in this terminal: {command}")
        if is_server(command):
            server = Server(command, self.terminal)
            self.servers.append(server)
            server.wait_until_it_answers()
            if shown:
                wait_for_lines([server], shown, self.ids)
            return
        output = self.terminal.type(command)
        if shown and not self.ids.is_output(shown, output):
            raise difference(f"$ {command}", shown, output)

    def type_into_the_shell(self, code: str) -> None:
        self.terminal.type(f"python manage.py shell <<'END'\n{code}\nEND")

    def stop_servers(self, text: str) -> None:
        for name in _STOP.findall(text):
            stopped = [server for server in self.servers if server.name == name]
            if not stopped:
                raise NotAsWritten(f"{name} is not running.")
            for server in stopped:
                server.stop()
                self.servers.remove(server)

    def write(self, block: Block) -> None:
        """Write the file that the sentence before the block names."""
        sentence = re.split(r"(?<=[.:]) (?=[A-ZÀÉ])", block.intro)[-1]
        names = re.findall(r"``([\w./-]+\.\w+)``", sentence)
        actions = [name for name, words in _FILE_ACTIONS.items() if re.search(words, sentence)]
        if len(names) != 1 or len(actions) != 1:
            raise NotAsWritten(f"It is not clear which file to write, or how: {sentence!r}")
        path, code = self.terminal.folder / names[0], self.ids.put_into(block.code) + "\n"
        if path.exists() != (actions[0] != "create"):
            state = "exists" if path.exists() else "does not exist"
            raise NotAsWritten(f"To {actions[0]} {names[0]}: it {state}.")
        before = path.read_text(encoding="utf-8") + "\n" if actions[0] == "append" else ""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(before + code, encoding="utf-8")
