"""The OpenAPI document against the doors: schemathesis asks whatever the document allows, and what it does not.

Whatever it asks, each route answers with a status, headers and a body that are documented, and never with a fault of
ours.
"""

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as openapi_checks

from pushjobs.http.v1.document import document
from pushjobs.http.v1.table import ROUTES
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from tests.integration.doors_process import DoorsProcess, key, served
from tests.integration.own_api import order

__all__ = ["key", "served"]

GOOD = GenerationMode.POSITIVE
EXAMPLES = 60 if os.environ.get("PUSHJOBS_TEST_FULL") == "1" else 6
CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.unsupported_method,
]
# A run of the same examples each time, in a time that is known; the full count looks for new ones.
USUAL = hypothesis_settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == 6,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def environment(environment: dict[str, str], sandbox: SandboxClient) -> dict[str, str]:
    """An installation whose WeChat answers."""
    assert sandbox is not None
    return environment


def operations() -> Iterator[schemathesis.APIOperation[Any, Any, Any, Any]]:
    """Every operation of the document."""
    for found in schemathesis.openapi.from_dict(document(ROUTES)).get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


@pytest.mark.timeout(900 if EXAMPLES > 6 else 120)
def test_every_answer_is_documented(served: tuple[DoorsProcess, httpx.Client], runtime: Runtime) -> None:
    """No 500, no status, type, header or body that the document does not have, and nothing taken that it refuses."""
    _, client = served
    jobs = [client.post("/v1/jobs", json=order(number)).json()["id"] for number in range(3)]
    runtime.producer.cancel(jobs[0])
    found = []
    for operation in operations():
        for mode in GenerationMode:
            try:
                # What is no number stays none: the numbers of jobs that are there are tried among the good ones.
                ask(operation.as_strategy(generation_mode=mode), client, jobs if mode is GOOD else [])
            except BaseExceptionGroup as several:
                found.append(f"{operation.label} {several.exceptions}")
            except AssertionError as fault:
                found.append(f"{operation.label} {fault}")
    assert not found, "\n\n".join(found)


def ask(cases: st.SearchStrategy[Case[Any]], client: httpx.Client, jobs: list[int]) -> None:
    """Ask all that is made up, about jobs that are there too."""

    @USUAL
    @given(case=cases, job=st.sampled_from([None, *jobs]))
    def answer(case: Case[Any], job: int | None) -> None:
        if job is not None and "id" in case.path_parameters:
            case.path_parameters["id"] = job
        case.call_and_validate(
            base_url=str(client.base_url), headers={"Authorization": client.headers["Authorization"]}, checks=CHECKS
        )

    answer()
