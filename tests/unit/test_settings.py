"""Settings: what is read from where, what is refused, and that no secret is told."""

import base64
import json
from pathlib import Path

import pytest

from pushjobs import settings
from pushjobs.errors import Misconfigured, NotRunning
from pushjobs.settings import Settings

KEY, OTHER = base64.b64encode(b"k" * 32).decode(), base64.b64encode(b"o" * 32).decode()


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation's directory in which nothing runs, and an environment without a setting of ours."""
    settings.forget_environment()
    monkeypatch.setenv("PUSHJOBS_DIRECTORY", str(tmp_path))
    return tmp_path


def write(directory: Path, **values: object) -> None:
    """Write what the embedded servers would."""
    (directory / "addresses.json").write_text(json.dumps(values))


def test_nothing_set_says_what_to_do(directory: Path) -> None:
    """With nothing running and nothing set, each address that is asked for names the command and the variable."""
    read = settings.load()
    for name in ("database_url", "redis_url", "broker_url"):
        with pytest.raises(NotRunning, match=rf"pushjobs up --directory {directory}.* PUSHJOBS_"):
            getattr(read, f"require_{name}")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("credentials", "PUSHJOBS_WECHAT_APPID and PUSHJOBS_WECHAT_SECRET"),
        ("encryption_keys", "PUSHJOBS_ENCRYPTION_KEYS"),
        ("lookup_key", "PUSHJOBS_LOOKUP_KEY"),
        ("flower_password", "PUSHJOBS_FLOWER_PASSWORD"),
    ],
)
def test_what_is_missing_is_named(name: str, variable: str) -> None:
    """Missing credentials and keys are refused when they are needed, by the variable's name."""
    with pytest.raises(Misconfigured, match=variable):
        getattr(settings.load(), f"require_{name}")


