"""The alerts, the dashboard and the runbook: each metric in them is one that a node has, each alert has its section."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.usernym.test_metrics import fetch
from usernym.metrics import MetricsServer
from usernym.node import NodeStatus
from usernym.protocol.errors import Code

ROOT: Final = Path(__file__).resolve().parents[2]
RULES: Final = ROOT / "contrib" / "prometheus" / "usernym.rules.yml"
DASHBOARD: Final = ROOT / "contrib" / "grafana" / "usernym-node.json"
RUNBOOK: Final = ROOT / "docs" / "runbook.md"
ALERTS: Final = re.findall(r"- alert: (\S+)\n +expr: '(.*)'\n", RULES.read_text())
OF_PROMETHEUS: Final = {"up"}
HEALTHY: Final[dict[str, str]] = {
    'up{job="usernym",instance="n"}': "1x800",
    'process_start_time_seconds{job="usernym",instance="n"}': "5x800",
    'usernym_mixnet_up{instance="n"}': "1x800",
    'usernym_disk_free_bytes{instance="n"}': "50000000000x800",
    'usernym_inbox{instance="n",actor="io"}': "3x800",
    'usernym_work_bits{instance="n"}': "16x800",
    'process_resident_memory_bytes{job="usernym",instance="n"}': "90000000x800",
    'usernym_events_total{instance="n",event="storage_failed"}': "0x800",
    'usernym_events_total{instance="n",event="bugs"}': "0x800",
    'usernym_events_total{instance="n",event="traces_left"}': "2x800",
}
"""A day without trouble, a sample a minute, as promtool writes series."""
FAULTS: Final[dict[str, tuple[str, str]]] = {
    "UsernymNodeDown": ('up{job="usernym",instance="n"}', "0x800"),
    "UsernymNodeRestarts": ('process_start_time_seconds{job="usernym",instance="n"}', "0+1x800"),
    "UsernymNoMixnet": ('usernym_mixnet_up{instance="n"}', "0x800"),
    "UsernymStorageFailed": ('usernym_events_total{instance="n",event="storage_failed"}', "0+1x800"),
    "UsernymDiskNearlyFull": ('usernym_disk_free_bytes{instance="n"}', "900000000x800"),
    "UsernymDiskFillsUp": ('usernym_disk_free_bytes{instance="n"}', "20000000000-10000000x800"),
    "UsernymBug": ('usernym_events_total{instance="n",event="bugs"}', "0+1x800"),
    "UsernymOverloaded": ('usernym_inbox{instance="n",actor="io"}', "600x800"),
    "UsernymRegistrationFlood": ('usernym_work_bits{instance="n"}', "16x100 22x700"),
    "UsernymMemory": ('process_resident_memory_bytes{job="usernym",instance="n"}', "800000000x800"),
    "UsernymLogStays": ('usernym_events_total{instance="n",event="traces_left"}', "0+0.2x800"),
}
"""What each alert is for: the one series that is otherwise, and how."""


def expressions() -> list[str]:
    """Every query of the alerts and of the dashboard."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [expression for _, expression in ALERTS] + [
        target["expr"] for panel in panels for target in panel["targets"]
    ]  # fmt: skip


def metrics_of_a_node() -> set[str]:
    status = NodeStatus(True, 1, 2, inboxes={"io": 1}, counters={"io": {"bugs": 1}})
    with MetricsServer(lambda _: status, 0) as server:
        return {
            sample.name for family in text_string_to_metric_families(fetch(server.port)) for sample in family.samples
        }


def events_of_the_actors() -> set[str]:
    source = "".join(path.read_text() for path in (ROOT / "actors").rglob("*.py"))
    plain = set(re.findall(r'counts\["(\w+)"\]', source))
    assert 'counts[f"refused_{error.code.name.lower()}"]' in source
    return plain | {f"refused_{code.name.lower()}" for code in Code}


@pytest.mark.seconds
def test_every_metric_that_is_asked_for_is_one_that_a_node_has() -> None:
    known = metrics_of_a_node() | OF_PROMETHEUS
    asked = set()
    for expression in expressions():
        bare = re.sub(r'"[^"]*"|\{|\}|\[\w+\]|\((?:instance|actor)[\w, ]*\)', " ", expression)
        words = set(re.findall(r"\b[a-z_][a-z0-9_]*\b", bare))
        asked |= {word for word in words if "_" in word or word in OF_PROMETHEUS}
    functions = {"predict_linear", "min_over_time"}
    assert asked - functions <= known, "or a query shows nothing for ever"
    assert {"usernym_mixnet_up", "usernym_disk_free_bytes", "process_start_time_seconds"} <= asked


def test_every_event_that_is_asked_for_is_one_that_actors_count() -> None:
    known = events_of_the_actors()
    asked = re.findall(r'event(=~?)"([^"]*)"', "\n".join(expressions()))
    assert len(asked) > 10
    for operator, pattern in asked:
        for each in pattern.split("|") if operator == "=~" else [pattern]:
            assert [event for event in known if re.fullmatch(each, event)], each


def test_every_alert_has_its_runbook_and_every_section_its_alert() -> None:
    names = [name for name, _ in ALERTS]
    assert len(names) == RULES.read_text().count("- alert:") >= 10
    assert re.findall(r"^## (\S+)$", RUNBOOK.read_text(), re.MULTILINE) == names
    links = re.findall(r"runbook: docs/runbook\.md#(\S+)", RULES.read_text())
    assert links == [name.lower() for name in names]
    sections = re.split(r"^## \S+$", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    for name, section in zip(names, sections, strict=True):
        assert "**Do**" in section or "](#" in section, name


def test_the_dashboards_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)


# -- as Prometheus sees them ------------------------------------------------------------------------------------------

needs_promtool: Final = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (Debian: in the package prometheus)"
)


def promtool(*arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_prometheus_takes_the_rules() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", "--lint-fatal", str(RULES))


@pytest.mark.seconds
@needs_promtool
def test_each_alert_is_raised_by_its_fault_and_none_on_a_good_day(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"  # without the texts, which promtool would compare
    rules.write_text(re.sub(r" +annotations:\n(?: {10}.*\n)+", "", RULES.read_text()))
    severities = dict(re.findall(r"- alert: (\S+)\n(?:.*\n){3} +severity: (\w+)", RULES.read_text()))
    assert set(FAULTS) == set(severities)
    tests: list[dict[str, Any]] = []
    for fault in (None, *FAULTS):
        series = dict(HEALTHY)
        if fault is not None:
            series[FAULTS[fault][0]] = FAULTS[fault][1]
        labels = re.findall(r'(\w+)="([^"]*)"', FAULTS[fault][0]) if fault else []
        raised = [{"exp_labels": {**dict(labels), "severity": severities[fault]}}] if fault else []
        tests.append({
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [
                {"eval_time": "12h", "alertname": name, "exp_alerts": raised if name == fault else []}
                for name in FAULTS
            ],
        })  # fmt: skip
    (tmp_path / "test.yml").write_text(json.dumps({"rule_files": [str(rules)], "tests": tests}))
    promtool("test", "rules", str(tmp_path / "test.yml"))
