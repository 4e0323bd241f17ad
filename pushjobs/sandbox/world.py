"""The state of the stand-in: its apps with what WeChat knows of each, the tokens, the faults on order, the log.

Everything lives in memory and on one thread; a request is judged from beginning to end before the next one is looked
at. Apps share nothing: an open id, a template or a token of one means nothing to another.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from pushjobs import clock
from pushjobs.sandbox.answers import Refusal, refusal
from pushjobs.sandbox.callbacks import Callbacks
from pushjobs.sandbox.catalogue import LONG_TERM, Template, legacy_templates, ready_templates
from pushjobs.sandbox.faults import Faults
from pushjobs.sandbox.limits import Meter
from pushjobs.sandbox.options import SandboxOptions
from pushjobs.sandbox.past_requests import PastRequests
from pushjobs.sandbox.received import Received
from pushjobs.sandbox.tokens import Tokens

__all__ = ["FORM_ID_LIFE", "LOGIN_CODE_LIFE", "PREPAY_MESSAGES", "App", "CheckedWord", "FormId", "LoginCode", "World"]

FORM_ID_LIFE = 7 * 86400.0
PREPAY_MESSAGES = 3
LOGIN_CODE_LIFE = 300.0


@dataclass(slots=True)
class FormId:
    """A legacy permission: `left` messages to one user until `expires_at`."""

    touser: str
    left: int
    expires_at: float


@dataclass(slots=True, kw_only=True)
class LoginCode:
    """A code of `wx.login`: whom it stands for, once, until `expires_at`."""

    touser: str
    unionid: str | None = None
    expires_at: float = math.inf
    is_used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedWord:
    """A word that the content check minds: it makes a text risky, or one for review, and is about `label`."""

    word: str
    suggest: str
    label: int


class App:
    """One Mini Program: its secret, its templates, its users, and what they allowed."""

    def __init__(self, appid: str, secret: str) -> None:
        self.appid = appid
        self.secret = secret
        self.templates: dict[str, Template] = ready_templates()
        self.legacy_templates: dict[str, Template] = legacy_templates()
        self.credits: dict[tuple[str, str], int] = {}
        self.form_ids: dict[str, FormId] = {}
        self.login_codes: dict[str, LoginCode] = {}
        self.clearances: Counter[tuple[int, int]] = Counter()
        self.known: set[str] = set()
        self.invalid: set[str] = set()
        self.refusing: set[str] = set()
        self.in_flight: set[str] = set()
        self.seen_at: dict[str, float] = {}
        self.checked_words: dict[str, CheckedWord] = {}
        self.check_meter = Meter()
        self.meters: defaultdict[str, Meter] = defaultdict(Meter)

    def spend_credit(self, touser: str, template: Template) -> None:
        """Use up one message of a one-time consent; a long-term one stays."""
        key = (touser, template.id)
        if template.kind != LONG_TERM and key in self.credits:
            self.credits[key] = max(0, self.credits[key] - 1)


class World:
    """Everything the sandbox knows. `reset` goes back to the start, but tokens stay good and msgids go on."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self.tokens = Tokens()
        # WeChat's msgids are 64-bit integers, far above what a double holds; the clock makes them differ between runs.
        self.msgids: Iterator[int] = count(int(clock.now().timestamp() * 1_000_000_000))
        self.callbacks = Callbacks()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the tokens."""
        self.settings = self._options.settings
        self.apps = {appid: App(appid, secret) for appid, secret in self._options.apps.items()}
        self.faults = Faults()
        self.received = Received()
        self.past_requests = PastRequests()
        self.callbacks.reset()

    def app_of(self, token: str | None, at: float) -> App | Refusal:
        """Return the app a token speaks for, or WeChat's refusal of the token."""
        grant = self.tokens.find(token, at)
        return grant if isinstance(grant, Refusal) else self.apps[grant.appid]

    def first_app(self) -> App:
        """Return the app that is meant where a control door is told none."""
        return next(iter(self.apps.values()))

    def app_with_secret(self, appid: object, secret: object) -> App | Refusal:
        """Return the app of a pair of credentials, or WeChat's refusal of them."""
        if not appid:
            return refusal(41002)
        if not secret:
            return refusal(41004)
        app = self.apps.get(appid) if isinstance(appid, str) else None
        if app is None:
            return refusal(40013)
        return app if secret == app.secret else refusal(40125)
