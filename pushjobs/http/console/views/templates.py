"""*Templates*: what each must hold, by which rules it is sent, what became of it in a day, whether it is held."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from pushjobs import clock
from pushjobs.domain.content_check import NOT_ASKED, CheckRules
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.pause import Pause
from pushjobs.domain.template import Template
from pushjobs.errors import InvalidInput, NotFound
from pushjobs.http.console.visit import Answer, Page, Shown, Visit
from pushjobs.overview import Became, Overview
from pushjobs.rejections import Rejection
from pushjobs.store.templates import Standing
from pushjobs.wechat.errcodes import meaning
from pushjobs.wechat.fields import rule, value_type

__all__ = ["PAGES"]

_PLACE = "templates"
_A_DAY = timedelta(days=1)
_COLUMNS: Mapping[str, tuple[Transition, ...]] = {
    "sent": (Transition.DELIVER,),
    "refused": (Transition.REFUSE, Transition.REJECT, Transition.EXPIRE),
    "put_off": (Transition.POSTPONE, Transition.DEFER),
    "dead": (Transition.GIVE_UP,),
    "in_doubt": (Transition.DOUBT,),
}
_LARGEST_SAMPLE = 20_000
_SOMEBODY = "oSample0000000000000000000001"
"""In place of an open id: what is looked through goes to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    template_id: str
    title: str | None
    template: Template | None
    standing: Standing
    check: CheckRules
    pauses: Sequence[Pause]
    became: Mapping[str, int]


def _templates(visit: Visit) -> Answer:
    became = Overview(visit.runtime).became(visit.seen, since=clock.now() - _A_DAY)
    rows = _rows(visit, became)
    rows.sort(key=lambda row: (not row.pauses, -sum(row.became.values()), row.title or row.template_id))
    values = {
        "rows": rows,
        "columns": list(_COLUMNS),
        "is_read": visit.app.catalogue.app.is_synced,
        "pauses": [each for each in visit.may.pauses(visit.appid) if each.template_id is None],
    }
    return Shown(template="templates.html", values=values)


def _template(visit: Visit) -> Answer:
    return _shown(visit)


def _shown(
    visit: Visit, *, sample: str = "", faults: Sequence[Rejection] | None = None, fault: InvalidInput | None = None
) -> Shown:
    template_id = visit.path["id"]
    became = Overview(visit.runtime).became(visit.seen, since=clock.now() - _A_DAY)
    row = next((each for each in _rows(visit, became) if each.template_id == template_id), None)
    if row is None:
        raise NotFound("there is no such template")
    of_it = [each for each in became if (each.appid, each.template_id) == (visit.appid, template_id)]
    values = {
        "row": row,
        "fields": [] if row.template is None else [_field(each) for each in row.template.fields],
        "became": of_it,
        "meanings": {each.errcode: meaning(each.errcode) for each in of_it if each.errcode is not None},
        "sample": sample or _example(row.template),
        "faults": faults,
        "fault": fault,
        "most_faults": visit.runtime.settings.faults_in_a_row,
    }
    return Shown(template="template.html", values=values)


def _lint(visit: Visit) -> Answer:
    """Look through a sample, and say every fault of it by its field; nothing is stored, sent or written down."""
    template_id, written = visit.path["id"], visit.field("sample")
    try:
        row = _read_sample(written)
        arguments = {**row, "touser": _SOMEBODY, "template_id": template_id, "appid": visit.appid}
        checked = visit.runtime.producer.check([arguments])
    except InvalidInput as refusal:
        return _shown(visit, sample=written, fault=refusal)
    return _shown(visit, sample=written, faults=checked.faults)


def _read_sample(written: str) -> dict[str, Any]:
    """Read a sample: the whole of a request, or its `data` alone."""
    if len(written) > _LARGEST_SAMPLE:
        raise InvalidInput("sample", "is too long", f"give at most {_LARGEST_SAMPLE:,} characters")
    try:
        read = orjson.loads(written)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput("sample", f"is no JSON ({where})", 'write {"thing1": "…"}, or a whole request') from None
    if not isinstance(read, dict):
        raise InvalidInput("sample", "is no object", 'write {"thing1": "…"}, or a whole request')
    return read if "data" in read else {"data": read}


def _rows(visit: Visit, became: Sequence[Became]) -> list[_Row]:
    known, known_titles = visit.may.templates(visit.appid), visit.app.browsing.templates()
    pauses = visit.may.pauses(visit.appid)
    counted: dict[str, Counter[str]] = {}
    for each in became:
        if each.appid == visit.appid:
            for column, transitions in _COLUMNS.items():
                if each.transition in transitions:
                    counted.setdefault(each.template_id, Counter())[column] += each.jobs
    return [
        _Row(
            template_id=template_id,
            title=known_titles.get(template_id),
            template=known[template_id].template if template_id in known else None,
            standing=standing,
            check=known[template_id].check if template_id in known else NOT_ASKED,
            pauses=[pause for pause in pauses if pause.template_id == template_id],
            became=counted.get(template_id, {}),
        )
        for template_id, standing in visit.app.inspection.templates().items()
        if visit.client.may(template_id=template_id)
    ]


def _field(field: Any) -> dict[str, Any]:  # noqa: ANN401 - a TemplateField
    kind = value_type(field.key)
    return {
        "key": field.key,
        "name": field.name,
        "allowed": field.allowed,
        "rule": "" if kind is None else rule(kind),
    }


def _example(template: Template | None) -> str:
    """Return the data of a message to be filled in."""
    keys = [] if template is None else [each.key for each in template.fields]
    return orjson.dumps(dict.fromkeys(keys, ""), option=orjson.OPT_INDENT_2).decode()


PAGES = (
    Page(path="/console/templates", view=_templates, entry=_PLACE),
    Page(path="/console/templates/{id}", view=_template, place=_PLACE),
    Page(path="/console/templates/{id}/lint", view=_lint, method="POST", place=_PLACE),
)
