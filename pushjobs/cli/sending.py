"""`pushjobs send`: one push from options or from a file of WeChat's form, or many from a CSV."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from pushjobs.cli.options import FAILED, AsJson, Directory, Reference, TemplateId, ToUser, opened
from pushjobs.cli.shown import local, progress, show_json, show_table
from pushjobs.domain.job import Lane, OnQuota
from pushjobs.domain.message import FormIdKind
from pushjobs.errors import InvalidInput
from pushjobs.files import open_jobs, read_request_file
from pushjobs.producer import Report
from pushjobs.rejections import Rejected

__all__ = ["rejections_as_json", "send", "show_rejections", "tracked"]


def send(  # noqa: PLR0913 - one argument an option
    *,
    touser: ToUser = None,
    template_id: TemplateId = None,
    page: Annotated[str | None, typer.Option(help="The page its card opens.", show_default=False)] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="A keyword as thing1=text, may be repeated; or all as JSON.", show_default=False),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(help='"2026-12-01 08:00:00" in the app\'s zone, or ISO 8601; else now.', show_default=False),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="After this it is not sent any more; else 48 hours.", show_default=False)
    ] = None,
    lane: Annotated[Lane | None, typer.Option(help="Else urgent, from a CSV bulk.", show_default=False)] = None,
    on_quota: Annotated[
        OnQuota | None, typer.Option(help="What to do when the user's daily quota is used up.", show_default=False)
    ] = None,
    reference: Reference = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key makes one job, however often it is sent.", show_default=False)
    ] = None,
    form_id: Annotated[str | None, typer.Option(help="Legacy: a form id.", show_default=False)] = None,
    form_id_kind: Annotated[
        FormIdKind | None, typer.Option(help="Legacy: prepay for the id of a payment.", show_default=False)
    ] = None,
    emphasis_keyword: Annotated[
        str | None, typer.Option(help="Legacy: the keyword to show large.", show_default=False)
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="A file with one request as JSON; options go over it.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A CSV of jobs; alone, with no other option of a job.", show_default=False)
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Schedule one push, or with --file many.

    From a CSV the good rows are accepted and the bad ones listed; the exit status is 1 if there were any. Its first
    line names the columns: touser, template_id and data (JSON, or a column for each keyword: data.thing1), and what
    else `send` takes; `after` stands for a time in so many seconds.
    """
    given = {
        "touser": touser,
        "template_id": template_id,
        "page": page,
        "data": read_data(data) if data else None,
        "time": time,
        "expires": expires,
        "lane": lane,
        "on_quota": on_quota,
        "reference": reference,
        "idempotency_key": idempotency_key,
        "form_id": form_id,
        "form_id_kind": form_id_kind,
        "emphasis_keyword": emphasis_keyword,
    }
    arguments = {name: value for name, value in given.items() if value is not None}
    if file is None:
        _send_one({**(read_request_file(from_) if from_ else {}), **arguments}, directory, as_json=as_json)
    elif arguments or from_:
        raise InvalidInput("--file", "stands beside other options of a job", "write them as columns of the CSV")
    else:
        _send_file(file, directory, as_json=as_json)


def read_data(values: Sequence[str]) -> dict[str, Any]:
    """Read what `--data` was given: `thing1=text`, or a JSON object of keywords; repeats are gathered."""
    gathered: dict[str, Any] = {}
    for value in values:
        for key, text in _keywords(value).items():
            if key in gathered:
                raise InvalidInput("--data", "names a keyword twice", "give each keyword once")
            gathered[key] = text
    return gathered


def show_rejections(rejected: Rejected) -> None:
    """Write which rows were refused, and why."""
    rows = [(str(each.row), each.field, each.reason) for each in rejected]
    show_table(("#row", "field", "reason"), rows, title="Refused rows (row 1 is the first below the header)")
    if rejected.total > len(rejected):
        typer.echo(f"and {rejected.total - len(rejected):,} more, which are not listed")


def rejections_as_json(name: str, rejected: Rejected) -> dict[str, object]:
    """Return what was refused as JSON has it, under this name, and how much there is that is not listed."""
    return {name: [each._asdict() for each in rejected], "not_listed": rejected.total - len(rejected)}


def tracked(rows: Iterable[Mapping[str, Any]], count: int, description: str) -> Iterator[Mapping[str, Any]]:
    """Pass rows on, with a progress bar that counts them."""
    with progress() as bar:
        yield from bar.track(rows, total=count, description=description)


def _send_one(arguments: Mapping[str, Any], directory: Path | None, *, as_json: bool) -> None:
    with opened(directory) as runtime:
        zone, job = runtime.zone, runtime.producer.send(**arguments)
    if as_json:
        show_json(job)
    else:
        typer.echo(f"job {job.id} is scheduled for {local(job.time, zone)} ({zone.key})")


def _send_file(path: Path, directory: Path | None, *, as_json: bool) -> None:
    with opened(directory) as runtime, open_jobs(path) as rows:
        report = runtime.producer.send_many(tracked(rows, rows.count, "scheduling"))
    if as_json:
        show_json(asdict(report) | rejections_as_json("rejected", report.rejected))
    else:
        _show_report(report)
    if report.rejected:
        raise typer.Exit(FAILED)


def _show_report(report: Report) -> None:
    known = f", {report.known:,} known already by their idempotency key" if report.known else ""
    typer.echo(f"accepted {report.accepted:,}{known}, refused {report.rejected.total:,}")
    if report.rejected:
        show_rejections(report.rejected)


def _keywords(value: str) -> dict[str, Any]:
    if value.lstrip().startswith("{"):
        try:
            keywords = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise InvalidInput("--data", f"is no JSON ({error.msg}, character {error.pos + 1})", _DATA_RULE) from None
        return dict(keywords)
    key, equals, text = value.partition("=")
    if not equals or not key:
        raise InvalidInput("--data", "has no keyword in front of an equals sign", _DATA_RULE)
    return {key: text}


_DATA_RULE = """write --data thing1=text, or --data '{"thing1": "text"}'"""
