"""One job a key: which of the idempotency keys asked for are taken, by a job of the same body or of another.

A key is claimed in the transaction that stores its job, so that of two who ask at once one waits for the other.
"""

from collections.abc import Mapping
from typing import Any

from pushjobs.domain.job import JobId
from pushjobs.errors import KeyReused
from pushjobs.request import Request
from pushjobs.store import accepting
from pushjobs.store.accepting import KeyClaim
from pushjobs.store.database import Transaction
from pushjobs.store.sealing import Lookup

__all__ = ["claim_keys"]


def claim_keys(
    connection: Transaction,
    asked: Mapping[JobId, tuple[Request, Mapping[str, Any]]],
    *,
    app_no: int,
    lookup: Lookup,
) -> dict[JobId, JobId | KeyReused]:
    """Take the keys of requests, each with the arguments it came from, for the jobs they are to make.

    Return those that are taken: with the job that was made for the same body, or with a refusal.
    """
    claims: dict[str, KeyClaim] = {}
    fingerprints: dict[JobId, tuple[str, bytes]] = {}
    for job_id, (request, arguments) in asked.items():
        if (key := request.idempotency_key) is not None:
            fingerprint = lookup.body(request.body(arguments))
            fingerprints[job_id] = (key, fingerprint)
            claim = KeyClaim(
                app_no=app_no, key=key, fingerprint=fingerprint, job_id=job_id, expires_at=request.expires_at
            )
            # A key that stands twice in one chunk: the first row makes the job.
            claims.setdefault(key, claim)
    if not claims:
        return {}
    owners = accepting.claim_keys(connection, list(claims.values()))
    taken: dict[JobId, JobId | KeyReused] = {}
    for job_id, (key, fingerprint) in fingerprints.items():
        owner = owners[app_no, key]
        if owner.fingerprint != fingerprint:
            taken[job_id] = KeyReused("idempotency_key", "stands for another body", "use a new key for a new push")
        elif owner.job_id != job_id:
            taken[job_id] = owner.job_id
    return taken
