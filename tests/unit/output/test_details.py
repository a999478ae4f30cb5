"""The table of ``status``: why, versions, TLS, the credential's age and end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fedssh.federation.report import ClusterReport, Report
from fedssh.output.console import write_result
from fedssh.output.tables import render_table


def at(**ahead: float) -> str:
    """Return a time from now as Kubernetes writes it."""
    return (datetime.now(UTC) + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"issued": at(days=-12, hours=-1), "ends": "never"}, "12 d, never ends"),
        ({"issued": at(hours=-1), "ends": at(days=3, hours=1)}, "0 d, ends in 3 d"),
        ({"ends": at(days=-1)}, "has ended"),
        ({"issued": "nonsense"}, "-"),
        ({}, "-"),
    ],
)
def test_the_credential_has_an_age_and_an_end(
    said: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In whole days; what is not known is left out."""
    cluster = ClusterReport(name="m", role="member", state="Ready", kubernetes="v1.33.1", tls="pin", **said)  # type: ignore[arg-type]
    write_result(render_table(Report(verb="status", clusters=(cluster,), has_details=True)))
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["CLUSTER", "ROLE", "STATE", "KUBERNETES", "TLS", "CREDENTIAL", "API", "SERVER"]
    assert f" {words} " in f"{line} "


def test_why_it_is_not_ready_and_who_is_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason stands beside the state; a stranger is marked; labels stand in the wide table."""
    cluster = ClusterReport(
        name="m", role="member", state="NotReady", reason="token refused", in_inventory=False, labels={"a": "b"}
    )
    made = Report(verb="status", clusters=(cluster,), has_details=True)
    write_result(render_table(made))
    line = capsys.readouterr().out.splitlines()[1]
    assert "member, not in hosts.yaml" in line
    assert "NotReady: token refused" in line
    assert "a=b" not in line
    write_result(render_table(made, wide=True))
    assert "a=b" in capsys.readouterr().out
