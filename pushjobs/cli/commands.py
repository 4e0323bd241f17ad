"""What a command's parameters are made of beside its own: options that several commands share, and `--appid`.

typer reads a function's signature; here signatures are made, so that what is the same everywhere is written once.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from pushjobs.cli.options import meant_appid

__all__ = ["Command", "of_one_app", "taking"]

Command = Callable[..., None]

_APPID = inspect.Parameter(
    "appid",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        str | None,
        typer.Option("--appid", help="The app that is meant; else the environment's.", show_default=False),
    ],
)


def taking(options: type[Any]) -> Callable[[Command], Command]:
    """Have a command that ends in `**given` take the options that a typed dictionary names.

    They stand before the command's own; it is handed those that were said.
    """
    named = get_type_hints(options, include_extras=True)
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    shared = [inspect.Parameter(name, keyword_only, default=None, annotation=hint) for name, hint in named.items()]

    def decorate(function: Command) -> Command:
        own = _parameters(function)
        arguments = [each for each in own if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        rest = [each for each in own if each.kind is keyword_only]

        @wraps(function)
        def command(**said: Any) -> None:  # noqa: ANN401 - what the shell gave
            given = {name: said.pop(name) for name in named}
            function(**said, **{name: value for name, value in given.items() if value is not None})

        return _signed(command, [*arguments, *shared, *rest])

    return decorate


def of_one_app(function: Command) -> Command:
    """Have a command take `--appid`, behind its name as well as before it."""

    @wraps(function)
    def command(*, appid: str | None = None, **said: Any) -> None:  # noqa: ANN401 - as above
        if appid is not None:
            meant_appid.set(appid)
        function(**said)

    own = _parameters(function)
    place = next((number for number, each in enumerate(own) if each.name == "directory"), len(own))
    # Options may follow each other in any order: none of them is given by its place.
    named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own[place:]]
    return _signed(command, [*own[:place], _APPID, *named])


def _parameters(function: Command) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())


def _signed(command: Command, parameters: list[inspect.Parameter]) -> Command:
    """Give a function the parameters that typer is to read."""
    signature = inspect.Signature(parameters, return_annotation=None)
    command.__signature__ = signature  # type: ignore[attr-defined] # what inspect.signature looks at first
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command
