"""What these tests share: the producer's verbs, questions to its tables, sessions of an application's, certificates."""

import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis import Redis
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from pushjobs import clock
from pushjobs.producer import Producer
from pushjobs.queue import QueueName
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings


@pytest.fixture
def worker(sandbox: SandboxClient, runtime: Runtime) -> Runtime:
    """A runtime that calls the sandbox, whose address is among the settings by then."""
    assert sandbox is not None
    return runtime


@pytest.fixture
def producer(runtime: Runtime) -> Producer:
    """The verbs of application code; the catalogue was never read."""
    return runtime.producer


@pytest.fixture
def ask(runtime: Runtime) -> Callable[[str], list[tuple[Any, ...]]]:
    """Put a question in SQL."""

    def rows(sql: str) -> list[tuple[Any, ...]]:
        with runtime.database.transaction() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    return rows


@pytest.fixture
def published(settings: Settings) -> Iterator[Callable[[], int]]:
    """Count the messages that wait for workers."""
    with Redis.from_url(settings.require_redis_url) as redis:
        yield lambda: sum(redis.llen(queue) for queue in (QueueName.URGENT, QueueName.BULK))


@pytest.fixture
def open_session(settings: Settings) -> Iterator[sessionmaker[Session]]:
    """Sessions of an application's own, on our database."""
    engine = create_engine(settings.require_database_url)
    yield sessionmaker(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def server_tls(authority: Path) -> ssl.SSLContext:
    """Give the server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    return context
