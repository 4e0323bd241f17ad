"""What new jobs lay claim to before they are stored: their idempotency keys, shared contents, messages of form ids.

All are rows that hold against races, taken in the accepting transaction and in this order: a repeat under a known
key is the job it made and takes no second message. What is refused here has taken nothing.
"""

from collections.abc import Mapping
from typing import Any

from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.job import JobId
from pushjobs.domain.message import FormIdKind
from pushjobs.errors import FormIdUsedUp, InvalidInput, InvalidMessage, KeyReused
from pushjobs.request import Request
from pushjobs.store import accepting, form_ids
from pushjobs.store.accepting import KeyClaim
from pushjobs.store.catalogue import App
from pushjobs.store.database import Transaction
from pushjobs.store.form_ids import Standing, Wanted
from pushjobs.store.sealing import Lookup

__all__ = ["Row", "claim"]

_RULE = (
    f"the id of a form serves {FormIdKind.FORM.messages} message, a prepay id (form_id_kind {FormIdKind.PREPAY}) "
    f"{FormIdKind.PREPAY.messages}"
)


@hot_value
class Row:
    """A readable row of a chunk, with the arguments it came from."""

    number: int
    arguments: Mapping[str, Any]
    request: Request


def claim(
    connection: Transaction, app: App, rows: Mapping[JobId, Row], *, lookup: Lookup
) -> dict[JobId, JobId | InvalidInput]:
    """Claim for each row what its job needs; return those not to be stored: the job it is already, or the refusal."""
    taken, reused = _claim_keys(connection, app.app_no, rows, lookup)
    known = taken.keys() | reused.keys()
    refused = _hold_contents(connection, {job_id: row for job_id, row in rows.items() if job_id not in known})
    left = {job_id: row for job_id, row in rows.items() if job_id not in known and job_id not in refused}
    legacy = {job_id: row for job_id, row in left.items() if row.request.message.is_legacy}
    refused |= _take_form_ids(connection, app, legacy, lookup)
    if keys := [key for job_id in refused if (key := rows[job_id].request.idempotency_key) is not None]:
        accepting.give_up_keys(connection, app.app_no, keys)
    # What repeats a refused row of its own chunk is no job either.
    repeats = {job_id: refused[known] for job_id, known in taken.items() if known in refused}
    return {**taken, **reused, **refused, **repeats}


def _claim_keys(
    connection: Transaction, app_no: int, rows: Mapping[JobId, Row], lookup: Lookup
) -> tuple[dict[JobId, JobId], dict[JobId, InvalidInput]]:
    """Take the rows' idempotency keys; return those that a job of the same body has, and those of another body."""
    claims: dict[str, KeyClaim] = {}
    asked: dict[JobId, tuple[str, bytes]] = {}
    for job_id, row in rows.items():
        if (key := row.request.idempotency_key) is not None:
            fingerprint = lookup.body(row.request.body(row.arguments))
            asked[job_id] = (key, fingerprint)
            # A key that stands twice in one chunk: the first row makes the job.
            claims.setdefault(
                key,
                KeyClaim(
                    app_no=app_no,
                    key=key,
                    fingerprint=fingerprint,
                    job_id=job_id,
                    expires_at=row.request.expires_at,
                ),
            )
    if not claims:
        return {}, {}
    owners = accepting.claim_keys(connection, list(claims.values()))
    taken: dict[JobId, JobId] = {}
    reused: dict[JobId, InvalidInput] = {}
    for job_id, (key, fingerprint) in asked.items():
        owner = owners[app_no, key]
        if owner.fingerprint != fingerprint:
            reused[job_id] = KeyReused("idempotency_key", "stands for another body", "use a new key for a new push")
        elif owner.job_id != job_id:
            taken[job_id] = owner.job_id
    return taken, reused


def _hold_contents(connection: Transaction, rows: Mapping[JobId, Row]) -> dict[JobId, InvalidInput]:
    """Keep the contents that the rows share; return the refusals of those whose content was pruned."""
    named = {job_id: row.request.content.content_no for job_id, row in rows.items() if row.request.content is not None}
    if not named:
        return {}
    held = accepting.hold_contents(connection, list(set(named.values())))
    gone = InvalidMessage("content", "is stored no longer, for no job has named it for long", "store it again")
    return {job_id: gone for job_id, number in named.items() if number not in held}


def _take_form_ids(
    connection: Transaction, app: App, legacy: Mapping[JobId, Row], lookup: Lookup
) -> dict[JobId, InvalidInput]:
    """Take a message of its form id for each of the rows; return the refusals of those for which there is none."""
    wanted = [
        Wanted(
            job_id=job_id,
            form_id=lookup.form_id(app.appid, form_id),
            messages=row.request.message.form_id_kind.messages,
            expires_at=row.request.expires_at,
        )
        for job_id, row in legacy.items()
        if (form_id := row.request.message.form_id) is not None
    ]
    if not wanted:
        return {}
    return {job_id: _refusal(stands) for job_id, stands in form_ids.take(connection, app.app_no, wanted).items()}


def _refusal(stands: Standing) -> InvalidMessage:
    if stands.is_void:
        return InvalidMessage("form_id", "is invalid or used up, as WeChat has answered", f"{_RULE}, within 7 days")
    holders = ", ".join(str(job_id) for job_id in stands.holders)
    return FormIdUsedUp(
        "form_id", f"has no message left for another job (job {holders})", f"{_RULE}; a cancelled job's is free again"
    )
