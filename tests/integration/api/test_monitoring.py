"""What `docs/monitoring` asks of metrics is there to be answered."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families as parse

from cronjobs.history import roll_up
from cronjobs.metrics import families
from cronjobs.models import JobExecution, Node, Queue
from cronjobs.models.moves import claim
from tests.documentation import ASK_THE_DATABASE, PARTS, part_of
from tests.integration.api.rows import ended
from tests.integration.conftest import NOON
from tests.servers import ROOT

pytestmark = pytest.mark.django_db

FILES = ROOT / "docs" / "monitoring"
METRIC = re.compile(r"\bcronjobs_\w+")
# A metric with conditions on its labels, and a function that names labels.
SELECTED = re.compile(r"\b(cronjobs_\w+)\{([^}]*)\}")
CONDITION = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
GROUPED = re.compile(r"\b(?:by|without|on) \(([^)]*)\)")
# A dashboard's own words.
VARIABLE = re.compile(r"\$\w+|\$\{\w+\}")


def rules():
    [group] = yaml.safe_load((FILES / "prometheus-alerts.yml").read_text())["groups"]
    return group["rules"]


def dashboard():
    return json.loads((FILES / "grafana-dashboard.json").read_text())


def expressions():
    alerts = [each["expr"] for each in rules()]
    board = dashboard()
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return alerts + shown + [each["query"]["query"] for each in board["templating"]["list"] if each["type"] == "query"]


@pytest.fixture
def exposed(viewer, make_job, database_now, settings):
    """The values of each label of each metric, on a site where there is something of everything."""
    settings.CRONJOBS = {**settings.CRONJOBS, "CELERY_APP": "project.celery.app"}
    Queue.objects.create(name="heavy", limit=2, paused=True)
    facts = {
        "hostname": "host",
        "pid": 7,
        "version": "1.2",
        "workers": 8,
        "running": 3,
        "rss_bytes": 1,
        "clock_skew_ms": 1,
    }
    times = dict.fromkeys(("started_at", "heartbeat_at", "last_tick_at"), database_now)
    Node.objects.create(name="a", **facts, **times)
    ended(make_job("noop"), "failed", NOON, took=1, late=1)
    JobExecution.objects.request("noop")
    claim(node="a", limit=1, now=database_now + (database_now - NOON))
    JobExecution.objects.request("noop")
    roll_up()
    found = {}
    for family in parse(viewer.get("/cron/metrics").content.decode()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


def test_every_metric_that_is_named_is_exposed(exposed):
    named = {name for each in expressions() for name in METRIC.findall(each)}

    assert len(named) > 15
    assert named <= exposed.keys()


def test_every_label_and_value_that_is_named_is_exposed(exposed):
    conditions = [
        (metric, *condition)
        for each in expressions()
        for metric, inside in SELECTED.findall(each)
        for condition in CONDITION.findall(inside)
    ]

    assert len(conditions) > 10
    for metric, label, operator, values in conditions:
        assert label in exposed[metric], (metric, label)
        if not VARIABLE.search(values):
            assert set(values.split("|") if "~" in operator else [values]) <= exposed[metric][label], (metric, values)


def test_every_label_that_something_is_grouped_by_is_exposed(exposed):
    for each in expressions():
        labels = {label for name in METRIC.findall(each) for label in exposed[name]}
        for names in GROUPED.findall(each):
            assert {name.strip() for name in names.split(",") if name.strip()} <= labels, each


def test_everything_that_is_exposed_is_told_of_in_the_documentation(exposed):
    page = (ROOT / "docs" / "api.md").read_text()
    stems = {re.sub(r"^cronjobs_|_(bucket|sum|count)$", "", each) for each in exposed}

    assert {each for each in stems if f"`{each}`" not in page} == set()


def test_every_metric_has_the_labels_that_it_says(exposed):
    told = {f"cronjobs_{each.name}": set(each.label_names) for each in families()}
    found = {re.sub(r"_(total|bucket|sum|count)$", "", name): set(labels) - {"le"} for name, labels in exposed.items()}

    assert found == {name: told[name] for name in found}
    assert len(found) > 20


@pytest.mark.parametrize("part", sorted(ASK_THE_DATABASE), ids=" ".join)
def test_the_reference_is_up_to_date(part, settings):
    settings.CRONJOBS = {**settings.CRONJOBS, "CELERY_APP": "tests.celery_app.app"}

    assert part_of(*part) == PARTS[part](), "Run: .venv/bin/python -m tests.documentation"


def test_every_rule_says_what_is_wrong_and_how_bad_that_is():
    alerts = rules()

    assert len({each["alert"] for each in alerts}) == len(alerts) >= 7
    for each in alerts:
        assert each["labels"]["severity"] in {"critical", "warning"}
        assert each["annotations"].keys() == {"summary", "description"}
        assert each["expr"].count("(") == each["expr"].count(")")
        assert not VARIABLE.search(each["expr"])


def test_every_panel_asks_the_data_source_that_somebody_chooses():
    board = dashboard()
    names = {each["name"] for each in board["templating"]["list"]}

    assert names == {"datasource", "job"}
    assert len({each["id"] for each in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        for asks in (panel, *panel["targets"]):
            assert asks["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_no_panels_lie_on_each_other():
    taken = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
