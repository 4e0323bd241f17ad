"""`pushjobs template …`: the app's templates, the library they come from, their policies, mappings of legacy ones."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pushjobs.cli.options import FAILED, AsJson, Directory, Yes, confirm, opened
from pushjobs.cli.sending import rejections_as_json, show_rejections, tracked
from pushjobs.cli.shown import show_json, show_pairs, show_table, stderr
from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.content_check import CheckPolicy, ContentCheck
from pushjobs.domain.job import DoubtPolicy
from pushjobs.domain.template import Template, TemplateKind
from pushjobs.domain.translation import Translation
from pushjobs.errors import InvalidInput
from pushjobs.files import open_jobs
from pushjobs.operations import Policies

__all__ = ["template"]

template = typer.Typer(name="template", help="The app's templates, as WeChat lists them.", no_args_is_help=True)

_TemplateId = Annotated[str, typer.Argument(metavar="ID", help="The template's id.", show_default=False)]
_LegacyId = Annotated[str, typer.Argument(metavar="LEGACY_ID", help="A legacy template's id.", show_default=False)]
_Tid = Annotated[str, typer.Argument(metavar="TID", help="A title's number, from `library`.", show_default=False)]


@template.command()
def sync(directory: Directory = None, as_json: AsJson = False) -> None:
    """Read the app's templates from WeChat.

    From then on a template that is not among them is refused. Once it was done, it is done again each night.
    """
    with opened(directory) as runtime:
        count = runtime.catalogue.sync()
    if as_json:
        show_json({"templates": count})
    else:
        typer.echo(f"WeChat lists {count} templates")


@template.command("list")
def list_templates(directory: Directory = None, as_json: AsJson = False) -> None:
    """List the templates with their keywords, as last read."""
    with opened(directory) as runtime:
        known = runtime.catalogue.titles()
        is_read = runtime.catalogue.app.is_synced
    listed = [(each.title or "", each.template) for _, each in sorted(known.items()) if each.template]
    if as_json:
        show_json([_as_record(title, each) for title, each in listed])
    else:
        rows = [(each.template_id, title, _words(each.kind), _fields(each)) for title, each in listed]
        show_table(("@template", "title", "consent", "keywords"), rows)
    if not is_read:
        stderr().print("The catalogue was never read: until `pushjobs template sync`, any template id is accepted.")


@template.command()
def library(
    *,
    categories: Annotated[bool, typer.Option("--categories", help="List the app's categories, no titles.")] = False,
    category: Annotated[
        list[int] | None, typer.Option(help="Only this category's titles, may be repeated.", show_default=False)
    ] = None,
    start: Annotated[int, typer.Option(help="Begin with this number, from 0.")] = 0,
    limit: Annotated[int, typer.Option(help="The most to list, up to 30.")] = 30,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List titles of WeChat's public library.

    Templates are added from it; WeChat allows few looks a day.
    """
    with opened(directory) as runtime:
        if categories:
            found = runtime.templates.categories()
            if as_json:
                show_json([asdict(each) for each in found])
            else:
                show_table(("#category", "name"), [(str(each.category_id), each.name) for each in found])
            return
        page = runtime.templates.library(category or (), start=start, limit=limit)
    if as_json:
        show_json(asdict(page))
        return
    rows = [(each.tid, each.name, _words(each.kind), each.category_id) for each in page.titles]
    show_table(("#tid", "title", "consent", "#category"), rows, title=f"{len(rows)} of {page.count} titles")


@template.command()
def keywords(tid: _Tid, directory: Directory = None, as_json: AsJson = False) -> None:
    """List the keywords that a title offers."""
    with opened(directory) as runtime:
        found = runtime.templates.keywords(tid)
    if as_json:
        show_json([asdict(each) for each in found])
    else:
        show_table(("#kid", "name", "type", "example"), [(str(e.kid), e.name, e.rule, e.example) for e in found])


