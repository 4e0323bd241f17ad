"""`pushjobs completion`: what a shell needs to complete command lines.

Commands, options and the words that an option takes stand in the script, so that a key press starts no Python. What
only the installation knows (campaigns, templates, apps …) is asked of it by `completion --values`; open ids never are.
Each shell has the same table as a POSIX function, and a few lines of its own around it.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from pushjobs.cli.help import walked
from pushjobs.cli.options import Directory, opened
from pushjobs.errors import InvalidInput, PushJobsError
from pushjobs.runtime import Runtime

__all__ = ["Shell", "Values", "completion", "script"]


class Shell(StrEnum):
    """The shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class Values(StrEnum):
    """What an installation is asked for."""

    APPS = "apps"
    AUDIENCES = "audiences"
    CAMPAIGNS = "campaigns"
    CLIENTS = "clients"
    TEMPLATES = "templates"


_ASKED: Mapping[str, Values] = {
    "--appid": Values.APPS,
    "APPID": Values.APPS,
    "--audience-stored": Values.AUDIENCES,
    "AUDIENCE": Values.AUDIENCES,
    "KEY": Values.CAMPAIGNS,
    "KEY|RUN": Values.CAMPAIGNS,
    "CLIENT": Values.CLIENTS,
    "--template-id": Values.TEMPLATES,
    "ID": Values.TEMPLATES,
    "[ID]": Values.TEMPLATES,
    "SUBSCRIBE_ID": Values.TEMPLATES,
}
"""Options by their spelling, arguments by what the help calls them."""

_READ: Mapping[Values, Callable[[Runtime], Iterator[str]]] = {
    Values.APPS: lambda runtime: (each.appid for each in runtime.apps.all()),
    Values.AUDIENCES: lambda runtime: (each.name for each in runtime.app().audiences.list()),
    Values.CAMPAIGNS: lambda runtime: (each.key for each in runtime.campaigns.list()),
    Values.CLIENTS: lambda runtime: (each.name for each in runtime.clients.all() if each.revoked_at is None),
    Values.TEMPLATES: lambda runtime: (each for each in runtime.catalogue.titles()),
}


def completion(
    context: typer.Context,
    shell: Annotated[
        Shell | None, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)
    ] = None,
    *,
    values: Annotated[
        Values | None,
        typer.Option(help="List these of the installation instead, a line each.", show_default=False),
    ] = None,
    directory: Directory = None,
) -> None:
    """Write the script that has a shell complete command lines.

    bash reads it from ~/.local/share/bash-completion/completions/pushjobs, fish from
    ~/.config/fish/completions/pushjobs.fish, zsh from a file _pushjobs in a directory of its fpath.
    """
    if (shell is None) is (values is None):
        fault = "is missing" if shell is None else "stands beside --values"
        raise InvalidInput("SHELL", fault, "say bash, zsh or fish")
    if values is not None:
        _list(values, directory)
    elif shell is not None:
        typer.echo(script(shell, context.find_root().command), nl=False)


def script(shell: Shell, root: Any) -> str:  # noqa: ANN401 - typer does not show the class of its commands
    """Return the script for a shell, of the program whose commands these are."""
    table = _TABLE.replace("@WORDS@", "\n".join(_words(root))).replace("@KINDS@", "\n".join(_kinds(root)))
    match shell:
        case Shell.BASH:
            return f"{_NOTE}{table}{_BASH}"
        case Shell.ZSH:
            return f"#compdef pushjobs\n{_NOTE}{table}{_ZSH}"
        case Shell.FISH:
            quoted = f'{table}__pushjobs_answer "$@"\n'.replace("\\", "\\\\").replace("'", "\\'")
            return f"{_NOTE}set -g __pushjobs_table '{quoted}'\n{_FISH}"


def _list(values: Values, directory: Path | None) -> None:
    """Write what the installation has; with nothing running, nothing: a key press is no place for complaints."""
    try:
        with opened(directory) as runtime:
            found = sorted(_READ[values](runtime))
    except PushJobsError:
        return
    for each in found:
        typer.echo(each)


