"""Everything one process uses of one app: its templates, pace and tokens, and the verbs that act for it.

Parts are made when they are first asked for. When the app's settings change, a new one takes this one's place.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from urllib.parse import urlsplit

from pushjobs.account import Account
from pushjobs.app_parts import AppParts
from pushjobs.apps import KnownApp
from pushjobs.browsing import Browsing
from pushjobs.campaigns.parts import Parts
from pushjobs.campaigns.stored import StoredAudiences
from pushjobs.catalogue import Catalogue
from pushjobs.connections import Connections
from pushjobs.consenting import Ledger
from pushjobs.delivery import Delivery
from pushjobs.delivery.admission import Admission, Admittance
from pushjobs.delivery.allowance import Allowance, Ask
from pushjobs.delivery.breakers import Breakers
from pushjobs.delivery.calling import Caller
from pushjobs.delivery.charging import Rules
from pushjobs.delivery.settle import Settlement
from pushjobs.delivery.settler import Settler
from pushjobs.domain.content_check import Suggestion
from pushjobs.domain.job import Lane
from pushjobs.domain.template import Template
from pushjobs.errors import Misconfigured, PushJobsError
from pushjobs.forgetting import Forgetting
from pushjobs.forwarding import Forwarding
from pushjobs.inspection import Inspection
from pushjobs.limits import LiveLimit
from pushjobs.mapping import Mappings
from pushjobs.operations import Operations
from pushjobs.pace import Limit, Pace
from pushjobs.receipts import Door
from pushjobs.relaying import Relay
from pushjobs.request import Terms
from pushjobs.telemetry import emit
from pushjobs.templates import Templates
from pushjobs.vetting import Vetting
from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.content_check import ContentChecker, Question, Unsaid
from pushjobs.wechat.events import Callbacks
from pushjobs.wechat.forward import Forward
from pushjobs.wechat.login import Login
from pushjobs.wechat.quota import DailyQuota, daily_quota
from pushjobs.wechat.templates import list_templates
from pushjobs.wechat.tokens import TokenSource
from pushjobs.wording import Wording

__all__ = ["ConnectedApp"]

_REAL_WECHAT = ".weixin.qq.com"


class ConnectedApp:
    """One app over a process's connections."""

    def __init__(self, app: KnownApp, connections: Connections, *, is_draining: Callable[[], bool]) -> None:
        self.app = app
        self._connections = connections
        self._is_draining = is_draining

    @cached_property
    def catalogue(self) -> Catalogue:
        """The app's templates."""
        return Catalogue(
            self._connections.database,
            self.app.appid,
            lookup_fingerprint=self._connections.lookup.fingerprint,
            fetch=self._fetch_templates,
        )

    @cached_property
    def terms(self) -> Terms:
        """What requests are read against."""
        host = urlsplit(self._connections.settings.wechat_base_url).hostname or ""
        return Terms(
            appid=self.app.appid,
            catalogue=self.catalogue,
            zone=self.app.settings.zone,
            takes_legacy=not host.endswith(_REAL_WECHAT),
        )

    @cached_property
    def parts(self) -> AppParts:
        """What the verbs of application code use."""
        database = self._connections.database  # first: with nothing running, that is what there is to say
        return AppParts(
            terms=self.terms,
            inspection=self.inspection,
            vetting=self._vetting,
            ledger=Ledger(database, self.terms, lookup=self._connections.lookup),
            mappings=Mappings(database, self.catalogue),
            forgetting=self.forgetting,
            exchange_code=self._exchange_code,
        )

    @cached_property
    def campaign_parts(self) -> Parts:
        """What campaigns use."""
        return Parts(
            app_no=self.catalogue.app.app_no,
            terms=self.terms,
            vetting=self._vetting,
            limit=self.limit,
            admittance=self._admittance,
            audiences=self.audiences,
        )

    @cached_property
    def browsing(self) -> Browsing:
        """Its jobs, looked through by people."""
        connections = self._connections
        return Browsing(connections.database, self.terms, sealer=connections.sealer, lookup=connections.lookup)

    @cached_property
    def audiences(self) -> StoredAudiences:
        """The audiences that were uploaded."""
        connections = self._connections
        return StoredAudiences(
            connections.database, self.terms, sealer=connections.sealer, lookup=connections.lookup, emit=emit
        )

    @cached_property
    def forgetting(self) -> Forgetting:
        """Forgets users."""
        connections = self._connections
        return Forgetting(
            connections.database, self.terms, lookup=connections.lookup, sealer=connections.sealer, emit=emit
        )

    @cached_property
    def operations(self) -> Operations:
        """The verbs of operators."""
        database = self._connections.database  # first, as above
        return Operations(database, self.terms, lookup=self._connections.lookup)

    @cached_property
    def inspection(self) -> Inspection:
        """Every question about what is going on."""
        database = self._connections.database  # first, as above
        return Inspection(
            database,
            self.terms,
            self._admittance,
            lookup=self._connections.lookup,
            limit=self.limit,
            app_daily_limit=self.app.settings.app_daily_limit,
        )

    @cached_property
    def wording(self) -> Wording:
        """The words that the app's messages must not hold."""
        return Wording(self._connections.database, self.catalogue)

    @cached_property
    def templates(self) -> Templates:
        """The app's templates at WeChat."""
        return Templates(self.catalogue, self._connections.loop, self._wechat, emit=emit)

    @cached_property
    def account(self) -> Account:
        """The app's account at WeChat."""
        connections = self._connections
        database = connections.database  # first, as above
        return Account(
            database,
            self.catalogue,
            connections.loop,
            connections.client,
            self._wechat,
            credentials=(self.app.appid, self.app.secret),
        )

    @cached_property
    def relay(self) -> Relay:
        """Calls of clients, passed on to WeChat."""
        connections = self._connections
        more = connections.settings.pass_through
        return Relay(self.app.appid, self.catalogue, connections.loop, self._wechat, self.account, more=more)

    @cached_property
    def callbacks(self) -> Door:
        """The callback door; raises Misconfigured where the app has no token for it."""
        settings, connections = self.app.settings, self._connections
        aes_key = settings.callback_aes_key
        read = Callbacks(
            self.app.appid,
            token=settings.require_callback_token,
            aes_key=None if aes_key is None else aes_key.get_secret_value(),
        )
        sealer = None if settings.callback_forward_url is None else connections.sealer
        return Door(connections.database, self.terms, read, lookup=connections.lookup, sealer=sealer, emit=emit)

    @cached_property
    def forwarding(self) -> Forwarding:
        """Forwards what the callback door took to the app's own; raises Misconfigured where it has none."""
        connections = self._connections
        return Forwarding(
            connections.database, self.terms, connections.loop, self._forward(), sealer=connections.sealer, emit=emit
        )

    @cached_property
    def limit(self) -> LiveLimit:
        """The pace as it stands this moment."""
        settings = self.app.settings
        limit = Limit(per_second=settings.rate_per_second, urgent_share=settings.urgent_share)
        return LiveLimit(self._connections.database, self.catalogue, limit)

    @cached_property
    def allowance(self) -> Allowance:
        """The app's calls of the day."""
        connections, a_day = self._connections, self.app.settings.app_daily_limit
        return Allowance(connections.database, a_day=a_day, ask=self._question(), loop=connections.loop, emit=emit)

    @cached_property
    def delivery(self) -> Delivery:
        """Admits, calls, settles."""
        connections, settings = self._connections, self._connections.settings
        return Delivery(
            self._pace,
            self.allowance,
            Admission(
                connections.database,
                connections.sealer,
                self._admittance,
                lookup=connections.lookup,
                witness=connections.witness,
                call_timeout_seconds=settings.call_timeout_seconds,
                emit=emit,
            ),
            Caller(connections.loop, connections.client, self._tokens, self._pace, emit=emit),
            Settler(
                Settlement(
                    connections.database, Breakers(faults_in_a_row=settings.faults_in_a_row, emit=emit), emit=emit
                ),
                slice_size=settings.slice_size,
                not_called=self.allowance.put_back,
                emit=emit,
            ),
            slice_size=settings.slice_size,
            is_draining=self._is_draining,
            emit=emit,
        )

    def warm_up(self) -> None:
        """Make what the first delivery would wait for: the connections, a pace that is not cold, today's allowance.

        A pace that Redis does not know starts a horizon late (three quarters of a second); better now than with a job.
        """
        with suppress(PushJobsError):
            _ = self.delivery
            self._pace.reserve(1, Lane.URGENT)
            self.allowance.learn(self.catalogue.app.app_no)

    def finish(self) -> bool:
        """Wait for the calls that are out, and settle them; nothing is delivered after it. False: nothing ever was."""
        if "delivery" not in vars(self):
            return False
        self.delivery.close()
        return True

    @cached_property
    def _vetting(self) -> Vetting:
        return Vetting(self._connections.database, self.catalogue, self._check_contents, emit=emit)

    @cached_property
    def _admittance(self) -> Admittance:
        settings = self.app.settings
        rules = Rules(zone=settings.zone, daily_quota=settings.daily_quota, resume_hour=settings.resume_hour)
        return Admittance(rules=rules, quiet_hours=settings.quiet)

    @cached_property
    def _pace(self) -> Pace:
        return Pace(self._connections.slots, self.app.appid, self.limit)

    @cached_property
    def _tokens(self) -> TokenSource:
        connections = self._connections
        return TokenSource(
            connections.client, connections.redis, appid=self.app.appid, secret=self.app.secret, tell=emit
        )

    @cached_property
    def _wechat(self) -> AuthorisedClient:
        return AuthorisedClient(self._connections.client, self._tokens)

    @cached_property
    def _checker(self) -> ContentChecker:
        return ContentChecker(self._wechat)

    def _forward(self) -> Forward:
        url, token = self.app.settings.callback_forward_url, self.app.settings.require_callback_token
        if url is None:
            raise Misconfigured("the app has no door of its own (PUSHJOBS_CALLBACK_FORWARD_URL) to forward to")

        async def make() -> Forward:
            return Forward(url, token=token)

        forward = self._connections.loop.run(make())
        self._connections.close_with(forward.aclose)
        return forward

    def _fetch_templates(self) -> Sequence[tuple[str, Template]]:
        return self._connections.loop.run(list_templates(self._wechat))

    def _exchange_code(self, code: str, *, with_session_key: bool) -> Login:
        # Made when it is first asked for: a producer that never logs anybody in opens no connection to WeChat.
        return self.account.exchange_code(code, with_session_key=with_session_key)

    def _check_contents(self, questions: Sequence[Question]) -> Mapping[Question, Suggestion | Unsaid]:
        # As above: only for templates whose policy wants it.
        return self._connections.loop.run(self._checker.check(questions))

    def _question(self) -> Ask:
        client, tokens = self._connections.client, self._tokens

        async def ask() -> DailyQuota | None:
            return await daily_quota(client, await tokens.current())

        return ask
