"""The dashboard and the alert rules ask for figures that there are, in PromQL that Prometheus reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from pushjobs.figures import FIGURES, Kind

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "pushjobs.json"
RULES = DEPLOY / "prometheus" / "rules.yml"

# What Grafana writes in place of its variables.
VARIABLES = {"$__rate_interval": "1m", "$app": ".*"}


def labels_by_metric() -> dict[str, set[str]]:
    """Every series that `/metrics` may have, with its labels."""
    found: dict[str, set[str]] = {}
    for figure in FIGURES:
        labels = set(figure.labels)
        if figure.kind is Kind.HISTOGRAM:
            found |= {f"{figure.name}_{part}": labels for part in ("count", "sum")}
            found[f"{figure.name}_bucket"] = labels | {"le"}
        else:
            found[figure.name] = labels
    return found


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels, without its headings."""
    return [each for each in json.loads(DASHBOARD.read_text())["panels"] if each["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Every question asked of Prometheus, with where it stands."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            expr = target["expr"]
            for name, value in VARIABLES.items():
                expr = expr.replace(name, value)
            yield panel["title"], expr


def nodes(node: object) -> Iterator[Any]:
    """Every part of an expression."""
    yield node
    for name in ("lhs", "rhs", "expr", "vector_selector"):
        if (inner := getattr(node, name, None)) is not None:
            yield from nodes(inner)
    for inner in getattr(node, "args", None) or ():
        yield from nodes(inner)


def selected(expr: str) -> list[tuple[str, set[str]]]:
    """The series an expression reads, with the labels it selects them by."""
    return [
        (node.name or "", {matcher.name for matcher in node.matchers.matchers})
        for node in nodes(promql_parser.parse(expr))
        if isinstance(node, promql_parser.VectorSelector)
    ]


@pytest.mark.parametrize(("where", "expr"), [*expressions()], ids=[where for where, _ in expressions()])
def test_each_asks_for_what_there_is(where: str, expr: str) -> None:
    """Its metrics exist and have the labels that it selects and groups by."""
    known = labels_by_metric()
    read = selected(expr)
    assert read, f"{where} reads nothing"
    for name, labels in read:
        assert name in known, f"{where} reads {name}, which nothing says"
        assert labels <= known[name]
    for node in nodes(promql_parser.parse(expr)):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            inner = [
                known[part.name or ""] for part in nodes(node.expr) if isinstance(part, promql_parser.VectorSelector)
            ]
            assert set(node.modifier.labels) <= set.intersection(*inner)


def test_every_figure_is_looked_at() -> None:
    """No figure is served that neither the dashboard nor a rule reads."""
    read = {name for _, expr in expressions() for name, _ in selected(expr)}
    for figure in FIGURES:
        assert any(name.startswith(figure.name) for name in read), figure.name


def test_whoever_is_woken_is_told_what_to_do() -> None:
    """Each alert says what is wrong and what to do, and how bad it is."""
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}
    for panel in panels():
        assert panel["description"], panel["title"]


def test_panels_lie_side_by_side() -> None:
    """No panel covers another, none is beyond the page."""
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