def _words(root: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Write the arms that say which words can follow a command, and which of them are options."""
    for path, command in walked(root):
        below = " ".join(name for name, each in getattr(command, "commands", {}).items() if not each.hidden)
        options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
        spelt = " ".join([*(name for each in options for name in (*each.opts, *each.secondary_opts)), "--help"])
        yield f"    '{path}') below='{below}' spelt='{spelt}' ;;"


def _kinds(root: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Write the arms that say what an option of a command takes, and what its arguments are, by their places."""
    for path, command in walked(root):
        for each in command.params:
            if each.param_type_name == "option" and not each.is_flag:
                yield f"    '{path}:{each.opts[0]}') kind='{_kind(each, each.opts[0])}' ;;"
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        for place, each in enumerate(arguments, start=1):
            # An argument that may be repeated is every argument from there on.
            pattern = f"'{path}:'[0-9]*" if each.nargs < 0 else f"'{path}:{place}'"
            yield f"    {pattern}) kind='{_kind(each, each.metavar or '')}' ;;"


def _kind(parameter: Any, name: str) -> str:  # noqa: ANN401 - as above
    if name in _ASKED:
        return f"ask {_ASKED[name]}"
    hint = parameter.type_descriptor.annotation
    hint = next(iter(get_args(hint)), hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"one {' '.join(str(each.value) for each in hint)}"
    return "file" if hint is Path else "text"


_NOTE = "# What `pushjobs completion` writes: write it anew after an upgrade.\n"

_TABLE = r"""
# Not `commands` and `options`: in zsh those are arrays of its own.
__pushjobs_words() {
    below='' spelt=''
    case $1 in
@WORDS@
    esac
}
__pushjobs_kind() {
    kind=''
    case $1 in
@KINDS@
    esac
}
__pushjobs_answer() {
    program=$1 command='' awaited='' place=1 directory='' appid=''
    shift
    __pushjobs_words ''
    while [ $# -gt 1 ]; do
        if [ -n "$awaited" ]; then
            case $awaited in --directory) directory=$1 ;; --appid) appid=$1 ;; esac
            awaited=''
        else
            case "$1" in
            -*) __pushjobs_kind "$command:$1"; [ -z "$kind" ] || awaited=$1 ;;
            *)
                case " $below " in
                *" $1 "*) command="${command:+$command }$1"; __pushjobs_words "$command" ;;
                *) place=$((place + 1)) ;;
                esac ;;
            esac
        fi
        shift
    done
    case "$1" in
    -*) [ -n "$awaited" ] || { printf '%s\n' "$spelt" | tr ' ' '\n'; return; } ;;
    esac
    if [ -z "$awaited" ] && [ -n "$below" ]; then
        printf '%s\n' "$below" | tr ' ' '\n'
        return
    fi
    __pushjobs_kind "$command:${awaited:-$place}"
    case $kind in
    one\ *) printf '%s\n' "${kind#one }" | tr ' ' '\n' ;;
    ask\ *)
        set -- completion --values "${kind#ask }"
        [ -z "$directory" ] || set -- "$@" --directory "$directory"
        [ -z "$appid" ] || [ "$kind" = 'ask apps' ] || set -- "$@" --appid "$appid"
        "$program" "$@" 2>/dev/null ;;
    file) echo ' file' ;;
    esac
}
"""

_BASH = r"""
_pushjobs() {
    local word=${COMP_WORDS[COMP_CWORD]} answer
    answer=$(__pushjobs_answer "${COMP_WORDS[@]:0:COMP_CWORD}" "$word")
    if [ "$answer" = ' file' ]; then
        compopt -o default
        COMPREPLY=()
    else
        local IFS=$'\n'
        COMPREPLY=($(compgen -W "$answer" -- "$word"))
    fi
}
complete -F _pushjobs pushjobs
"""

_ZSH = r"""
_pushjobs() {
    local answer
    answer=$(set -- "${(@)words[1,CURRENT]}"; emulate sh; __pushjobs_answer "$@")
    if [[ $answer == ' file' ]]; then
        _files
    elif [[ -n $answer ]]; then
        compadd -- ${(f)answer}
    fi
}
if [ "$funcstack[1]" = _pushjobs ]; then _pushjobs; else compdef _pushjobs pushjobs; fi
"""

_FISH = r"""
function __pushjobs_answer
    set -l word (commandline -ct)
    set -l answer (sh -c $__pushjobs_table sh (commandline -opc) "$word")
    if test "$answer" = ' file'
        __fish_complete_path $word
    else
        printf '%s\n' $answer
    end
end
complete -c pushjobs -f -a '(__pushjobs_answer)'
"""
