"""The whole of `/v1` as one door: its routes, its page, and their end."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from pushjobs.http.faults import Faults
from pushjobs.http.gathering import Gathering
from pushjobs.http.permission import Permission
from pushjobs.http.v1.capacity import Capacity
from pushjobs.http.v1.page import pages
from pushjobs.http.v1.problems import BROKEN, NOT_A_METHOD, NOT_FOUND, problem
from pushjobs.http.v1.serving import Serving
from pushjobs.http.v1.table import ROUTES
from pushjobs.runtime import Runtime

__all__ = ["OwnApi", "problem_of"]


class OwnApi:
    """Our own API over one Runtime; used from one event loop."""

    def __init__(self, runtime: Runtime, permission: Permission, gathering: Gathering, faults: Faults) -> None:
        self._capacity = Capacity()
        self._serving = Serving(runtime, permission, gathering, self._capacity, faults)

    def door(self) -> APIRouter:
        """Return everything as routes."""
        router = self._serving.door(ROUTES)
        router.routes.extend(_pages().routes)
        return router

    def close(self) -> None:
        """End the threads, when they have done what they have in hand."""
        self._capacity.close()


@cache
def _pages() -> APIRouter:
    """Write the pages once a process: it takes as long as all the rest of the doors."""
    return pages(ROUTES)


def problem_of(status: HTTPStatus, headers: Mapping[str, str] | None) -> Response:
    """Word what no route has answered: no such address, no such method, a fault of ours."""
    match status:
        case HTTPStatus.NOT_FOUND:
            return problem(NOT_FOUND, "no route has that address: see /docs", headers=headers)
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return problem(NOT_A_METHOD, "see /docs for the methods of that address", headers=headers)
        case _:
            return problem(BROKEN, "it was noted, and is for whoever runs this installation", headers=headers)
