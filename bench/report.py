"""What a run of the bench tells: Markdown, for people and for ``bench/RESULTS.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench import idle, real
from bench.measuring import spread
from bench.standin.server import TOOL_MILLISECONDS
from bench.tables import Samples, Table, compare, extrapolate, seconds
from bench.targets import targets
from bench.ways import FEDSSH, SCRIPT, SHARED_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.results import Results

_HEAD: Final = """\
# What fedssh takes, beside other ways to do the same

Everything was measured in one run of `make bench` on one computer, which is the laptop and all machines at once. The
ways take turns: each once, then each once more. A cell is the median, with the least and the most, in seconds; behind
the dot stands fedssh's median as a share of this one. `~` was not measured but calculated, from smaller sizes, where
one thing follows the other; `-` failed, and the run has said why. How each peer was set up stands in [peers](peers).
"""
_REAL: Final = """\
## {count} real members

From KubeFed installed and nothing joined to everything joined, on the lab's clusters. fedssh's time ends with its
last join, as the others' does; it then waits for KubeFed's health check and proves KubeFed's own credentials, which
the others do not. After each run, kubectl on the host has found every KubeFedCluster, and every context has listed
nodes.
"""
_MEMBERS: Final = """\
## The members' part

Apply the account's manifest, read its token, the API server's address and the CA, on each member. kubectl is a stand-in
that takes {tool} ms. One real sshd stands for all machines. fedssh's row is its own functions for this part
(`bench/fedssh_members.py`): it looks at what is there before, as it always does. For 50 machines and more, this
computer's cores are busy being the machines; Ansible needs a Python for each task there, and "raw" needs none.
"""
_HOST: Final = """\
## The host's part

On a host {rtt} ms away, with stand-ins for kubectl, kubefedctl and helm that take {tool} ms each. fedssh proves each
access, writes the kubeconfig, tries the contexts and joins; its time is that from the last grant to the last join, with
members in memory (`bench/fedssh_host.py`). The scripts make four entries, try the context and join, for each member.
"""
_IDLE: Final = """\
## Nothing to do

Every cluster has joined: real ones, and stand-ins {rtt} ms away.
"""


def render(results: Results) -> str:
    """Return what was measured, part by part."""
    return "\n".join([_HEAD, *_about(results), *_parts(results)])


def _about(results: Results) -> Iterator[str]:
    rounds = f"{results.rounds} rounds at most; a way that has taken a minute in all takes part in no more of them"
    lines = [*results.computer, rounds, "; ".join(results.times)]
    yield "".join(f"- {line}\n" for line in lines)
    found = list(targets(results))
    if found:
        rows = [(one.text, (f"{one.most:g}", seconds(one.found), "yes" if one.is_met else "**no**")) for one in found]
        yield "## Targets\n"
        yield Table(corner="what", heads=("at most", "found", "met"), rows=rows).render()
    if results.members or results.real:
        yield "![The members' part by distance, real members, and the host's part](RESULTS.svg)\n"


def _parts(results: Results) -> Iterator[str]:
    if results.real:
        yield _REAL.format(count=real.MEMBERS)
        columns = {"seconds": results.real}
        yield compare("way", columns, own=FEDSSH).render()
        yield _cpu("way", columns)
    if results.members:
        yield _MEMBERS.format(tool=TOOL_MILLISECONDS)
        yield from _members(results)
    if results.host:
        yield _HOST.format(rtt=results.rtt, tool=TOOL_MILLISECONDS)
        yield _by_number("members", results.host, SCRIPT, SHARED_SCRIPT)
        yield "fedssh's whole run, seconds:\n"
        columns = {str(size): {FEDSSH: samples.get(FEDSSH, [])} for size, samples in results.host.items()}
        yield compare("members", columns, own=FEDSSH, what="whole").render()
    idle_columns = {f"{size} stand-ins": samples for size, samples in results.idle.items()}
    if results.real_idle:
        idle_columns = {f"{real.MEMBERS} real": results.real_idle, **idle_columns}
    if idle_columns:
        yield _IDLE.format(rtt=results.rtt)
        yield compare("seconds", idle_columns, own="").render()
    if results.start:
        yield "## Start\n"
        yield compare("way", {"seconds": results.start}, own=idle.HELP).render()
    if results.memory:
        yield f"## Memory\n\nThe most that fedssh has held, in MiB, with stand-ins {results.rtt} ms away.\n"
        heads = list(dict.fromkeys(what for peaks in results.memory.values() for what in peaks))
        rows = [
            (str(size), [f"{peaks[what]:.0f}" if what in peaks else "-" for what in heads])
            for size, peaks in results.memory.items()
        ]
        yield Table(corner="members", heads=heads, rows=rows).render()
    if results.ssh:
        yield f"## SSH alone\n\n```\n{results.ssh}```\n"


def _members(results: Results) -> Iterator[str]:
    for rtt in dict.fromkeys(rtt for rtt, _ in results.members):
        at = {size: samples for (one, size), samples in results.members.items() if one == rtt}
        yield f"Round trip {rtt} ms, seconds by the number of members:\n"
        yield _by_number(f"{rtt} ms", at, SCRIPT)
    at = {size: samples for (one, size), samples in results.members.items() if one == rtt}
    yield _cpu(f"{rtt} ms", {str(size): samples for size, samples in at.items()})


def _by_number(corner: str, found: dict[int, Samples], *serial: str) -> str:
    guesses: dict[str, Samples] = {}
    for way in serial:
        for size, samples in extrapolate(found, way).items():
            guesses.setdefault(str(size), {}).update(samples)
    columns = {str(size): samples for size, samples in found.items()}
    return compare(corner, columns, own=FEDSSH, guesses=guesses).render()


def _cpu(corner: str, columns: dict[str, Samples]) -> str:
    """Return a table of the processor time on the laptop's side; daemons that stay behind are not in it."""
    rows = []
    for way in dict.fromkeys(way for samples in columns.values() for way in samples):
        found = [spread(samples.get(way, []), "cpu_seconds") for samples in columns.values()]
        rows.append((way, [seconds(one.median) if one.values else "-" for one in found]))
    table = Table(
        corner=corner, heads=[f"CPU {head}" if head != "seconds" else "CPU seconds" for head in columns], rows=rows
    )
    return (
        "Processor time of the laptop's side, without daemons that stay behind (ControlPersist), seconds:\n\n"
        + table.render()
    )
