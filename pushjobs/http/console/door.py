"""The console as a door: every request goes the same way, from its cookie to its page.

Who is signed in is asked of SQL each time, in the thread that then does what is asked: so a session that was ended is
over for whoever comes next. A POST is believed when it comes from a page of ours and brings its proof along; only then
its view is asked. What a view refuses becomes a page that says so, in the words of the refusal.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pushjobs.errors import InvalidInput, NotFound, NotPermitted, NotPossible, PushJobsError, UnknownClient
from pushjobs.http.console.asked import Asked, moved, ours
from pushjobs.http.console.assets import Assets
from pushjobs.http.console.errands import Errands
from pushjobs.http.console.guard import comes_from_here, is_proven
from pushjobs.http.console.pages import PAGES
from pushjobs.http.console.rendering import Rendering, Surroundings
from pushjobs.http.console.signing import Signing
from pushjobs.http.console.visit import Answer, Moved, Page, Shown, Visit
from pushjobs.http.faults import Faults
from pushjobs.http.permission import Permission
from pushjobs.http.v1.problems import Refused, is_ours
from pushjobs.runtime import Runtime
from pushjobs.sessions import Session
from pushjobs.telemetry.asking import ASKING

__all__ = ["Console"]

_THREADS = 4
_AT_ONCE = 64
_SIGN_IN = "/console/sign-in"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # A form that is posted would come from nowhere with `no-referrer`.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    # What one language, or one who is signed in, is shown is nobody else's.
    "Vary": "Cookie, Accept-Language",
}
_STATUS: Sequence[tuple[type[PushJobsError], HTTPStatus]] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (NotPossible, HTTPStatus.CONFLICT),
    (NotPermitted, HTTPStatus.FORBIDDEN),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
)


class Console:
    """The console over one Runtime; used from one event loop."""

    def __init__(self, runtime: Runtime, permission: Permission, faults: Faults) -> None:
        self._runtime = runtime
        self._faults = faults
        self._assets = Assets()
        self._rendering = Rendering(self._assets)
        self._signing = Signing(runtime, permission)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="console")
        self._errands = Errands()
        self._left = _AT_ONCE
        self._entries = [(page.path, page.entry) for page in PAGES if page.entry is not None]

    def door(self) -> APIRouter:
        """Return everything as routes."""
        router = APIRouter()

        def add(path: str, endpoint: Callable[[Request], Awaitable[Response]], method: str) -> None:
            router.add_route(path, endpoint, methods=[method], include_in_schema=False)

        async def home(_: Request) -> Response:
            return RedirectResponse(self._entries[0][0], HTTPStatus.SEE_OTHER)

        add("/console", home, "GET")
        add("/console/", home, "GET")
        add(Assets.path, self._assets.serve, "GET")
        add(_SIGN_IN, self._guarded(self._show_sign_in), "GET")
        add(_SIGN_IN, self._guarded(self._sign_in), "POST")
        add("/console/sign-out", self._guarded(self._sign_out), "POST")
        add("/console/preferences", self._guarded(self._prefer), "POST")
        for page in PAGES:
            add(page.path, self._guarded(self._endpoint(page)), page.method)
        return router

    def close(self) -> None:
        """End the threads, when they have done what they have in hand."""
        self._errands.close()
        self._threads.shutdown(cancel_futures=True)

    def _guarded(self, serve: Callable[[Asked], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Read a request's form and see that it is from a page of ours, for whatever is served."""

        async def endpoint(request: Request) -> Response:
            asked = Asked(request)
            if self._left <= 0:
                return self._fault(asked, HTTPStatus.SERVICE_UNAVAILABLE, asked.words("fault.busy"))
            self._left -= 1
            try:
                if request.method == "POST":
                    if not comes_from_here(request):
                        return self._fault(asked, HTTPStatus.FORBIDDEN, asked.words("fault.elsewhere"))
                    await asked.read_form()
                response = await serve(asked)
            except Refused as refused:
                return self._fault(asked, refused.kind.status, refused.detail, headers=refused.headers)
            except PushJobsError as error:
                return self._refused(asked, error, None)
            finally:
                self._left += 1
            response.headers.update(_HEADERS)
            return response

        return endpoint

    def _endpoint(self, page: Page) -> Callable[[Asked], Awaitable[Response]]:
        async def serve(asked: Asked) -> Response:
            work = copy_context()
            return await asyncio.get_running_loop().run_in_executor(self._threads, work.run, self._answer, page, asked)

        return serve

    def _answer(self, page: Page, asked: Asked) -> Response:
        """Do all that takes its time, in a thread."""
        try:
            session = self._runtime.sessions.find(asked.cookies.read("session") or "")
        except UnknownClient:
            return self._send_to_sign_in(asked)
        except PushJobsError as error:
            return self._refused(asked, error, None)
        if (asking := ASKING.get()) is not None:
            asking.client = session.client.name
        if page.method == "POST" and not is_proven(session.proof, asked.proof):
            return self._fault(asked, HTTPStatus.FORBIDDEN, asked.words("fault.unproven"))
        around = None
        try:
            visit = self._visit(asked, session)
            around = self._around(asked, page, session, visit)
            return self._worded(page.view(visit), around, asked)
        except PushJobsError as error:
            return self._refused(asked, error, around)

    def _visit(self, asked: Asked, session: Session) -> Visit:
        apps = sorted(
            (each.app for each in self._runtime.all_apps() if session.client.may(appid=each.app.appid)),
            key=lambda app: (not app.is_default, app.appid),
        )
        if not apps:
            raise NotFound("there is no app that the client may operate: see `pushjobs app list`")
        chosen = asked.cookies.read("app")
        app = next((each for each in apps if each.appid == chosen), apps[0])
        return Visit(
            runtime=self._runtime,
            client=session.client,
            app=self._runtime.app(app.appid),
            apps=apps,
            words=asked.words,
            path=asked.request.path_params,
            query=dict(asked.request.query_params),
            form=asked.form,
            is_part=asked.is_part,
            errands=self._errands,
        )

    def _around(self, asked: Asked, page: Page, session: Session, visit: Visit) -> Surroundings:
        return Surroundings(
            words=asked.words,
            theme=asked.theme,
            path=asked.here,
            place=page.place or page.entry,
            entries=self._entries,
            proof=session.proof,
            client=session.client.name,
            apps=[each.appid for each in visit.apps],
            appid=visit.appid,
            zone=visit.app.app.settings.zone,
            notice=asked.cookies.notice(),
        )

    def _worded(self, answer: Answer, around: Surroundings, asked: Asked) -> Response:
        if isinstance(answer, Moved):
            response: Response = moved(asked, answer.to)
            if answer.notice is not None:
                asked.cookies.tell(response, answer.notice)
            return response
        response = HTMLResponse(self._rendering.page(answer.template, around, answer.values), answer.status)
        if around.notice is not None and not answer.template.startswith("_"):
            asked.cookies.drop(response, "notice")
        return response

    async def _show_sign_in(self, asked: Asked) -> Response:
        return self._sign_in_page(asked, HTTPStatus.OK, None)

    async def _sign_in(self, asked: Asked) -> Response:
        if not is_proven(asked.visitor_proof, asked.proof):
            return self._sign_in_page(asked, HTTPStatus.FORBIDDEN, "fault.unproven")
        tried = await self._signing.sign_in(asked.request, asked.field("id"), asked.field("key"))
        if tried.token is None:
            status = HTTPStatus.TOO_MANY_REQUESTS if tried.wait else HTTPStatus.UNAUTHORIZED
            return self._sign_in_page(asked, status, tried.fault, wait=tried.wait)
        response = RedirectResponse(ours(asked.field("next")), HTTPStatus.SEE_OTHER)
        asked.cookies.sign_in(response, tried.token)
        return response

    def _sign_in_page(self, asked: Asked, status: HTTPStatus, fault: str | None, *, wait: int = 0) -> Response:
        around = Surroundings(words=asked.words, theme=asked.theme, path=asked.here, proof=asked.visitor_proof)
        values = {
            "fault": None if fault is None else asked.words(fault, count=wait),
            "next": asked.field("next") or asked.request.query_params.get("next", ""),
            "id": asked.field("id"),
            "is_unsafe": asked.cookies.is_open and not asked.cookies.is_local,
        }
        response = HTMLResponse(self._rendering.page("sign_in.html", around, values), status)
        asked.cookies.know(response, asked.visitor)
        if wait:
            response.headers["Retry-After"] = str(wait)
        return response

    async def _sign_out(self, asked: Asked) -> Response:
        token = asked.cookies.read("session") or ""
        response = RedirectResponse(_SIGN_IN, HTTPStatus.SEE_OTHER)
        if is_proven(asked.session_proof, asked.proof):
            await asyncio.get_running_loop().run_in_executor(self._threads, self._signing.sign_out, token)
            asked.cookies.sign_out(response)
        return response

    async def _prefer(self, asked: Asked) -> Response:
        response = RedirectResponse(ours(asked.field("back")), HTTPStatus.SEE_OTHER)
        if any(is_proven(proof, asked.proof) for proof in (asked.session_proof, asked.visitor_proof)):
            for name in ("language", "theme", "app"):
                if value := asked.field(name)[:64]:
                    asked.cookies.keep(response, name, value)
        return response

    def _send_to_sign_in(self, asked: Asked) -> Response:
        back = f"?next={quote(asked.here, safe='')}" if asked.request.method == "GET" and not asked.is_part else ""
        response = moved(asked, _SIGN_IN + back)
        asked.cookies.sign_out(response)
        return response

    def _refused(self, asked: Asked, error: PushJobsError, around: Surroundings | None) -> Response:
        if is_ours(error):
            self._faults.tell(str(error))
            return self._fault(asked, HTTPStatus.SERVICE_UNAVAILABLE, asked.words("fault.ours"), around=around)
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.CONFLICT)
        return self._fault(asked, status, str(error), around=around)

    def _fault(
        self,
        asked: Asked,
        status: HTTPStatus,
        words: str,
        *,
        headers: Mapping[str, str] | None = None,
        around: Surroundings | None = None,
    ) -> Response:
        if around is None:
            around = Surroundings(words=asked.words, theme=asked.theme, path="/console/", proof="")
        template = "_fault.html" if asked.is_part else "fault.html"
        shown = Shown(template=template, values={"status": status.value, "words": words})
        text = self._rendering.page(shown.template, around, shown.values)
        return HTMLResponse(text, status, {**_HEADERS, **(headers or {})})