@template.command()
def add(
    tid: _Tid,
    kid: Annotated[
        list[int], typer.Argument(metavar="KID...", help="2 to 5 of its keywords, in order.", show_default=False)
    ],
    *,
    scene: Annotated[str, typer.Option(help="What it is for, in up to 15 characters.", show_default=False)] = "",
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Make keywords of a title a template of the app's.

    One that exists already is named.
    """
    with opened(directory) as runtime:
        added = runtime.templates.add(tid, kid, scene=scene)
    if as_json:
        show_json(asdict(added))
    else:
        typer.echo(f"{'added' if added.is_new else 'exists already:'} {added.template_id}")


@template.command()
def delete(template_id: _TemplateId, yes: Yes = False, directory: Directory = None, as_json: AsJson = False) -> None:
    """Take a template from the app, at WeChat too.

    Jobs that wait with it will not be sent.
    """
    with opened(directory) as runtime:
        confirm(f"delete template {template_id} at WeChat?", yes=yes)
        runtime.templates.delete(template_id)
    if as_json:
        show_json({"deleted": template_id})
    else:
        typer.echo(f"deleted {template_id}")


@template.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV as `send --file` takes it.", show_default=False)],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List every fault of every row of a CSV of jobs.

    Nothing is stored or sent. The exit status is 1 if there is any.
    """
    with opened(directory) as runtime, open_jobs(file) as rows:
        checked = runtime.producer.check(tracked(rows, rows.count, "checking"))
    if as_json:
        show_json(asdict(checked) | rejections_as_json("faults", checked.faults))
    else:
        typer.echo(f"{checked.sound:,} of {checked.rows:,} rows can be sent, {checked.faults.total:,} faults")
        if checked.faults:
            show_rejections(checked.faults)
    if checked.faults:
        raise typer.Exit(FAILED)


@template.command("map")
def map_template(
    legacy_id: _LegacyId,
    template_id: Annotated[
        str, typer.Argument(metavar="SUBSCRIBE_ID", help="The subscribe template's id.", show_default=False)
    ],
    keywords: Annotated[
        list[str],
        typer.Argument(
            metavar="KEYWORD=KEY...", help="keyword1=thing1, for each; keyword2= leaves one out.", show_default=False
        ),
    ],
    *,
    shorten: Annotated[bool, typer.Option("--shorten", help="Cut texts too long for a thing or a name.")] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Have a legacy template's messages sent as another's.

    That is a subscribe template; from now on, and within a minute everywhere.
    """
    with opened(directory) as runtime:
        runtime.producer.map_template(legacy_id, template_id, _pairs(keywords), shorten=shorten)
        made = runtime.catalogue.translations()[legacy_id]
    if as_json:
        show_json({"legacy_id": legacy_id, **_translation_record(made)})
    else:
        typer.echo(f"messages of {legacy_id} are sent as {template_id}")


@template.command()
def unmap(legacy_id: _LegacyId, directory: Directory = None, as_json: AsJson = False) -> None:
    """Have a legacy template's messages translated no longer."""
    with opened(directory) as runtime:
        runtime.producer.unmap_template(legacy_id)
    if as_json:
        show_json({"unmapped": legacy_id})
    else:
        typer.echo(f"messages of {legacy_id} are translated no longer")


@template.command()
def mappings(directory: Directory = None, as_json: AsJson = False) -> None:
    """List which legacy templates are sent as which others."""
    with opened(directory) as runtime:
        found = runtime.catalogue.translations()
    if as_json:
        show_json([{"legacy_id": each, **_translation_record(made)} for each, made in sorted(found.items())])
        return
    for legacy_id, made in sorted(found.items()):
        pairs = ", ".join(f"{key} → {target or 'left out'}" for key, target in made.keywords)
        long_texts = "shortened" if made.shortens else "refused"
        show_pairs([("legacy", legacy_id), ("sent as", made.template_id), ("", pairs), ("too long", long_texts)])


@template.command()
def policy(  # noqa: PLR0913 - one argument an option
    template_id: _TemplateId,
    *,
    consent: Annotated[
        ConsentPolicy | None,
        typer.Option(help="require: only users known to consent. optimistic: all others too.", show_default=False),
    ] = None,
    in_doubt: Annotated[
        DoubtPolicy | None,
        typer.Option(help="hold: wait for word. resend: send again, and maybe twice.", show_default=False),
    ] = None,
    daily_cap: Annotated[
        int | None, typer.Option(help="How many of it a user may get a day; 0: no cap of its own.", show_default=False)
    ] = None,
    content_check: Annotated[
        ContentCheck | None,
        typer.Option("--check", help="As what WeChat judges its texts when a job is accepted.", show_default=False),
    ] = None,
    on_review: Annotated[
        CheckPolicy | None, typer.Option(help="For texts that a person should look at.", show_default=False)
    ] = None,
    on_unchecked: Annotated[
        CheckPolicy | None, typer.Option(help="For texts of which WeChat gives no word.", show_default=False)
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Set by which rules a template is accepted and sent.

    What is not given stays as it is.
    """
    policies: Policies = {}
    if consent is not None:
        policies["consent"] = consent
    if in_doubt is not None:
        policies["in_doubt"] = in_doubt
    if daily_cap is not None:
        policies["daily_cap"] = daily_cap or None
    if content_check is not None:
        policies["content_check"] = content_check
    if on_review is not None:
        policies["on_review"] = on_review
    if on_unchecked is not None:
        policies["on_unchecked"] = on_unchecked
    if not policies:
        rule = "give --consent, --in-doubt, --daily-cap, --check, --on-review, --on-unchecked"
        raise InvalidInput("--consent", "is not given, nor is another policy", rule)
    with opened(directory) as runtime:
        runtime.operations.set_policies(template_id, **policies)
    if as_json:
        show_json({"template_id": template_id, **policies})
    else:
        set_to = ", ".join(f"{name.replace('_', ' ')} {value or 'none'}" for name, value in policies.items())
        typer.echo(f"template {template_id}: {set_to}")


@template.command()
def words(
    template_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="The template's id; without one: all of the app's.", show_default=False),
    ] = None,
    *,
    add: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Forbid it; may be repeated.", show_default=False)
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Forbid it no longer; may be repeated.", show_default=False)
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List, add and remove words that messages must not hold.

    A message that holds one is refused when it is made; what is accepted already is sent. Case and the width of
    characters make no difference.
    """
    with opened(directory) as runtime:
        if remove:
            runtime.wording.allow(remove, template_id=template_id)
        if add:
            runtime.wording.forbid(add, template_id=template_id)
        found = runtime.wording.forbidden(template_id=template_id)
    if as_json:
        show_json({"template_id": template_id, "words": found})
    else:
        typer.echo("\n".join(found) or "no words are forbidden")


def _pairs(written: list[str]) -> dict[str, str | None]:
    pairs: dict[str, str | None] = {}
    for each in written:
        key, equals, target = each.partition("=")
        if not equals:
            raise InvalidInput("KEYWORD=KEY", "has no equals sign", "write keyword1=thing1, or keyword1= for none")
        if key in pairs:
            raise InvalidInput("KEYWORD=KEY", f"has {key[:40]} twice", "give each keyword once")
        pairs[key] = target or None
    return pairs


def _translation_record(made: Translation) -> dict[str, object]:
    return {"template_id": made.template_id, "keywords": dict(made.keywords), "shortens": made.shortens}


def _as_record(title: str, listed: Template) -> dict[str, object]:
    fields = [asdict(each) for each in listed.fields]
    keys = [each.key for each in listed.fields]
    return {
        "template_id": listed.template_id,
        "title": title,
        "kind": listed.kind,
        "keywords": keys,
        "fields": fields,
    }


def _fields(listed: Template) -> str:
    return ", ".join(f"{each.key} {each.name}".strip() for each in listed.fields)


def _words(kind: TemplateKind | None) -> str:
    return "" if kind is None else kind.replace("_", "-")
