"""`pushjobs consent …`: what users said yes to."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pushjobs.cli.options import FAILED, AsJson, Directory, opened
from pushjobs.cli.sending import rejections_as_json, show_rejections, tracked
from pushjobs.cli.shown import show_json, show_table
from pushjobs.files import open_consents

__all__ = ["consent"]

consent = typer.Typer(name="consent", help="What users said yes to, as far as we know.", no_args_is_help=True)

_ToUser = Annotated[str, typer.Option("--touser", help="The user's open id.", show_default=False)]
_TemplateId = Annotated[str, typer.Option("--template-id", help="The template's id.", show_default=False)]


@consent.command()
def show(touser: _ToUser, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show a user's consents, template by template."""
    with opened(directory) as runtime:
        known = runtime.producer.consent(touser)
    if as_json:
        show_json({template_id: asdict(each) for template_id, each in known.items()})
        return
    rows = [
        (template_id, str(each.credits), str(each.held), "yes" if each.is_standing else "")
        for template_id, each in known.items()
    ]
    show_table(("@template", "#credits", "#held", "standing"), rows)


@consent.command()
def grant(
    touser: _ToUser,
    template_id: _TemplateId,
    count: Annotated[int, typer.Option("--credits", help="For how many messages.")] = 1,
    standing: Annotated[bool, typer.Option("--standing", help="For all of the template's messages.")] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Note that a user said yes."""
    with opened(directory) as runtime:
        runtime.producer.grant(touser, template_id, count, standing=standing)
    if as_json:
        show_json({"granted": 1})
    else:
        typer.echo("granted a standing consent" if standing else f"granted {count}")


@consent.command()
def revoke(touser: _ToUser, template_id: _TemplateId, directory: Directory = None, as_json: AsJson = False) -> None:
    """Note that a user takes every consent to a template back."""
    with opened(directory) as runtime:
        runtime.producer.revoke(touser, template_id)
    if as_json:
        show_json({"revoked": 1})
    else:
        typer.echo("revoked")


@consent.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV in UTF-8.", show_default=False)],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Grant what a CSV lists.

    Its columns are touser, template_id, and if wanted credits and standing (true or false). Good rows are granted
    and bad ones listed; the exit status is 1 if there were any. Credits add up: a file that is imported twice
    counts twice.
    """
    with opened(directory) as runtime, open_consents(file) as rows:
        report = runtime.producer.grant_many(tracked(rows, rows.count, "granting"))
    if as_json:
        show_json(asdict(report) | rejections_as_json("rejected", report.rejected))
    else:
        typer.echo(f"granted {report.granted:,}, refused {report.rejected.total:,}")
        if report.rejected:
            show_rejections(report.rejected)
    if report.rejected:
        raise typer.Exit(FAILED)
