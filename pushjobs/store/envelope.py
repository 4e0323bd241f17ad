"""What the sealed columns hold, and what each is bound to.

A job's envelope holds the open id, the form id, and the content unless that is shared; it opens only in its own app
and for its own recipient. A shared content opens only in its app and for its template, an app's secrets only there.
"""

from collections.abc import Mapping
from typing import Any

from pushjobs.domain.message import Content, FormIdKind, Message
from pushjobs.errors import Undecryptable
from pushjobs.store.sealing import Sealer

__all__ = [
    "bound_app",
    "bound_campaign",
    "bound_content",
    "bound_job",
    "bound_member",
    "bound_push",
    "bound_webhook",
    "open_campaign",
    "open_member",
    "open_message",
    "open_push",
    "open_secrets",
    "open_touser",
    "seal_campaign",
    "seal_content",
    "seal_member",
    "seal_message",
    "seal_push",
    "seal_secrets",
]


def seal_message(sealer: Sealer, message: Message, *, appid: str, recipient: bytes, is_shared: bool) -> bytes:
    """Seal a job's message; a shared content is left out, for it is stored once elsewhere."""
    record: dict[str, object] = {"touser": message.touser}
    if message.form_id is not None:
        record |= {"form_id": message.form_id, "form_id_kind": message.form_id_kind}
    if not is_shared:
        record["content"] = message.content.as_record()
    return sealer.seal(record, bound_job(appid, recipient))


def seal_content(sealer: Sealer, content: Content, *, appid: str) -> bytes:
    """Seal a content that many jobs will share."""
    return sealer.seal(content.as_record(), bound_content(appid, content.template_id))


def open_message(
    sealer: Sealer, *, sealed: bytes, sealed_content: bytes | None, appid: str, recipient: bytes, template_id: str
) -> Message:
    """Open a job's message, its own content or the shared one; raise Undecryptable."""
    record = sealer.open(sealed, bound_job(appid, recipient))
    content = record.get("content")
    if sealed_content is not None:
        content = sealer.open(sealed_content, bound_content(appid, template_id))
    if content is None:
        raise Undecryptable("the content that the job shares is not there")
    return Message(
        touser=record["touser"],
        content=Content.from_record(content),
        form_id=record.get("form_id"),
        form_id_kind=FormIdKind(record.get("form_id_kind", FormIdKind.FORM)),
    )


def open_touser(sealer: Sealer, sealed: bytes, *, appid: str, recipient: bytes) -> str:
    """Open whom a job is for; raise Undecryptable."""
    return str(sealer.open(sealed, bound_job(appid, recipient))["touser"])


def seal_push(sealer: Sealer, record: dict[str, str], *, appid: str, key: bytes) -> bytes:
    """Seal what a callback brought, to be forwarded."""
    return sealer.seal(record, bound_push(appid, key))


def open_push(sealer: Sealer, sealed: bytes, *, appid: str, key: bytes) -> dict[str, Any]:
    """Open a push; raise Undecryptable."""
    record: dict[str, Any] = sealer.open(sealed, bound_push(appid, key))
    return record


def seal_secrets(sealer: Sealer, secrets: dict[str, str], *, appid: str) -> bytes:
    """Seal an app's secrets, by name."""
    return sealer.seal(secrets, bound_app(appid))


def seal_campaign(sealer: Sealer, record: Mapping[str, Any], *, appid: str, key: str) -> bytes:
    """Seal a campaign's audience and content: an address may hold a password, and a content is one."""
    return sealer.seal(record, bound_campaign(appid, key))


def open_campaign(sealer: Sealer, sealed: bytes, *, appid: str, key: str) -> Mapping[str, Any]:
    """Open what a campaign or a run of it seals; raise Undecryptable."""
    record: Mapping[str, Any] = sealer.open(sealed, bound_campaign(appid, key))
    return record


def seal_member(sealer: Sealer, touser: str, columns: Mapping[str, str], *, appid: str, recipient: bytes) -> bytes:
    """Seal a row of an uploaded audience."""
    record = {"touser": touser, "columns": dict(columns)} if columns else {"touser": touser}
    return sealer.seal(record, bound_member(appid, recipient))


def open_member(sealer: Sealer, sealed: bytes, *, appid: str, recipient: bytes) -> tuple[str, Mapping[str, str]]:
    """Open a row of an uploaded audience: the open id and the columns; raise Undecryptable."""
    record = sealer.open(sealed, bound_member(appid, recipient))
    return record["touser"], record.get("columns", {})


def open_secrets(sealer: Sealer, sealed: bytes, *, appid: str) -> dict[str, str]:
    """Open an app's secrets; raise Undecryptable."""
    secrets: dict[str, str] = sealer.open(sealed, bound_app(appid))
    return secrets


def bound_job(appid: str, recipient: bytes) -> bytes:
    """Return what a job's message is bound to."""
    return b"jobs\0" + appid.encode() + b"\0" + recipient


def bound_content(appid: str, template_id: str) -> bytes:
    """Return what a shared content is bound to."""
    return b"contents\0" + appid.encode() + b"\0" + template_id.encode()


def bound_push(appid: str, key: bytes) -> bytes:
    """Return what a push is bound to."""
    return b"pushes\0" + appid.encode() + b"\0" + key


def bound_campaign(appid: str, key: str) -> bytes:
    """Return what a campaign's audience and content are bound to, in its own row and in its runs'."""
    return b"campaigns\0" + appid.encode() + b"\0" + key.encode()


def bound_member(appid: str, recipient: bytes) -> bytes:
    """Return what a row of an uploaded audience is bound to."""
    return b"audience_members\0" + appid.encode() + b"\0" + recipient


def bound_webhook(client_id: str) -> bytes:
    """Return what the secret that signs a client's outcomes is bound to."""
    return b"webhooks\0" + client_id.encode()


def bound_app(appid: str) -> bytes:
    """Return what an app's secrets are bound to."""
    return b"apps\0" + appid.encode()
