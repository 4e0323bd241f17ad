"""The composition root: settings in, one object that owns every connection of the process out.

Made after fork, closed at exit. Parts are made when they are first asked for, so that a producer opens no connection
to WeChat and a tick no event loop.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from urllib.parse import urlsplit

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from pushjobs.account import Account
from pushjobs.catalogue import Catalogue
from pushjobs.delivery import Delivery
from pushjobs.delivery.admission import Admission, Admittance
from pushjobs.delivery.allowance import Allowance, Ask
from pushjobs.delivery.breakers import Breakers
from pushjobs.delivery.calling import Caller
from pushjobs.delivery.charging import Rules
from pushjobs.delivery.settle import Settlement
from pushjobs.delivery.settler import Settler
from pushjobs.domain.content_check import Suggestion
from pushjobs.domain.events import CallsMoved
from pushjobs.domain.job import Lane
from pushjobs.domain.template import Template
from pushjobs.errors import Misconfigured, PushJobsError
from pushjobs.forgetting import Forgetting
from pushjobs.forwarding import Forwarding
from pushjobs.inspection import Inspection
from pushjobs.keyfile import renewal
from pushjobs.keys import Keys
from pushjobs.limits import LiveLimit
from pushjobs.operations import Operations
from pushjobs.pace import Limit, Pace
from pushjobs.producer import Producer
from pushjobs.queue import Publisher
from pushjobs.receipts import Door, Receipts
from pushjobs.release import Releaser
from pushjobs.request import Terms
from pushjobs.settings import Settings
from pushjobs.store.database import Database
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.telemetry import emit
from pushjobs.templates import Templates
from pushjobs.upkeep import Retention, Upkeep
from pushjobs.vetting import Vetting
from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.client import Client
from pushjobs.wechat.content_check import ContentChecker, Question, Unsaid
from pushjobs.wechat.events import Callbacks
from pushjobs.wechat.forward import Forward
from pushjobs.wechat.hosts import Fallback
from pushjobs.wechat.login import Login
from pushjobs.wechat.loop import LoopThread
from pushjobs.wechat.quota import DailyQuota, daily_quota
from pushjobs.wechat.templates import list_templates
from pushjobs.wechat.tokens import TokenSource
from pushjobs.wording import Wording

__all__ = ["Runtime"]

_REAL_WECHAT = ".weixin.qq.com"


class Runtime:
    """Everything one process uses, from its settings. `is_draining`: asked by delivery between slices."""

    def __init__(self, settings: Settings, *, is_draining: Callable[[], bool] = lambda: False) -> None:
        self.settings = settings
        self._is_draining = is_draining

    @cached_property
    def database(self) -> Database:
        """PostgreSQL."""
        return Database(self.settings.require_database_url)

    @cached_property
    def sealer(self) -> Sealer:
        """The key ring."""
        keys = self.settings.require_encryption_keys
        return Sealer(keys, renewed=renewal(self.settings.directory, keys))

    @cached_property
    def keys(self) -> Keys:
        """What is sealed with which key."""
        return Keys(self.database, self.sealer)

    @cached_property
    def publisher(self) -> Publisher:
        """The broker, for publishing."""
        return Publisher(self.settings.require_broker_url)

    @cached_property
    def releaser(self) -> Releaser:
        """Claims and publishes."""
        return Releaser(
            self.database,
            self.publisher,
            rate=lambda: self._limit().per_second,
            lookahead_seconds=self.settings.lookahead_seconds,
            emit=emit,
        )

    @cached_property
    def upkeep(self) -> Upkeep:
        """Rescues and prunes."""
        retention = Retention(days=self.settings.retention_days, dead_days=self.settings.dead_retention_days)
        return Upkeep(self.database, retention=retention, emit=emit)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The app's templates."""
        appid, _ = self.settings.require_credentials
        return Catalogue(self.database, appid, lookup_fingerprint=self._lookup.fingerprint, fetch=self._fetch_templates)

    @cached_property
    def producer(self) -> Producer:
        """The verbs of application code."""
        database = self.database  # first: with nothing running, that is what there is to say
        return Producer(
            database,
            self._terms,
            self.releaser,
            inspection=self.inspection,
            sealer=self.sealer,
            lookup=self._lookup,
            vetting=Vetting(database, self.catalogue, self._check_contents, emit=emit),
            forgetting=self.forgetting,
            exchange_code=self._exchange_code,
        )

    @cached_property
    def operations(self) -> Operations:
        """The verbs of operators."""
        database = self.database  # first, as above
        return Operations(database, self._terms, lookup=self._lookup)

    @cached_property
    def forgetting(self) -> Forgetting:
        """Forgets users."""
        return Forgetting(self.database, self._terms, lookup=self._lookup, sealer=self.sealer, emit=emit)

    @cached_property
    def wording(self) -> Wording:
        """The words that the app's messages must not hold."""
        return Wording(self.database, self.catalogue)

    @cached_property
    def templates(self) -> Templates:
        """The app's templates at WeChat."""
        return Templates(self.catalogue, self._loop, self._wechat, emit=emit)

    @cached_property
    def account(self) -> Account:
        """The app's account at WeChat."""
        database, credentials = self.database, self.settings.require_credentials
        return Account(database, self.catalogue, self._loop, self._client, self._wechat, credentials=credentials)

    @cached_property
    def inspection(self) -> Inspection:
        """Every question about what is going on."""
        database = self.database  # first, as above
        return Inspection(
            database,
            self._terms,
            self._admittance,
            lookup=self._lookup,
            limit=self._limit,
            app_daily_limit=self.settings.app_daily_limit,
        )

    @cached_property
    def callbacks(self) -> Door:
        """The callback door."""
        settings, database = self.settings, self.database  # first, as above
        aes_key = settings.callback_aes_key
        read = Callbacks(
            self._terms.appid,
            token=settings.require_callback_token,
            aes_key=None if aes_key is None else aes_key.get_secret_value(),
        )
        sealer = None if settings.callback_forward_url is None else self.sealer
        return Door(database, self._terms, read, lookup=self._lookup, sealer=sealer, emit=emit)

    @cached_property
    def receipts(self) -> Receipts:
        """Applies what the callback door took."""
        return Receipts(self.database, emit=emit)

    @cached_property
    def forwarding(self) -> Forwarding:
        """Forwards what the callback door took to the app's own."""
        return Forwarding(self.database, self._terms, self._loop, self._forward, sealer=self.sealer, emit=emit)

    @cached_property
    def delivery(self) -> Delivery:
        """Admits, calls, settles."""
        timeout = self.settings.call_timeout_seconds
        settings = self.settings
        return Delivery(
            self._pace,
            self.allowance,
            Admission(
                self.database,
                self.sealer,
                self._admittance,
                lookup=self._lookup,
                call_timeout_seconds=timeout,
                emit=emit,
            ),
            Caller(self._loop, self._client, self._source, self._pace, emit=emit),
            Settler(
                Settlement(self.database, Breakers(faults_in_a_row=settings.faults_in_a_row, emit=emit), emit=emit),
                slice_size=settings.slice_size,
                not_called=self.allowance.put_back,
                emit=emit,
            ),
            slice_size=settings.slice_size,
            is_draining=self._is_draining,
            emit=emit,
        )

    @cached_property
    def allowance(self) -> Allowance:
        """The app's calls of the day."""
        a_day, loop = self.settings.app_daily_limit, self._loop
        return Allowance(self.database, a_day=a_day, ask=self._question(), loop=loop, emit=emit)

    @property
    def checks(self) -> Mapping[str, Callable[[], None]]:
        """What every door needs, and how to ask whether it answers: each raises a PushJobsError if it does not."""
        return {"database": self.database.check, "redis": self._pace.check}

    def warm_up(self) -> None:
        """Make what the first delivery would wait for: the connections, a pace that is not cold, today's allowance.

        A pace that Redis does not know starts a horizon late (three quarters of a second); better now than with a job.
        """
        with suppress(PushJobsError):
            _ = self.delivery
            self._pace.reserve(1, Lane.URGENT)
            self.allowance.learn(self.catalogue.app.app_no)

    def close(self) -> None:
        """Close what was opened; in this order, so that nothing is asked of something closed."""
        opened = vars(self)
        if "delivery" in opened:
            self.delivery.close()
        if "_loop" in opened:
            self._loop.calm()
            with suppress(Exception):  # closing is a courtesy: the process ends, and nothing hangs on the answer
                self._loop.run(self._close_calling())
            self._loop.close()
        if "publisher" in opened:
            self.publisher.close()
        if "database" in opened:
            self.database.close()

    @cached_property
    def _terms(self) -> Terms:
        appid, _ = self.settings.require_credentials
        host = urlsplit(self.settings.wechat_base_url).hostname or ""
        return Terms(
            appid=appid,
            catalogue=self.catalogue,
            zone=self.settings.zone,
            takes_legacy=not host.endswith(_REAL_WECHAT),
        )

    @cached_property
    def _admittance(self) -> Admittance:
        settings = self.settings
        rules = Rules(zone=settings.zone, daily_quota=settings.daily_quota, resume_hour=settings.resume_hour)
        return Admittance(rules=rules, quiet_hours=settings.quiet)

    @cached_property
    def _limit(self) -> LiveLimit:
        settings = self.settings
        limit = Limit(per_second=settings.rate_per_second, urgent_share=settings.urgent_share)
        return LiveLimit(self.database, self.catalogue, limit)

    @cached_property
    def _pace(self) -> Pace:
        appid, _ = self.settings.require_credentials
        redis = SyncRedis.from_url(self.settings.require_redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)
        return Pace(redis, appid, self._limit)

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self.settings.require_lookup_key)

    @cached_property
    def _loop(self) -> LoopThread:
        loop = LoopThread()
        loop.start()
        return loop

    @cached_property
    def _client(self) -> Client:
        base_url, timeout = self.settings.wechat_base_url, self.settings.call_timeout_seconds
        fallback = Fallback(urls=self.settings.fallback_urls, moved=lambda host: emit(CallsMoved(host=host)))

        async def make() -> Client:
            return Client(base_url, fallback=fallback, call_timeout=timeout)

        return self._loop.run(make())

    @cached_property
    def _forward(self) -> Forward:
        url, token = self.settings.callback_forward_url, self.settings.require_callback_token
        if url is None:
            raise Misconfigured("PUSHJOBS_CALLBACK_FORWARD_URL is not set: there is no door to forward callbacks to")

        async def make() -> Forward:
            return Forward(url, token=token)

        return self._loop.run(make())

    @cached_property
    def _redis(self) -> Redis:
        return Redis.from_url(self.settings.require_redis_url, socket_timeout=2.0, socket_connect_timeout=2.0)

    @cached_property
    def _tokens(self) -> TokenSource:
        appid, secret = self.settings.require_credentials
        return TokenSource(self._client, self._redis, appid=appid, secret=secret)

    def _source(self, appid: str) -> TokenSource | None:
        return self._tokens if appid == self.settings.wechat_appid else None

    @cached_property
    def _wechat(self) -> AuthorisedClient:
        return AuthorisedClient(self._client, self._tokens)

    def _fetch_templates(self) -> Sequence[tuple[str, Template]]:
        return self._loop.run(list_templates(self._wechat))

    def _exchange_code(self, code: str, *, with_session_key: bool) -> Login:
        # Made when it is first asked for: a producer that never logs anybody in opens no connection to WeChat.
        return self.account.exchange_code(code, with_session_key=with_session_key)

    @cached_property
    def _checker(self) -> ContentChecker:
        return ContentChecker(self._wechat)

    def _check_contents(self, questions: Sequence[Question]) -> Mapping[Question, Suggestion | Unsaid]:
        # As above: only for templates whose policy wants it.
        return self._loop.run(self._checker.check(questions))

    def _question(self) -> Ask:
        client, tokens = self._client, self._tokens

        async def ask() -> DailyQuota | None:
            return await daily_quota(client, await tokens.current())

        return ask

    async def _close_calling(self) -> None:
        if "_client" in vars(self):
            await self._client.aclose()
        if "_forward" in vars(self):
            await self._forward.aclose()
        if "_redis" in vars(self):
            await self._redis.aclose()