def test_the_environment_wins_over_the_files(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the servers wrote fills what is unset and no more."""
    write(directory, database_url="postgresql://theirs/db", redis_url="redis://theirs", something="else")
    (directory / "keys.json").write_text(json.dumps({"encryption_keys": [KEY], "lookup_key": KEY}))
    monkeypatch.setenv("PUSHJOBS_DATABASE_URL", "postgresql://ours/db")
    monkeypatch.setenv("PUSHJOBS_ENCRYPTION_KEYS", f" {OTHER} , {KEY},")
    read = settings.load()
    assert (read.require_database_url, read.require_redis_url) == ("postgresql://ours/db", "redis://theirs")
    assert read.require_encryption_keys == (b"o" * 32, b"k" * 32)
    assert read.require_lookup_key == b"k" * 32


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of secrets, and the variable that names it."""
    made = tmp_path / "secrets"
    made.mkdir()
    monkeypatch.setenv("PUSHJOBS_SECRETS_DIR", str(made))
    return made


def test_files_hold_secrets(directory: Path, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file called like a variable fills what is not set there, before what the servers wrote; blanks are cut off."""
    write(directory, database_url="postgresql://theirs/db")
    monkeypatch.setenv("PUSHJOBS_WECHAT_APPID", "wxapp")
    monkeypatch.setenv("PUSHJOBS_REDIS_URL", "redis://ours")
    monkeypatch.setenv("PUSHJOBS_RATE_PER_SECOND", "")
    for name, content in {
        "database_url": "postgresql://filed/db\n",
        "redis_url": "redis://filed",
        "wechat_secret": " hush-hush \n",
        "encryption_keys": f"{OTHER},{KEY}\n",
        "rate_per_second": "7",
        "callback_token": "\n",
    }.items():
        (secrets / f"pushjobs_{name}").write_text(content)
    (secrets / "postgres_password").write_text("somebody else's")
    read = settings.load()
    assert (read.require_database_url, read.require_redis_url) == ("postgresql://filed/db", "redis://ours")
    assert read.require_credentials == ("wxapp", "hush-hush")
    assert read.require_encryption_keys == (b"o" * 32, b"k" * 32)
    assert (read.rate_per_second, read.callback_token) == (7, None)
    assert "hush-hush" not in repr(read)


def test_a_secret_that_cannot_be_is_named(secrets: Path) -> None:
    """What is wrong with a file is told as of a variable, without what it holds; one that is no text by its path."""
    (secrets / "pushjobs_lookup_key").write_text("not base64!")
    with pytest.raises(Misconfigured, match="PUSHJOBS_LOOKUP_KEY: is not base64") as refused:
        settings.load()
    assert "not base64!" not in str(refused.value)
    (secrets / "pushjobs_lookup_key").write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match=r"pushjobs_lookup_key cannot be read \(UnicodeDecodeError\)"):
        settings.load()


def test_an_empty_variable_is_unset(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable set to nothing, as compose files do, counts as not set."""
    write(directory, redis_url="redis://theirs")
    for name in ("REDIS_URL", "WECHAT_APPID", "WECHAT_SECRET", "RATE_PER_SECOND", "LOOKUP_KEY"):
        monkeypatch.setenv(f"PUSHJOBS_{name}", "")
    read = settings.load()
    assert (read.redis_url, read.wechat_appid, read.rate_per_second) == ("redis://theirs", None, 50.0)


def test_a_unix_socket_is_spelt_as_kombu_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker is the Redis unless set, and a socket's address is rewritten for kombu."""
    monkeypatch.setenv("PUSHJOBS_REDIS_URL", "unix:///run/valkey.sock")
    assert settings.load().require_broker_url == "redis+socket:///run/valkey.sock"
    monkeypatch.setenv("PUSHJOBS_BROKER_URL", "redis://broker:6379/1")
    assert settings.load().require_broker_url == "redis://broker:6379/1"


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("RATE_PER_SECOND", "0", "greater than 0"),
        ("RATE_PER_SECOND", "fast", "valid number"),
        ("RATE_PER_SECOND", "inf", "less than or equal"),
        ("LOOKAHEAD_SECONDS", "11", "less than or equal to 10"),
        ("CALL_TIMEOUT_SECONDS", "12.1", "less than or equal to 12"),
        ("SLICE_SIZE", "0", "greater than or equal to 1"),
        ("TIMEZONE", "Asia/Peking", "is no zone"),
        ("TIMEZONE", "../etc/passwd", "is no zone"),
        ("ENCRYPTION_KEYS", "not base64!", "is not base64"),
        ("ENCRYPTION_KEYS", base64.b64encode(b"short").decode(), "has 5 bytes"),
        ("LOOKUP_KEY", base64.b64encode(b"k" * 33).decode(), "has 33 bytes"),
        ("PLAIN_INTAKE", "perhaps", "valid boolean"),
        ("FLOWER_PASSWORD", "short", "8 to 200"),
        ("FLOWER_PASSWORD", "with some spaces", "8 to 200"),
        ("FLOWER_PASSWORD", "密码密码密码密码密码", "8 to 200"),
        ("SECRETS_DIR", "/nowhere-at-all", "is no directory"),
        ("CALLBACK_TOKEN", "ab", "3 to 32 letters and digits"),
        ("CALLBACK_TOKEN", "with a space", "3 to 32 letters and digits"),
        ("CALLBACK_AES_KEY", "A" * 44, "43 letters and digits"),
        ("CALLBACK_FORWARD_URL", "example.com/wechat", "is no address"),
        ("CALLBACK_FORWARD_URL", "ftp://example.com/", "is no address"),
        ("CALLBACK_FORWARD_URL", "https://example.com/?app=1", "without a query"),
    ],
)
def test_a_bad_value_is_named_and_not_told(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, fault: str
) -> None:
    """A value that cannot be is refused with its variable and the rule, and is not repeated: it may be a secret."""
    monkeypatch.setenv(f"PUSHJOBS_{variable}", value)
    with pytest.raises(Misconfigured, match=f"PUSHJOBS_{variable}: .*{fault}") as refused:
        settings.load()
    if len(value) > 5:
        assert value not in str(refused.value)


@pytest.mark.parametrize(("given", "missing"), [("WECHAT_APPID", "WECHAT_SECRET"), ("WECHAT_SECRET", "WECHAT_APPID")])
def test_credentials_come_together(monkeypatch: pytest.MonkeyPatch, given: str, missing: str) -> None:
    """One of appid and secret without the other is refused, naming the missing one."""
    monkeypatch.setenv(f"PUSHJOBS_{given}", "something")
    with pytest.raises(Misconfigured, match=f"PUSHJOBS_{missing} is missing"):
        settings.load()


