"""The commands are one language: what is the same is called the same, each explains itself, each has an example."""

import inspect
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pushjobs.cli.examples import EXAMPLES
from pushjobs.cli.help import walked
from pushjobs.cli.program import app

COMMANDS: Mapping[str, Any] = {
    path: command for path, command in walked(typer.main.get_command(app)) if not hasattr(command, "commands")
}
NOT_AN_INSTALLATION = {"sandbox": "it knows of none"}
NO_DOCUMENT = {"sandbox": "its address is JSON anyway", "completion": "it writes a script, or a name a line"}
OF_NO_APP = {"up", "demo", "sandbox", "chaos", "doctor", "completion"}
GROUPS_OF_NO_APP = {"alerts", "app", "client", "keys", "db"}
DESTROYING = {
    *("forget", "campaign delete", "campaign cancel", "campaign audience delete", "client revoke", "keys remove"),
    *("template delete", "wechat clear-quota", "db downgrade"),
}
LONGEST_HELP = 66  # with the widest name before it, a line of 80 columns


def options_of(command: Any) -> list[Any]:  # noqa: ANN401 - typer does not show its class
    """Return a command's options, `--help` aside."""
    return [each for each in command.params if each.param_type_name == "option"]


def spellings(command: Any) -> set[str]:  # noqa: ANN401 - as above
    """Return how a command's options are written."""
    return {name for each in options_of(command) for name in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_explains_itself(path: str) -> None:
    """Its help begins with a sentence that fits a line of the list, and tells of each parameter."""
    command = COMMANDS[path]
    first, *rest = inspect.cleandoc(command.help).split("\n\n")
    assert len(first) <= LONGEST_HELP
    assert first.endswith(".")
    assert all(each.strip() for each in rest)
    assert all(each.help for each in command.params), path
    shown = CliRunner().invoke(app, [*path.split(), "--help"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert all(name in shown.output for name in spellings(command)), "an option is cut"
    assert shown.output.endswith("\n")


def test_the_lists_of_commands_are_a_line_a_command() -> None:
    """In 80 columns no help of a command is cut or goes on in the next line."""
    for path, group in walked(typer.main.get_command(app)):
        if below := getattr(group, "commands", None):
            shown = CliRunner().invoke(app, [*path.split(), "--help"], env={"COLUMNS": "80"}).output
            for name, command in below.items():
                [line] = re.findall(rf"^  {name} +(.*)$", shown, re.MULTILINE)
                assert line == inspect.cleandoc(command.help).split("\n\n", maxsplit=1)[0]


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_takes_what_every_command_takes(path: str) -> None:
    """Each takes `--json` and `--directory`, those of one app `--appid`, those that destroy `--yes`."""
    names = spellings(COMMANDS[path])
    assert ("--json" in names) is (path not in NO_DOCUMENT)
    assert ("--directory" in names) is (path not in NOT_AN_INSTALLATION)
    is_of_no_app = path in OF_NO_APP or path.split(maxsplit=1)[0] in GROUPS_OF_NO_APP
    assert ("--appid" in names) is (not is_of_no_app or path == "client add")
    assert ("--yes" in names) is (path in DESTROYING)


def test_one_thing_has_one_spelling() -> None:
    """Options that say the same of themselves are written the same, and all are written alike."""
    by_help, kinds = defaultdict(set), defaultdict(set)
    for path, command in COMMANDS.items():
        for each in options_of(command):
            by_help[each.help].add(each.opts[0])
            kinds[each.opts[0]].add(each.is_flag)
            assert all(re.fullmatch(r"--[a-z]+(-[a-z]+)*", name) for name in (*each.opts, *each.secondary_opts)), path
    assert {words: names for words, names in by_help.items() if len(names) > 1} == {}
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}


SYNONYMS = {
    "--app": "--appid",
    "--template": "--template-id",
    "--rate": "--per-second",
    "--count": "--limit",
    "--request": "--from",
    "--user": "--touser",
    "--dir": "--directory",
    "--force": "--yes",
    "--max": "--limit",
}


def test_no_word_has_a_synonym() -> None:
    """What is called by one word is called by no other."""
    used = {name for command in COMMANDS.values() for name in spellings(command)}
    assert used & SYNONYMS.keys() == set()
    assert set(SYNONYMS.values()) <= used


def test_arguments_are_called_by_what_they_are() -> None:
    """Every argument is named in capitals, and two of one name take the same."""
    for path, command in COMMANDS.items():
        for each in command.params:
            if each.param_type_name == "argument":
                assert re.fullmatch(r"\[?[A-Z_|=]+\]?(\.\.\.)?", each.metavar or ""), path


def test_every_command_has_an_example() -> None:
    """There is one for each command there is, and for no other."""
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_can_be_typed(path: str) -> None:
    """Each example is taken by the command that it is an example of."""
    root = typer.main.get_command(app)
    called: list[str] = []
    for name, command in walked(root):
        if not hasattr(command, "commands"):
            command.callback = lambda _name=name, **_: called.append(_name)
    for example in EXAMPLES[path]:
        program, *arguments = shlex.split(example.partition(" > ")[0])
        assert program == "pushjobs"
        root.main(arguments, prog_name=program, standalone_mode=False)
        assert called.pop() == path
