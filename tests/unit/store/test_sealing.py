"""Encryption at rest: what opens a sealed value, what does not, and what the hashes tell."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushjobs.domain.message import Content, FormIdKind, Message
from pushjobs.errors import Undecryptable
from pushjobs.store import envelope
from pushjobs.store.sealing import RENEWAL_SECONDS, Lookup, Sealer, key_id

OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 32
HERE, ELSEWHERE = b"jobs\0wx1\0" + b"r" * 16, b"jobs\0wx2\0" + b"r" * 16

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@given(JSON, st.binary(max_size=50))
def test_opens_what_it_sealed(value: Any, bound_to: bytes) -> None:  # noqa: ANN401 - JSON has no narrower type
    """Any JSON value comes back as it went in, where it belongs."""
    sealer = Sealer([NEW])
    assert sealer.open(sealer.seal(value, bound_to), bound_to) == value


def test_the_newest_key_seals_and_every_key_opens() -> None:
    """After a rotation old values still open, and new ones do not open with the old key alone."""
    rotated = Sealer([NEW, OLD])
    assert rotated.open(Sealer([OLD]).seal("前", HERE), HERE) == "前"
    with pytest.raises(Undecryptable, match="ENCRYPTION_KEYS"):
        Sealer([OLD]).open(rotated.seal("后", HERE), HERE)


def test_a_running_process_finds_a_key_that_was_put_first() -> None:
    """A value that names an unknown key makes the ring be read anew, and what is sealed from then on names the key."""
    ring = [[NEW, OLD]]
    running = Sealer([OLD], renewed=lambda: ring.pop() if ring else None)
    assert running.open(Sealer([NEW]).seal("后", HERE), HERE) == "后"
    assert running.key_ids == (key_id(NEW), key_id(OLD))
    assert Sealer([NEW]).open(running.seal("再", HERE), HERE) == "再"
    with pytest.raises(Undecryptable):
        running.open(Sealer([FOREIGN]).seal("外", HERE), HERE)


def test_who_only_seals_looks_for_a_new_key_every_two_seconds() -> None:
    """A producer, which opens nothing, seals with a key that is not the first any more for two seconds at most."""
    running = Sealer([OLD], renewed=lambda: [NEW, OLD])
    assert running.seal("前", HERE)[1:5] == key_id(OLD)
    running._looked_at -= RENEWAL_SECONDS
    assert running.seal("后", HERE)[1:5] == key_id(NEW)


def test_what_is_sealed_anew_is_the_same_value_under_the_newest_key() -> None:
    """Sealing anew needs the old key, and keeps what the value is bound to."""
    ring = Sealer([NEW, OLD])
    fresh = ring.reseal(Sealer([OLD]).seal({"touser": "o"}, HERE), HERE)
    assert Sealer([NEW]).open(fresh, HERE) == {"touser": "o"}
    with pytest.raises(Undecryptable):
        ring.reseal(fresh, ELSEWHERE)


def test_a_value_opens_only_where_it_belongs() -> None:
    """A sealed value copied to another app's row does not open there."""
    sealer = Sealer([NEW])
    with pytest.raises(Undecryptable, match="belong"):
        sealer.open(sealer.seal("值", HERE), ELSEWHERE)


@given(st.data())
def test_no_altered_value_opens(data: st.DataObject) -> None:
    """Whatever byte is changed, and wherever the value is cut off, it is refused as undecryptable."""
    sealer = Sealer([NEW])
    sealed = sealer.seal({"touser": "oUser"}, HERE)
    place = data.draw(st.integers(0, len(sealed) - 1))
    flipped = sealed[:place] + bytes([sealed[place] ^ data.draw(st.integers(1, 255))]) + sealed[place + 1 :]
    for damaged in (flipped, sealed[:place]):
        with pytest.raises(Undecryptable):
            sealer.open(damaged, HERE)


def test_equal_values_are_sealed_differently() -> None:
    """Sealing twice gives different bytes, none of which hold the value."""
    sealer = Sealer([NEW])
    once, twice = sealer.seal("oUser000001", HERE), sealer.seal("oUser000001", HERE)
    assert once != twice
    assert b"oUser000001" not in once + twice


def test_a_recipient_is_found_by_app_and_key() -> None:
    """The same user of the same app has the same hash under the same key, and another under any other."""
    lookup = Lookup(NEW)
    hashes = {
        lookup.recipient("wx1", "oUser"),
        lookup.recipient("wx1", "oUser2"),
        lookup.recipient("wx2", "oUser"),
        Lookup(FOREIGN).recipient("wx1", "oUser"),
    }
    assert lookup.recipient("wx1", "oUser") in hashes
    assert len(hashes) == 4
    assert {len(each) for each in hashes} == {16}


def test_a_form_id_is_found_by_app_and_key() -> None:
    """A form id's hash is of its app and key, and never that of a user of the same name."""
    lookup = Lookup(NEW)
    hashes = {
        lookup.form_id("wx1", "F1"),
        lookup.form_id("wx1", "F2"),
        lookup.form_id("wx2", "F1"),
        lookup.recipient("wx1", "F1"),
        Lookup(FOREIGN).form_id("wx1", "F1"),
    }
    assert lookup.form_id("wx1", "F1") in hashes
    assert len(hashes) == 5
    assert {len(each) for each in hashes} == {16}


def test_a_body_has_one_fingerprint_in_any_order() -> None:
    """Bodies that say the same have the same fingerprint, however their names are ordered."""
    lookup = Lookup(NEW)
    assert lookup.body({"a": 1, "b": {"c": 2, "d": 3}}) == lookup.body({"b": {"d": 3, "c": 2}, "a": 1})
    assert lookup.body({"a": 1}) != lookup.body({"a": 2})
    assert lookup.body({"a": 1}) != Lookup(FOREIGN).body({"a": 1})


def test_a_keys_fingerprint_names_it_without_telling_it() -> None:
    """A lookup key's fingerprint differs from another's and holds nothing of the key."""
    assert Lookup(NEW).fingerprint == Lookup(NEW).fingerprint != Lookup(FOREIGN).fingerprint
    assert NEW.hex() not in Lookup(NEW).fingerprint


@pytest.mark.parametrize("form_id", [None, "form-1"])
@pytest.mark.parametrize("is_shared", [False, True])
def test_an_envelope_gives_the_message_back(form_id: str | None, is_shared: bool) -> None:
    """A message comes back whole, whether its content was sealed with it or once for many."""
    sealer, appid, recipient = Sealer([NEW]), "wx1", b"r" * 16
    content = Content(template_id="tpl", data=(("thing1", "第一条"),), page="index?id=1")
    message = Message(touser="oUser", content=content, form_id=form_id, form_id_kind=FormIdKind.PREPAY)
    if form_id is None:
        message = Message(touser="oUser", content=content)
    sealed = envelope.seal_message(sealer, message, appid=appid, recipient=recipient, is_shared=is_shared)
    opened = envelope.open_message(
        sealer,
        sealed=sealed,
        sealed_content=envelope.seal_content(sealer, content, appid=appid) if is_shared else None,
        appid=appid,
        recipient=recipient,
        template_id="tpl",
    )
    assert opened == message


@pytest.mark.parametrize("length", [1, 32, 64, 65, 200])
def test_a_user_s_hash_is_hmac_s(length: int) -> None:
    """The blind index is HMAC-SHA-256, whatever the key's length, and stays what it was: all users hang on it."""
    key = bytes(range(length))
    expected = hmac.digest(key, b"wx1\0oUser", hashlib.sha256)[:16]
    assert Lookup(key).recipient("wx1", "oUser") == expected
