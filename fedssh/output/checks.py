"""What a check has found, for people: by topic, the worst first; of what is in order, how much there is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from fedssh.output.console import styled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from fedssh.federation.report import CheckFinding, Report, Topic

_TITLES: Final[dict[Topic, str]] = {
    "ssh": "SSH: settings, host keys, logins",
    "tools": "Tools and their versions",
    "rights": "Kubeconfigs and their rights",
    "clocks": "Clocks",
    "network": "Names, addresses and TLS",
    "credentials": "Certificates and tokens",
    "engine": "The engine on the host",
    "federation": "The federation's clusters",
    "residue": "What earlier runs have left",
    "journey": "A federated object's journey",
}
_WORST_FIRST: Final = ("problem", "notice", "ok")
_STYLES: Final = {"problem": "bold red", "notice": "bold yellow", "ok": "green"}
_SIGNS: Final = {"problem": "✗", "notice": "!", "ok": "✓"}
_PLAIN_SIGNS: Final = {"problem": "x", "notice": "!", "ok": "-"}
_WIDEST: Final = max(map(len, _TITLES.values()))


def render_findings(report: Report, *, whole: bool) -> Iterator[Text]:
    """Return the lines: a group for each topic, those with problems first; ``whole`` lists what is in order, too."""
    signs = _signs()
    found = [finding for cluster in report.clusters for finding in cluster.findings]
    groups = {topic: [finding for finding in found if finding.topic == topic] for topic in _TITLES}
    ordered = sorted(filter(None, groups.values()), key=_badness)
    for group in ordered:
        yield from _render_group(group, signs, whole=whole)


def _badness(group: Sequence[CheckFinding]) -> int:
    return min(_WORST_FIRST.index(finding.state) for finding in group)


def _render_group(group: Sequence[CheckFinding], signs: dict[str, str], *, whole: bool) -> Iterator[Text]:
    worst = _WORST_FIRST[_badness(group)]
    title, fine = _TITLES[group[0].topic], sum(finding.state == "ok" for finding in group)
    counted = f"{fine} in order" if fine else ""
    yield styled(
        (f"{signs[worst]} ", _STYLES[worst]),
        (f"{title:{_WIDEST}}" if counted else title, "bold"),
        *([(f"   {counted}", "dim")] if counted else []),
    )
    for finding in sorted(group, key=lambda finding: _WORST_FIRST.index(finding.state)):
        if finding.state != "ok" or whole:
            yield from _render_finding(finding, signs)


def _render_finding(finding: CheckFinding, signs: dict[str, str]) -> Iterator[Text]:
    text = "\n      ".join(finding.text.splitlines())
    since = f" (since {finding.since})" * bool(finding.since)
    yield styled(f"  {signs[finding.state]} ", (finding.cluster, "bold"), f": {text}{since}")
    if finding.leads_to:
        yield styled(("      leads to: ", "dim"), finding.leads_to)
    if finding.hint:
        yield styled(("      next: ", "bold"), "\n            ".join(finding.hint.splitlines()))


def _signs() -> dict[str, str]:
    """Return the signs that whoever reads can show."""
    try:
        "".join(_SIGNS.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeError, LookupError):
        return _PLAIN_SIGNS
    return _SIGNS