@pytest.mark.parametrize(
    ("given", "value"), [("CALLBACK_AES_KEY", "A" * 43), ("CALLBACK_FORWARD_URL", "https://example.com/wechat")]
)
def test_callbacks_need_a_token(monkeypatch: pytest.MonkeyPatch, given: str, value: str) -> None:
    """A key or a door for callbacks without the token that proves them is refused, naming the token."""
    monkeypatch.setenv(f"PUSHJOBS_{given}", value)
    with pytest.raises(Misconfigured, match=f"PUSHJOBS_CALLBACK_TOKEN is missing: {given} needs it"):
        settings.load()


@pytest.mark.parametrize("content", ["", "{", "[1]", "5", '"text"', "\xff"])
def test_a_damaged_file_is_named(directory: Path, content: str) -> None:
    """A file that cannot be read is named, with what to do."""
    (directory / "addresses.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(Misconfigured, match=r"addresses\.json cannot be read .*mend or remove it"):
        settings.load()


def test_no_representation_tells_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor the secret appear in repr, str or JSON."""
    monkeypatch.setenv("PUSHJOBS_WECHAT_APPID", "wxapp")
    monkeypatch.setenv("PUSHJOBS_WECHAT_SECRET", "hush-hush")
    monkeypatch.setenv("PUSHJOBS_ENCRYPTION_KEYS", KEY)
    monkeypatch.setenv("PUSHJOBS_LOOKUP_KEY", OTHER)
    monkeypatch.setenv("PUSHJOBS_CALLBACK_TOKEN", "whisper")
    monkeypatch.setenv("PUSHJOBS_CALLBACK_AES_KEY", "Z" * 43)
    read = settings.load()
    told = repr(read) + str(read) + read.model_dump_json()
    for secret in ("hush-hush", KEY, OTHER, "whisper", "Z" * 43):
        assert secret not in told
    assert read.require_credentials == ("wxapp", "hush-hush")


def test_every_setting_says_what_it_is() -> None:
    """Each setting has a description, for the page of settings."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_directory_given_wins(directory: Path) -> None:
    """The directory named by the caller is read, not the environment's."""
    write(directory, redis_url="redis://theirs")
    assert settings.load(directory / "other").redis_url is None
    assert settings.load(directory).redis_url == "redis://theirs"


@pytest.mark.parametrize(
    ("base_url", "given", "hosts"),
    [
        (None, None, ("https://api2.weixin.qq.com",)),
        ("https://api.weixin.qq.com/", None, ("https://api2.weixin.qq.com",)),
        ("http://127.0.0.1:8700", None, ()),
        (None, "none", ()),
        (None, "https://api2.weixin.qq.com, https://sh.api.weixin.qq.com,", None),
        ("http://127.0.0.1:8700", "http://127.0.0.1:8701", ("http://127.0.0.1:8701",)),
    ],
)
def test_fallback_hosts(
    base_url: str | None, given: str | None, hosts: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WeChat's own API has WeChat's spare host behind it unless told otherwise, any other address has none."""
    for name, value in (("BASE_URL", base_url), ("FALLBACK_URLS", given)):
        if value is not None:
            monkeypatch.setenv(f"PUSHJOBS_WECHAT_{name}", value)
    expected = ("https://api2.weixin.qq.com", "https://sh.api.weixin.qq.com") if hosts is None else hosts
    assert settings.load().fallback_urls == expected


@pytest.mark.parametrize("given", ["spare.example", "ftp://host", "https://host/path", "https://me:it@host", "https:"])
def test_bad_fallback_hosts(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spare host that is no address is refused by the variable's name, without its value."""
    monkeypatch.setenv("PUSHJOBS_WECHAT_FALLBACK_URLS", given)
    with pytest.raises(Misconfigured) as refusal:
        settings.load()
    assert str(refusal.value) == (
        "PUSHJOBS_WECHAT_FALLBACK_URLS: holds what is no address such as https://api2.weixin.qq.com; "
        "write `none` for none"
    )


def test_no_fallback_beside_a_sandbox(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spare host in the environment is never called for the sandbox of the directory."""
    write(directory, wechat_base_url="http://127.0.0.1:8700", wechat_appid="wxsandbox", wechat_secret="s")
    assert settings.load().fallback_urls == ()
    monkeypatch.setenv("PUSHJOBS_WECHAT_FALLBACK_URLS", "https://api2.weixin.qq.com")
    assert settings.load().wechat_base_url == "https://api.weixin.qq.com"
