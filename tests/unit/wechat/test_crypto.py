"""Signatures and encryption of callbacks, compared to the byte with the vectors of WeChat and of its SDKs."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushjobs.wechat.crypto import Cipher, is_signed, signature
from tests.unit.wechat.callback_vectors import (
    ENCRYPTED_EVENT,
    ENCRYPTED_PUSH,
    ENCRYPTED_REPLY,
    EVENT,
    KEY,
    OFFICIAL_APPID,
    PUSH,
    TOKEN,
)

OFFICIAL = Cipher(KEY, OFFICIAL_APPID)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((TOKEN, "1714036504", "1514711492"), "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        ((TOKEN, "1714037059", "486452656"), "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
        ((TOKEN, "1714112445", "415670741"), "6c5c811b55cc85e0e1b54100749188c20beb3f5d"),
        ((TOKEN, "1714112445", "415670741", ENCRYPTED_PUSH), "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"),
        ((TOKEN, "1713424427", "415670741", ENCRYPTED_REPLY), "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"),
        (("test", "1410685589", "test"), "f21891de399b4e33a1a93c9a7b8a8fffb5a443ff"),
        ((TOKEN, "1620963428", "20260101"), "4bd0a12a8f3a07ae91c1c21931931f2b8aa226a0"),
        ((TOKEN, "1620963428", "20260101", ENCRYPTED_EVENT), "f1961a3e48a2d1973173c5cf6a07151ec88ae91e"),
    ],
    ids=["handshake", "plain", "secure, plain", "secure", "reply", "wechatpy", "own, plain", "own"],
)
def test_signs_as_wechat_does(parts: tuple[str, ...], expected: str) -> None:
    """Token, timestamp, nonce and the encrypted message give the published signature, in whatever order."""
    assert signature(*parts) == signature(*reversed(parts)) == expected
    assert is_signed(expected, *parts)


@pytest.mark.parametrize("given_", ["", "f464", "F464B24FC39322E44B38AA78F5EDD27BD1441696", "签名"])
def test_another_signature_is_none(given_: str) -> None:
    """Nothing but the signature itself passes, whatever its length or alphabet."""
    assert not is_signed(given_, TOKEN, "1714036504", "1514711492")


@pytest.mark.parametrize(
    ("encrypted", "message", "random"),
    [
        (ENCRYPTED_PUSH, PUSH, b"a8eedb185eb2fecf"),
        (ENCRYPTED_REPLY, b'{"demo_resp":"good luck"}', b"707722b803182950"),
        (ENCRYPTED_EVENT, EVENT, b"0123456789abcdef"),
    ],
    ids=["push", "reply", "event"],
)
def test_encrypts_and_decrypts_the_vectors_to_the_byte(encrypted: str, message: bytes, random: bytes) -> None:
    """The published ciphertexts open to the published messages, and the same random bytes give them back."""
    assert OFFICIAL.decrypt(encrypted) == message
    assert OFFICIAL.encrypt(message, random=random) == encrypted


def test_decrypts_what_wechatpy_encrypted() -> None:
    """The handshake of another SDK's tests, under a key that is not all one letter, opens too."""
    cipher = Cipher("kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR", "wx49f0ab532d5d035a")
    echo = "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q=="
    assert is_signed("dd6b9c95b495b3f7e2901bfbc76c664930ffdb96", "123456", "1411443780", "437374425", echo)
    assert cipher.decrypt(echo) == b"5927782489442352469"


@given(message=st.binary(max_size=200))
def test_what_was_encrypted_opens_again(message: bytes) -> None:
    """Any message of any length comes back, and no two encryptions of it are alike."""
    encrypted = OFFICIAL.encrypt(message)
    assert OFFICIAL.decrypt(encrypted) == message
    assert OFFICIAL.encrypt(message) != encrypted


@pytest.mark.parametrize(
    ("encrypted", "fault"),
    [
        ("not base64!", "is not base64"),
        ("密文", "is not base64"),
        ("", "was encrypted under another key"),
        (base64.b64encode(b"x" * 17).decode(), "was encrypted under another key"),
        (base64.b64encode(b"x" * 64).decode(), "was encrypted under another key"),
        (Cipher("B" * 43, OFFICIAL_APPID).encrypt(EVENT), "was encrypted under another key"),
        (Cipher(KEY, "wxanother").encrypt(EVENT), "was encrypted for another app"),
    ],
    ids=["letters", "unicode", "empty", "length", "padding", "key", "app"],
)
def test_what_is_not_for_this_app_does_not_open(encrypted: str, fault: str) -> None:
    """Each way of being wrong is named, and none of them shows what was inside."""
    with pytest.raises(ValueError, match=f"^{fault}$"):
        OFFICIAL.decrypt(encrypted)


def opened(encrypted: str) -> str:
    """Say what becomes of a ciphertext."""
    try:
        OFFICIAL.decrypt(encrypted)
    except ValueError as fault:
        return str(fault)
    return "opens"


@given(sealed=st.binary(max_size=120))
def test_no_bytes_break_it(sealed: bytes) -> None:
    """Whatever arrives either opens or is refused in words of ours."""
    words = {"opens", "was encrypted under another key", "was encrypted for another app"}
    assert opened(base64.b64encode(sealed).decode()) in words
