"""The result of a run on stdout, for people or for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fedssh.output.checks import render_findings
from fedssh.output.console import styled, write_result
from fedssh.output.documents import render_json, render_yaml
from fedssh.output.plans import render_plan
from fedssh.output.tables import render_table

if TYPE_CHECKING:
    from fedssh.federation.report import Report
    from fedssh.output.messages import Messages

Format = Literal["table", "wide", "json", "yaml", "name"]


def show_result(report: Report, output: Format, *, verbose: bool = False) -> None:
    """Print what belongs on stdout: a document, a plan, findings, the table, or the clusters' names.

    Args:
        report: How the run ended.
        output: As what it is printed.
        verbose: Whether findings are all printed, those that are in order as well.
    """
    if output == "json":
        write_result(render_json(report))
    elif output == "yaml":
        write_result(render_yaml(report))
    elif output == "name":
        for cluster in report.clusters:
            write_result(styled(cluster.name))
    elif report.clusters and report.dry_run and not report.error:
        for line in render_plan(report):
            write_result(line)
    elif any(cluster.findings for cluster in report.clusters):
        for line in render_findings(report, whole=verbose or output == "wide"):
            write_result(line)
    elif report.clusters and report.has_table:
        write_result(render_table(report, wide=output == "wide"))


def show_plan(report: Report, messages: Messages) -> None:
    """Tell the plan to whoever is going to be asked whether to go on with it."""
    for line in render_plan(report):
        messages.show(line)
