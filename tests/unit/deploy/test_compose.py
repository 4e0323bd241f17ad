"""docker-compose.yml: understood by docker-compose, true to the code, and closed to strangers."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from pushjobs import settings
from pushjobs.local import applications
from pushjobs.local.directory import Installation
from pushjobs.queue import QueueName
from pushjobs.settings import Settings
from tests.deployment import DEMO, OURS, ROOT, compose, ordered, project, services

FIELDS = Settings.model_fields
SECRET = {"database_url", "redis_url", "broker_url"} | {
    name for name, field in FIELDS.items() if "SecretStr" in str(field.annotation)
}
"""Settings whose values nobody is to read; addresses hold passwords."""

PROFILES = {"demo": {"sandbox"}, "observability": {"grafana", "prometheus"}}
APP = {"PUSHJOBS_WECHAT_APPID": "wxapp"}


def test_it_says_what_is_missing() -> None:
    """Without the app's appid it is refused with the variable's name; with it and nothing else it is complete."""
    refused = compose("--env-file", "/dev/null", "config", "--quiet")
    assert refused.returncode != 0
    assert "PUSHJOBS_WECHAT_APPID is missing a value" in refused.stderr
    done = compose("--env-file", "/dev/null", "config", "--quiet", environment=APP)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_extra_is_in_a_profile() -> None:
    """The sandbox comes with `demo`, Prometheus and Grafana with `observability`, the rest always."""
    always = compose("--env-file", "/dev/null", "config", "--services", environment=APP).stdout.split()
    demo = compose("--env-file", str(DEMO), "config", "--services").stdout.split()
    assert set(demo) - set(always) == PROFILES["demo"]
    assert set(always) == services().keys() - set().union(*PROFILES.values())
    for profile, names in PROFILES.items():
        assert {name for name, each in services().items() if each.told.get("profiles") == [profile]} == names


def test_images_are_pinned() -> None:
    """By a version and no moving tag; ours is this release, built from here."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, service in services().items():
        if service.is_ours:
            assert service.told["image"] == f"{OURS}{version}"
            assert service.told["build"]["context"] == str(ROOT)
        else:
            assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-bookworm)?", service.told["image"]), name


def test_each_is_kept_small_and_harmless() -> None:
    """Limits for memory and processor, no root, no capability, nothing to write but its volumes, logs that end."""
    for name, service in services().items():
        told = service.told
        assert 128 * 2**20 <= int(told["mem_limit"]) <= 2 * 2**30, name
        assert 0 < float(told["cpus"]) <= 2, name
        assert told["read_only"], name
        assert told["cap_drop"] == ["ALL"], name
        assert told["security_opt"] == ["no-new-privileges:true"], name
        assert told["logging"]["options"].keys() == {"max-file", "max-size"}, name
        # Ours are the image's user, which is nobody's root.
        assert service.is_ours if "user" not in told else told["user"] not in {"", "root", "0"}, name


def test_each_comes_back_and_says_whether_it_is_well() -> None:
    """Whoever ends is started again, and has a check; what runs once is repeated until it worked."""
    for name, service in services().items():
        if name == "migrate":
            assert service.told["restart"].startswith("on-failure")
        else:
            assert service.told["restart"] == "unless-stopped", name
            assert service.check, name


def test_nothing_is_open_to_others() -> None:
    """What is published is published on this machine's own address; the servers are not, and have no way out."""
    published = {name: each.told["ports"] for name, each in services().items() if each.told.get("ports")}
    assert published.keys() == {"http", "flower", "prometheus", "grafana"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}
    assert project()["networks"]["inside"]["internal"] is True
    for name in ("postgres", "valkey", "sandbox", "beat", "migrate"):
        assert services()[name].told["networks"].keys() == {"inside"}


def test_secrets_come_by_file() -> None:
    """No secret stands in an environment, a command or a check; its file lies in the directory of secrets."""
    for name, service in services().items():
        for variable, value in service.environment.items():
            assert variable.removeprefix("PUSHJOBS_").lower() not in SECRET, (name, variable)
            if re.search("PASSWORD|SECRET|TOKEN|KEY", variable):
                assert re.search(r"_FILE$|_DIR$", variable), (name, variable)
                assert value.startswith("/run/secrets"), (name, variable)
        told = " ".join([*service.command, *(service.told.get("healthcheck") or {}).get("test", ())])
        assert not re.search(r"(?i)password=|pass |://[^/\s]*:[^/\s]*@", told.replace("requirepass ", "")), name
    for name, told in project()["secrets"].items():
        assert told["file"] == str(ROOT / "deploy/secrets" / name)
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {"deploy/secrets/", ".env"} <= set(ignored)


