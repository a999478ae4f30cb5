"""The report for programs: one shape for every end of a run. ``report.schema.json`` and docs/report.md describe it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from fedssh.errors import FedsshError
    from fedssh.federation.report import CheckFinding, ClusterReport, PlannedChange, Report


def render_json(report: Report) -> str:
    """Return the document; what is for people alone (the summary) is not in it."""
    return json.dumps(_report_to_json(report), indent=2) + "\n"


def render_yaml(report: Report) -> str:
    """Return the same document as YAML."""
    text: str = yaml.safe_dump(_report_to_json(report), sort_keys=False, allow_unicode=True)
    return text


def _report_to_json(report: Report) -> dict[str, Any]:
    return {
        "apiVersion": "fedssh/v1",
        "kind": "Report",
        "verb": report.verb,
        "dryRun": report.dry_run,
        "exitCode": report.exit_code,
        "changed": report.changed,
        f"{report.engine}Version": report.engine_version,
        "clusters": [_cluster_to_json(cluster) for cluster in report.clusters],
        "error": _error_to_json(report.error),
    }


def _cluster_to_json(cluster: ClusterReport) -> dict[str, Any]:
    return {
        "name": cluster.name,
        "role": cluster.role,
        "state": cluster.state,
        "proven": cluster.proven,
        "apiServer": cluster.api_server,
        "labels": dict(cluster.labels),
        "plan": [_change_to_json(change) for change in cluster.plan],
        "changes": list(cluster.changes),
        "notices": list(cluster.notices),
        "message": cluster.message,
        "reason": cluster.reason,
        "kubernetesVersion": cluster.kubernetes,
        "tls": cluster.tls,
        "credential": {"issued": cluster.issued, "ends": cluster.ends},
        "inInventory": cluster.in_inventory,
        "error": _error_to_json(cluster.error),
        "furtherErrors": [_error_to_json(error) for error in cluster.further],
        "aftermath": list(cluster.aftermath),
        "findings": [_finding_to_json(finding) for finding in cluster.findings],
        "residue": [{"where": one.where, "what": one.what, "commands": list(one.commands)} for one in cluster.residue],
    }


def _finding_to_json(finding: CheckFinding) -> dict[str, Any]:
    return {
        "topic": finding.topic,
        "state": finding.state,
        "text": finding.text,
        "since": finding.since,
        "leadsTo": finding.leads_to,
        "hint": finding.hint,
    }


def _change_to_json(change: PlannedChange) -> dict[str, Any]:
    return {
        "step": change.step,
        "text": change.text,
        "change": change.change,
        "why": change.why,
        "needs": change.needs,
    }


def _error_to_json(error: FedsshError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "message": error.message,
        "machine": error.machine,
        "step": error.step,
        "hint": error.hint,
        "exitCode": error.exit_code,
    }
