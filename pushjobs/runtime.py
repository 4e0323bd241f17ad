"""The composition root: settings in, one object that owns what a process uses out.

Made after fork, closed at exit. What is of one app is in `connected_app`; the app that is meant where none is named has
its parts here by their names.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from zoneinfo import ZoneInfo

from pushjobs.acceptance import Acceptance
from pushjobs.access import AccessTokens
from pushjobs.account import Account
from pushjobs.alerting import keep_watch
from pushjobs.alerts import Alerts
from pushjobs.app_parts import AppParts
from pushjobs.apps import Apps, KnownApp
from pushjobs.auditing import AuditLog
from pushjobs.campaigns.campaigns import Campaigns
from pushjobs.campaigns.declared import campaigns_in
from pushjobs.campaigns.expansion import Expansion
from pushjobs.campaigns.fetching import Reach, anywhere, is_public
from pushjobs.campaigns.opening import Opening
from pushjobs.campaigns.parts import Parts
from pushjobs.campaigns.ticking import Ticking
from pushjobs.catalogue import Catalogue
from pushjobs.clients import Clients
from pushjobs.connected_app import ConnectedApp
from pushjobs.connections import Connections
from pushjobs.delivery import Delivery
from pushjobs.delivery.allowance import Allowance
from pushjobs.domain.events import CampaignNotTaken
from pushjobs.errors import Misconfigured, NotFound, PushJobsError
from pushjobs.figures import Figures
from pushjobs.forgetting import Forgetting
from pushjobs.forwarding import Forwarding
from pushjobs.inspection import Inspection
from pushjobs.keys import Keys
from pushjobs.operations import Operations
from pushjobs.pace import ping
from pushjobs.posting import Post
from pushjobs.producer import Producer
from pushjobs.receipts import Door, Receipts
from pushjobs.release import Releaser
from pushjobs.sessions import Sessions
from pushjobs.settings import Settings
from pushjobs.store.database import Database
from pushjobs.store.sealing import Sealer
from pushjobs.summaries import Summaries
from pushjobs.telemetry import emit, start_tracing
from pushjobs.telling import Telling
from pushjobs.templates import Templates
from pushjobs.upkeep import Retention, Upkeep
from pushjobs.webhooks import Webhooks
from pushjobs.wechat.tokens import fetched, prove_credentials
from pushjobs.witness import Witness
from pushjobs.wording import Wording

__all__ = ["Runtime"]


class Runtime:
    """Everything one process uses, from its settings. `is_draining`: asked by delivery between slices.

    `appid`: the app that is meant where none is named; None: the environment's.
    """

    def __init__(
        self, settings: Settings, *, appid: str | None = None, is_draining: Callable[[], bool] = lambda: False
    ) -> None:
        self.settings = settings
        self.connections = Connections(settings)
        self._appid = appid
        self._is_draining = is_draining
        self._lock = threading.Lock()
        self._connected: dict[str, ConnectedApp] = {}
        self._stop_tracing = start_tracing(settings, lambda: self.connections.lookup.fingerprint)

    @cached_property
    def apps(self) -> Apps:
        """The apps of the installation."""
        return Apps(
            self.connections.database,
            self.settings,
            sealer=lambda: self.connections.sealer,
            prove=self._prove_credentials,
            emit=emit,
        )

    @cached_property
    def clients(self) -> Clients:
        """The clients of the HTTP doors."""
        return Clients(self.connections.database, self.apps)

    @cached_property
    def sessions(self) -> Sessions:
        """Who is signed in at the console."""
        return Sessions(self.connections.database, self.clients)

    @cached_property
    def audit_log(self) -> AuditLog:
        """What was done there."""
        return AuditLog(self.connections.database)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Where clients are told of their jobs' ends."""
        connections = self.connections
        return Webhooks(connections.database, lambda: connections.sealer, allow_private=self.settings.private_webhooks)

    @cached_property
    def telling(self) -> Telling:
        """Tells them."""
        connections = self.connections
        return Telling(connections.database, connections.loop, lambda: self._post, sealer=connections.sealer, emit=emit)

    @cached_property
    def alerts(self) -> Alerts:
        """What is wrong, and who is told."""
        return keep_watch(self.connections, rate=self._rate, unreadable=lambda: self.apps.unreadable)

    @cached_property
    def access_tokens(self) -> AccessTokens:
        """What their ids and keys are exchanged for."""
        return AccessTokens(self.clients, self.connections.sealer)

    @cached_property
    def releaser(self) -> Releaser:
        """Claims and publishes."""
        return Releaser(
            self.connections.database,
            self.connections.publisher,
            rate=self._rate,
            lookahead_seconds=self.settings.lookahead_seconds,
            emit=emit,
        )

    @cached_property
    def producer(self) -> Producer:
        """The verbs of application code."""
        _ = self.connections.database  # first: with nothing running, that is what there is to say
        self.app()
        return self.verbs

    @cached_property
    def verbs(self) -> Producer:
        """The same for whoever names an app or a job each time: there may be no app that is meant."""
        database = self.connections.database  # first, as above
        sealer, lookup = self.connections.sealer, self.connections.lookup
        return Producer(database, self._parts, self.releaser, campaigns=self.campaigns, sealer=sealer, lookup=lookup)

    @cached_property
    def acceptance(self) -> Acceptance:
        """Many sends at once, for the doors."""
        connections = self.connections
        return Acceptance(
            connections.database, self._parts, self.releaser, sealer=connections.sealer, lookup=connections.lookup
        )

    @cached_property
    def campaigns(self) -> Campaigns:
        """The verbs of campaigns."""
        connections = self.connections
        return Campaigns(
            connections.database,
            lambda appid: self.app(appid).campaign_parts,
            sealer=connections.sealer,
            lookup=connections.lookup,
            send=lambda arguments: self.producer.send(**arguments),
            allow_private=self.settings.private_feeds,
            emit=emit,
        )

    @cached_property
    def ticking(self) -> Ticking:
        """Takes campaigns' runs along."""
        database, sealer, lookup = self.connections.database, self.connections.sealer, self.connections.lookup
        return Ticking(
            database,
            self._campaign_parts,
            Expansion(database, sealer=sealer, lookup=lookup, is_draining=self._is_draining, emit=emit),
            Opening(
                database,
                self._campaign_parts,
                sealer=sealer,
                allow_private=self.settings.private_feeds,
                is_draining=self._is_draining,
                emit=emit,
            ),
            sealer=sealer,
            declare=self._declare_campaigns,
            is_draining=self._is_draining,
            emit=emit,
        )

    @cached_property
    def figures(self) -> Figures:
        """How things stand, for a monitoring system."""
        return Figures(
            self.connections.database,
            lengths=self.connections.publisher.lengths,
            paces=lambda: {app.app.appid: app.limit().per_second for app in self.all_apps()},
            tokens=lambda: fetched(self.connections.slots, [app.app.appid for app in self.all_apps()]),
        )

    @cached_property
    def upkeep(self) -> Upkeep:
        """Rescues and prunes."""
        retention = Retention(days=self.settings.retention_days, dead_days=self.settings.dead_retention_days)
        return Upkeep(self.connections.database, retention=retention, emit=emit)

    @cached_property
    def summaries(self) -> Summaries:
        """Keeps what pages read instead of all jobs."""
        return Summaries(self.connections.database)

    @cached_property
    def keys(self) -> Keys:
        """What is sealed with which key."""
        return Keys(self.connections.database, self.connections.sealer)

    @cached_property
    def receipts(self) -> Receipts:
        """Applies what the callback doors took."""
        return Receipts(self.connections.database, emit=emit)

    @property
    def database(self) -> Database:
        """PostgreSQL."""
        return self.connections.database

    @property
    def sealer(self) -> Sealer:
        """The key ring."""
        return self.connections.sealer

    @property
    def witness(self) -> Witness:
        """What was last seen of the database."""
        return self.connections.witness

    @property
    def checks(self) -> Mapping[str, Callable[[], None]]:
        """What every door needs, and how to ask whether it answers: each raises a PushJobsError if it does not."""
        return {"database": self.connections.database.check, "redis": lambda: ping(self.connections.slots)}

    def app(self, appid: object = None) -> ConnectedApp:
        """Return an app, or the one that is meant where none is named; raises InvalidInput, Misconfigured."""
        appid = self._appid if appid is None else appid
        return self._connect(self.apps.default() if appid is None else self.apps.get(appid))

    def app_numbered(self, app_no: int) -> ConnectedApp | None:
        """Return the app of that number of ours; None for one that cannot be sent for."""
        found = self.apps.numbered(app_no)
        return None if found is None else self._connect(found)

    def all_apps(self) -> Sequence[ConnectedApp]:
        """Return every app."""
        return [self._connect(known) for known in self.apps.all()]

    def door(self, appid: str) -> Door:
        """Return an app's callback door as it is known in memory; raises NotFound where there is none."""
        known = self.apps.known.get(appid)
        if known is None or known.settings.callback_token is None:
            raise NotFound("no callbacks are taken for that app: compare the address with the appid")
        return self._connect(known).callbacks

    def prove_credentials(self, appid: str | None = None) -> None:
        """Ask WeChat for an app's access token, whatever is kept; raises CallRefused or Unreachable without one."""
        app = self.app(appid).app
        self._prove_credentials(app.appid, app.secret)

    def warm_up(self) -> None:
        """Make what the first delivery would wait for."""
        with suppress(PushJobsError):
            for app in self.all_apps():
                app.warm_up()

    def close(self) -> None:
        """Close what was opened, when the calls that are out are settled."""
        delivered = [app.finish() for app in list(self._connected.values())]
        if any(delivered):
            # Behind the last answer: a dump from before it is then older than what was seen.
            with suppress(PushJobsError):
                self.witness.beat()
        self.connections.close()
        self._stop_tracing()

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the app that is meant."""
        return self.app().app.settings.zone

    @property
    def catalogue(self) -> Catalogue:
        """Its templates."""
        return self.app().catalogue

    @property
    def operations(self) -> Operations:
        """Its verbs of operators."""
        return self.app().operations

    @property
    def inspection(self) -> Inspection:
        """Its questions."""
        return self.app().inspection

    @property
    def forgetting(self) -> Forgetting:
        """Its forgetting of users."""
        return self.app().forgetting

    @property
    def wording(self) -> Wording:
        """Its forbidden words."""
        return self.app().wording

    @property
    def templates(self) -> Templates:
        """Its templates at WeChat."""
        return self.app().templates

    @property
    def account(self) -> Account:
        """Its account at WeChat."""
        return self.app().account

    @property
    def callbacks(self) -> Door:
        """Its callback door."""
        return self.app().callbacks

    @property
    def forwarding(self) -> Forwarding:
        """Its forwarding of callbacks."""
        return self.app().forwarding

    @property
    def allowance(self) -> Allowance:
        """Its calls of the day."""
        return self.app().allowance

    @property
    def delivery(self) -> Delivery:
        """Its delivery."""
        return self.app().delivery

    def _parts(self, appid: object) -> AppParts:
        return self.app(appid).parts

    def _connect(self, known: KnownApp) -> ConnectedApp:
        """Return what is connected of an app; anew if its settings have changed."""
        connected = self._connected.get(known.appid)
        if connected is not None and connected.app is known:
            return connected
        with self._lock:
            connected = self._connected.get(known.appid)
            if connected is not None and connected.app == known:
                return connected
            made = ConnectedApp(known, self.connections, is_draining=self._is_draining)
            self._connected[known.appid] = made
        if connected is not None:
            connected.finish()
        return made

    @cached_property
    def _post(self) -> Post:
        # Made on the loop, by the first call that there is.
        may_connect = anywhere if self.settings.private_webhooks else is_public
        post = Post(Reach(may_connect=may_connect, seconds=5.0))
        self.connections.close_with(post.aclose)
        return post

    def _declare_campaigns(self) -> bool:
        try:
            declared = campaigns_in(self.settings.campaigns)
        except Misconfigured as trouble:
            emit(CampaignNotTaken(key=self.settings.campaigns, why=str(trouble)))
            return False
        return self.campaigns.declare(declared)

    def _campaign_parts(self, app_no: int) -> Parts | None:
        app = self.app_numbered(app_no)
        return None if app is None else app.campaign_parts

    def _rate(self, app_no: int) -> float | None:
        app = self.app_numbered(app_no)
        return None if app is None else app.limit().per_second

    def _prove_credentials(self, appid: str, secret: str) -> None:
        self.connections.loop.run(prove_credentials(self.connections.client, appid=appid, secret=secret))
