"""`pushjobs db …` and `pushjobs template …`: the tables, and the app's templates with their policies."""

from typing import Annotated

import typer

from pushjobs import settings
from pushjobs.cli.options import AsJson, Directory, opened
from pushjobs.cli.shown import show_json, show_pairs, show_table
from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.job import DoubtPolicy
from pushjobs.errors import InvalidInput
from pushjobs.operations import Policies
from pushjobs.store import migrate

__all__ = ["database", "template"]

database = typer.Typer(name="db", help="Our tables in PostgreSQL.", no_args_is_help=True)
template = typer.Typer(name="template", help="The app's templates, as WeChat lists them.", no_args_is_help=True)


@database.command()
def upgrade(directory: Directory = None) -> None:
    """Create our tables, or bring them to this release; changes nothing where they are."""
    migrate.upgrade(settings.load(directory).require_database_url)
    typer.echo(f"the tables are at {migrate.head()}")


@database.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="An earlier revision; base removes every table of ours.")],
    directory: Directory = None,
) -> None:
    """Take our tables back to an earlier revision, and what only later ones can hold with them."""
    migrate.downgrade(settings.load(directory).require_database_url, revision)
    typer.echo(f"the tables are at {revision}")


@database.command()
def status(directory: Directory = None, as_json: AsJson = False) -> None:
    """Show which revision the tables are at, and which one this release needs."""
    with opened(directory) as runtime, runtime.database.transaction() as connection:
        found, needed = migrate.revision(connection), migrate.head()
    if as_json:
        show_json({"revision": found, "needed": needed, "is_current": found == needed})
        return
    advice = "up to date" if found == needed else "run `pushjobs db upgrade`"
    show_pairs([("tables at", found or "none"), ("needed", needed or "none"), ("", advice)])


@template.command()
def sync(directory: Directory = None, as_json: AsJson = False) -> None:
    """Read the app's templates from WeChat; from then on a template that is not among them is refused."""
    with opened(directory) as runtime:
        count = runtime.catalogue.sync()
    if as_json:
        show_json({"templates": count})
    else:
        typer.echo(f"WeChat lists {count} templates")


@template.command("list")
def list_templates(directory: Directory = None, as_json: AsJson = False) -> None:
    """List the templates with their keywords, as they were last read."""
    with opened(directory) as runtime:
        known = runtime.catalogue.titles()
    keys = {number: [field.key for field in each.template.fields] for number, each in known.items() if each.template}
    if as_json:
        listed = [{"template_id": each, "title": known[each].title, "keywords": keys[each]} for each in sorted(keys)]
        show_json(listed)
    else:
        rows = [(each, known[each].title or "", ", ".join(keys[each])) for each in sorted(keys)]
        show_table(("template", "title", "keywords"), rows)


@template.command()
def policy(
    template_id: Annotated[str, typer.Argument(help="The template's id.", show_default=False)],
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
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Set by which rules a template is sent; what is not given stays as it is."""
    policies: Policies = {}
    if consent is not None:
        policies["consent"] = consent
    if in_doubt is not None:
        policies["in_doubt"] = in_doubt
    if daily_cap is not None:
        policies["daily_cap"] = daily_cap or None
    if not policies:
        raise InvalidInput(
            "--consent", "is not given, nor is another policy", "give --consent, --in-doubt, --daily-cap"
        )
    with opened(directory) as runtime:
        runtime.operations.set_policies(template_id, **policies)
    if as_json:
        show_json({"template_id": template_id, **policies})
    else:
        set_to = ", ".join(f"{name.replace('_', ' ')} {value or 'none'}" for name, value in policies.items())
        typer.echo(f"template {template_id}: {set_to}")
