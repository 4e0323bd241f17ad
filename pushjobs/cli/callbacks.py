"""`pushjobs callback …`: what WeChat told, and what is not done with."""

import typer

from pushjobs.cli.options import AsJson, Directory, opened
from pushjobs.cli.shown import local, show_json, show_pairs, show_table

__all__ = ["callback"]

callback = typer.Typer(name="callback", help="What WeChat tells by itself.", no_args_is_help=True)


@callback.command()
def show(directory: Directory = None, as_json: AsJson = False) -> None:
    """Show what WeChat told and is not done with.

    That is what waits to be applied or forwarded, and the receipts that found no job.
    """
    with opened(directory) as runtime:
        zone, now = runtime.zone, runtime.inspection.callbacks()
    if as_json:
        show_json(now)
        return
    counted = {"waiting": now.waiting, "to forward": now.to_forward, "dead": now.dead, "left": len(now.left)}
    show_pairs((name, f"{count:,}") for name, count in counted.items())
    if now.left:
        rows = [
            (
                local(each.happened_at, zone),
                str(each.msgid or ""),
                each.template_id,
                "" if each.errcode is None else str(each.errcode),
                each.status or "",
            )
            for each in now.left
        ]
        show_table((f"at ({zone.key})", "#msgid", "@template", "#code", "status"), rows)


@callback.command()
def forward(directory: Directory = None, as_json: AsJson = False) -> None:
    """Try the app's own door again with what it did not take.

    Those are the callbacks that were tried for most of a day, and given up.
    """
    with opened(directory) as runtime:
        count = runtime.operations.forward_again()
    if as_json:
        show_json({"to_forward": count})
    else:
        typer.echo(f"{count:,} to be forwarded again")