def test_each_sees_the_secrets_it_needs() -> None:
    """Beat knows the broker and no more, Flower its password besides; whoever sends or opens knows the keys."""
    seen = {name: set(each.secrets) for name, each in services().items()}
    assert seen["beat"] == {"pushjobs_redis_url"}
    assert seen["flower"] == {"pushjobs_redis_url", "pushjobs_flower_password"}
    assert seen["migrate"] == {"pushjobs_database_url"}
    senders = {"http", "worker-bulk", "worker-ticks", "worker-urgent"}
    assert {name for name, known in seen.items() if "pushjobs_lookup_key" in known} == senders


def test_variables_are_settings() -> None:
    """Every variable of ours in compose, image, units and scripts is a setting, and so is every secret's file."""
    files = [path for path in (ROOT / "deploy").rglob("*") if path.is_file() and "secrets" not in path.parts]
    text = "\n".join(path.read_text() for path in (ROOT / "docker-compose.yml", ROOT / "Dockerfile", *files))
    named = {name.lower() for name in re.findall(r"\bPUSHJOBS_([A-Z_]+)", text)}
    filed = {name.removeprefix("pushjobs_") for name in project()["secrets"] if name.startswith("pushjobs_")}
    assert {"secrets_dir", "wechat_appid", "directory"} <= named
    assert named | filed <= FIELDS.keys()
    assert filed <= SECRET


def test_what_is_mounted_is_there() -> None:
    """Files come from this checkout, to be read only; data lives in volumes that are declared."""
    mounts = [mount for each in services().values() for mount in each.told.get("volumes") or ()]
    bound = [mount for mount in mounts if mount["type"] == "bind"]
    assert len(bound) == 3
    assert all(Path(mount["source"]).is_dir() and mount["read_only"] for mount in bound)
    assert {mount["source"] for mount in mounts if mount["type"] == "volume"} == project()["volumes"].keys()


def test_the_workers_are_those_of_up(tmp_path: Path) -> None:
    """Each queue has one reader, by the very options that `up` gives it; a drain has longer than there."""
    workers = {f"worker-{each.name}": each for each in applications.workers(Installation(tmp_path), {}, bulk=2)}
    assert workers.keys() == {name for name in services() if name.startswith("worker-")}
    queues: list[str] = []
    for name, worker in workers.items():
        command = services()[name].command
        assert command == ["celery", *worker.command[3:]]
        assert services()[name].patience > worker.patience
        queues += command[command.index("-Q") + 1].split(",")
    assert sorted(queues) == sorted(QueueName)


def test_beat_stops_first_and_the_servers_last() -> None:
    """Who begins after another stops before it: no new work, the work in hand, the sandbox and the servers."""
    order = [each.name for each in ordered()]
    assert order.index("beat") > order.index("worker-ticks")
    for name in ("worker-ticks", "worker-urgent", "worker-bulk", "http"):
        assert services()[name].after == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "valkey": "service_healthy",
            "sandbox": "service_healthy",
        }
        assert services()[name].told["depends_on"]["sandbox"]["required"] is False


def test_secrets_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script makes each secret that the file names, in a directory of one owner, and leaves what is there alone."""
    made = tmp_path / "secrets"

    def make() -> tuple[str, dict[str, str]]:
        said = subprocess.run([ROOT / "deploy/make-secrets", made], capture_output=True, text=True, check=True)
        return said.stdout, {path.name: path.read_text() for path in made.iterdir()}

    said, found = make()
    assert found.keys() == project()["secrets"].keys()
    assert not [name for name, secret in found.items() if len(secret) > 1 and secret in said]
    assert make() == ("", found)
    assert made.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o644}
    settings.forget_environment()
    monkeypatch.setenv("PUSHJOBS_SECRETS_DIR", str(made))
    monkeypatch.setenv("PUSHJOBS_WECHAT_APPID", "wxsandbox00000000")
    read = settings.load(tmp_path)
    assert read.require_lookup_key != read.require_encryption_keys[0]
    assert found["postgres_password"] in read.require_database_url
    assert found["valkey_conf"].split()[1] in read.require_redis_url
    assert len(read.require_flower_password) >= 20
