"""What most companies run instead, written as well as we can: one Celery ETA task a message.

It imports nothing of pushjobs. What is idiomatic: a kept-alive httpx client and a Redis connection per process, the
access token shared through Redis, the daily quota and the rate counted in one Lua call, results ignored, no events,
retries with backoff. What it does without: SQL, consent, pauses, encryption, and proof that nothing is sent twice.
"""

import os
from datetime import UTC, datetime
from typing import Any

import httpx
import redis
from celery import Celery, Task
from celery.signals import worker_process_init

__all__ = ["app", "send_push"]

BROKER_URL = os.environ["PLAIN_BROKER_URL"]
REDIS_URL = os.environ["PLAIN_REDIS_URL"]
WECHAT_URL = os.environ["PLAIN_WECHAT_URL"]
APPID, SECRET = os.environ["PLAIN_APPID"], os.environ["PLAIN_SECRET"]
RATE_PER_SECOND = int(os.environ["PLAIN_RATE_PER_SECOND"])
DAILY_QUOTA = int(os.environ["PLAIN_DAILY_QUOTA"])

app = Celery("plain", broker=BROKER_URL)
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)

# KEYS this second's counter, the user's counter of the day · ARGV most a second, most a day
# Returns 0: send it; 1: too fast; 2: the user has had enough
ADMIT = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 1 end
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[2]) then return 2 end
redis.call('INCR', KEYS[1]); redis.call('EXPIRE', KEYS[1], 5)
redis.call('INCR', KEYS[2]); redis.call('EXPIRE', KEYS[2], 172800)
return 0
"""
TOO_FAST, ENOUGH = 1, 2
TOKEN_EXPIRED = {40001, 40014, 42001}


class Connections:
    """What one worker process keeps open."""

    def __init__(self) -> None:
        self.http = httpx.Client(base_url=WECHAT_URL, timeout=5.0)
        self.redis = redis.Redis.from_url(REDIS_URL, decode_responses=True)
        self.admit = self.redis.register_script(ADMIT)
        self.token: str | None = None

    def current_token(self) -> str:
        """Return the access token: this process's, else the one in Redis, else a new one."""
        if self.token is None:
            self.token = str(self.redis.get("token") or self.new_token())
        return self.token

    def new_token(self) -> str:
        """Ask for a token and share it."""
        body = {"grant_type": "client_credential", "appid": APPID, "secret": SECRET}
        answer = self.http.post("/cgi-bin/stable_token", json=body).json()
        self.redis.set("token", answer["access_token"], ex=answer["expires_in"] - 300)
        return str(answer["access_token"])


class Process:
    """One set of connections a process, made after the fork."""

    connections: Connections


@worker_process_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
def connect(**_: object) -> None:
    """Open the connections of a worker process."""
    Process.connections = Connections()


@app.task(  # type: ignore[untyped-decorator]  # celery ships no types
    bind=True, autoretry_for=(httpx.TransportError,), retry_backoff=True, max_retries=5
)
def send_push(self: Task, touser: str, template_id: str, data: dict[str, Any]) -> None:
    """Send one message if the user's day and the second have room for it."""
    kept = Process.connections
    now = datetime.now(UTC)
    keys = [f"rate:{int(now.timestamp())}", f"quota:{now:%Y%m%d}:{touser}"]
    refused = kept.admit(keys=keys, args=[RATE_PER_SECOND, DAILY_QUOTA])
    if refused == TOO_FAST:
        raise self.retry(countdown=1, max_retries=None)
    if refused == ENOUGH:
        return
    body = {"touser": touser, "template_id": template_id, "data": data}
    answer = kept.http.post(
        "/cgi-bin/message/subscribe/send", params={"access_token": kept.current_token()}, json=body
    ).json()
    if answer["errcode"] in TOKEN_EXPIRED:
        kept.token = None
        kept.redis.delete("token")
        raise self.retry(countdown=1)
