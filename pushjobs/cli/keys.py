"""`pushjobs keys …`: which key sealed how much, a new key in their place, old ones taken away."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pushjobs import clock, settings
from pushjobs.cli.options import AsJson, Directory, Yes, confirm, opened
from pushjobs.cli.shown import progress, show_json, show_table
from pushjobs.errors import NotFound, NotPossible, Undecryptable
from pushjobs.keyfile import KeyFile
from pushjobs.keys import Key, Resealed
from pushjobs.local.directory import Installation
from pushjobs.runtime import Runtime
from pushjobs.store.sealing import RENEWAL_SECONDS, key_id

__all__ = ["keys"]

keys = typer.Typer(name="keys", help="The keys that messages are encrypted with.", no_args_is_help=True)

_ROUNDS = 5
_BETWEEN_ROUNDS = 1.0


@keys.command(name="list")
def list_(directory: Directory = None, as_json: AsJson = False) -> None:
    """List the keys, and how much each of them has sealed.

    By their ids, the first first, with the sealed values of each table that name it.
    """
    with opened(directory) as runtime:
        found = runtime.keys.list()
    if as_json:
        show_json([{**_record(key), "total": key.total} for key in found])
        return
    columns = ("@key", "", *(f"#{table}" for table in found[0].values))
    show_table(columns, [(key.id, _place(key), *(f"{each:,}" for each in key.values.values())) for key in found])


@keys.command()
def rotate(directory: Directory = None, as_json: AsJson = False) -> None:
    """Put a fresh key first and encrypt everything anew with it.

    Goes on where it was stopped. With keys out of the environment there is no fresh one: everything is encrypted
    anew with the first of them.
    """
    if settings.given(directory).encryption_keys:
        with opened(directory) as runtime:
            if len(runtime.sealer.key_ids) == 1:
                raise NotPossible(
                    "PUSHJOBS_ENCRYPTION_KEYS holds one key: put a new one behind it for every process, "
                    "then before it, and then rotate"
                )
            done = _reseal(runtime)
    else:
        settings.load(directory).require_database_url  # noqa: B018 - for its complaint, before anything is changed
        with Installation(settings.given(directory).directory).rotation(), opened(directory) as runtime:
            # By then every process seals with the fresh key.
            clock.pause(RENEWAL_SECONDS)
            done = _reseal(runtime)
    _show_done(done, as_json=as_json)


@keys.command()
def remove(
    key: Annotated[
        str, typer.Argument(metavar="KEY_ID", help="The key's id, as `keys list` shows it.", show_default=False)
    ],
    yes: Yes = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Take a key that no value names any more out of keys.json.

    A backup from before needs it.
    """
    if settings.given(directory).encryption_keys:
        raise NotPossible("the keys are in the environment: take it out of PUSHJOBS_ENCRYPTION_KEYS there")
    where = settings.given(directory).directory
    with opened(directory) as runtime:
        named = {each.id: each for each in runtime.keys.list()}.get(key)
    if named is None or not named.is_held:
        raise NotFound(f"there is no key {key[:8]} in {_file(where)}: see `pushjobs keys list`")
    if named.is_first:
        raise NotPossible(f"key {key} is the first: `pushjobs keys rotate` puts another one in its place")
    if named.total:
        raise NotPossible(f"{named.total:,} values name key {key}: `pushjobs keys rotate` encrypts them anew")
    confirm(f"Take key {key} away? A backup that it sealed cannot be read without it.", yes=yes)
    [secret] = [each for each in KeyFile(_file(where)).read() if key_id(each).hex() == key]
    Installation(where).remove_key(secret)
    show_json({"removed": key}) if as_json else typer.echo(f"took away key {key}")


def _reseal(runtime: Runtime) -> Resealed:
    """Go round until nothing is left: what was in use, or was sealed late, is there for the next round."""
    total = Resealed()
    for _ in range(_ROUNDS):
        old = sum(key.total for key in runtime.keys.list() if not key.is_first)
        if old == total.unreadable:
            break
        with progress() as bar:
            task = bar.add_task("encrypting anew", total=old - total.unreadable)
            done = runtime.keys.reseal(partial(bar.advance, task))
        total = Resealed(values=total.values + done.values, left=done.left, unreadable=done.unreadable)
        if done.left:
            clock.pause(_BETWEEN_ROUNDS)
    if total.left:
        raise NotPossible(f"{total.left:,} values were in use all the time: run it again, it goes on where it stopped")
    return total


def _show_done(done: Resealed, *, as_json: bool) -> None:
    if as_json:
        show_json({"encrypted": done.values, "unreadable": done.unreadable})
    else:
        typer.echo(f"encrypted {done.values:,} {'value' if done.values == 1 else 'values'} anew")
    if done.unreadable:
        raise Undecryptable(f"no key of the ring opens {done.unreadable:,} values: see `pushjobs keys list`")


def _record(key: Key) -> dict[str, object]:
    return {"id": key.id, "is_first": key.is_first, "is_held": key.is_held, "values": key.values}


def _place(key: Key) -> str:
    if key.is_first:
        return "first"
    return "" if key.is_held else "not in the ring"


def _file(directory: Path) -> Path:
    return directory / "keys.json"
