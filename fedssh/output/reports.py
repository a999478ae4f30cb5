"""The result of a run on stdout, for people or for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fedssh.output.console import styled, write_result
from fedssh.output.json_report import render_json
from fedssh.output.plans import render_plan
from fedssh.output.tables import render_table

if TYPE_CHECKING:
    from fedssh.federation.report import Report

Format = Literal["table", "json"]


def show_result(report: Report, output: Format) -> None:
    """Print what belongs on stdout: as JSON exactly one document, for people what the report holds for them."""
    if output == "json":
        write_result(render_json(report))
        return
    if report.clusters and report.dry_run:
        for line in render_plan(report):
            write_result(line)
    elif report.clusters and report.has_table:
        write_result(render_table(report))
    if report.summary:
        write_result(styled(report.summary))
