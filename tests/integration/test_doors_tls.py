"""TLS at the doors, by certificate files; and whose word counts where a proxy speaks it instead."""

import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.doors_process import doors_process

FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Request-Id": "asked"}


@pytest.fixture
def trust(authority: Path) -> ssl.SSLContext:
    """A caller's side of TLS, which believes that certificate only."""
    context = ssl.create_default_context(cafile=str(authority))
    context.check_hostname = False  # its name is localhost, and an address is called
    return context


def split(authority: Path, directory: Path) -> dict[str, str]:
    """Write the certificate and its key into a file each; return the settings that name them."""
    certificate, _, key = authority.read_text().partition("-----BEGIN PRIVATE KEY-----")
    (directory / "certificate.pem").write_text(certificate)
    (directory / "key.pem").write_text("-----BEGIN PRIVATE KEY-----" + key)
    return {
        "PUSHJOBS_HTTP_CERTIFICATE": str(directory / "certificate.pem"),
        "PUSHJOBS_HTTP_KEY": str(directory / "key.pem"),
    }


def test_speaks_tls_with_a_certificate(
    environment: dict[str, str], authority: Path, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    """Whoever trusts the certificate is answered, by TLS 1.2 or later; plain HTTP is not."""
    with doors_process(environment | split(authority, tmp_path), scheme="https", verify=trust) as (process, client):
        assert client.get("/healthz", headers={"X-Request-Id": "secure"}).text == "ok"
        assert process.answered("secure")["scheme"] == "https"
        address = f"127.0.0.1:{process.port}"
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{address}/healthz", trust_env=False, timeout=5)
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"https://{address}/healthz", trust_env=False, timeout=5)
        trust.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        trust.maximum_version = ssl.TLSVersion.TLSv1_2
        assert httpx.get(f"https://{address}/healthz", trust_env=False, timeout=5, verify=trust).text == "ok"


def test_one_file_may_hold_both(environment: dict[str, str], authority: Path, trust: ssl.SSLContext) -> None:
    """A certificate's file may hold its key, too."""
    both = environment | {"PUSHJOBS_HTTP_CERTIFICATE": str(authority)}
    with doors_process(both, scheme="https", verify=trust) as (_, client):
        assert client.get("/healthz").text == "ok"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"PUSHJOBS_HTTP_KEY": "key.pem"}, "PUSHJOBS_HTTP_CERTIFICATE is missing"),
        ({"PUSHJOBS_HTTP_CERTIFICATE": "nowhere.pem"}, "cannot be read (No such file or directory)"),
        ({"PUSHJOBS_HTTP_CERTIFICATE": "certificate.pem"}, "are no certificate and its key"),
        ({"PUSHJOBS_HTTP_CERTIFICATE": "certificate.pem", "PUSHJOBS_HTTP_KEY": "other.pem"}, "KEY_VALUES_MISMATCH"),
        ({"PUSHJOBS_HTTP_CERTIFICATE": "certificate.pem", "PUSHJOBS_HTTP_KEY": "sealed.pem"}, "without a password"),
        ({"PUSHJOBS_TRUSTED_PROXIES": "*"}, "PUSHJOBS_TRUSTED_PROXIES: holds what is no address"),
    ],
)
def test_files_that_are_none_end_it(
    environment: dict[str, str], authority: Path, tmp_path: Path, files: dict[str, str], said: str
) -> None:
    """Wrong files or proxies end the process at once with 2 and one line; a password is never asked for."""
    split(authority, tmp_path)
    other = ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "other.pem").write_bytes(other.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    sealing = serialization.BestAvailableEncryption(b"secret")
    (tmp_path / "sealed.pem").write_bytes(other.private_bytes(pem, pkcs8, sealing))
    done = subprocess.run(
        [sys.executable, "-m", "pushjobs.http", "--port", "0"],
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])} | files,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


@pytest.mark.parametrize(
    ("proxies", "address", "scheme"),
    [
        ("", "127.0.0.1", "http"),
        ("10.0.0.0/8, 192.0.2.1", "127.0.0.1", "http"),
        ("127.0.0.0/8", "203.0.113.9", "https"),
        ("127.0.0.1", "203.0.113.9", "https"),
    ],
)
def test_a_proxy_s_word_counts_if_it_is_trusted(
    environment: dict[str, str], proxies: str, address: str, scheme: str
) -> None:
    """Who called, and how, is what a trusted proxy says; from anybody else those headers are nothing."""
    with doors_process(environment | {"PUSHJOBS_TRUSTED_PROXIES": proxies}) as (process, client):
        assert client.get("/healthz", headers=FORWARDED).status_code == 200
        line = process.answered("asked")
    assert (line["address"], line["scheme"]) == (address, scheme)
