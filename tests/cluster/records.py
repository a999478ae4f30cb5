"""What the tools on the machines were called with: each call of kubectl and helm writes down its argv and environment.

Polling the processes would miss the short ones.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from lab.clusters import each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.clusters import Lab
    from lab.machine import Machine

RECORDED: Final = "/var/log/recorded"
CALLS: Final = "/var/log/calls"
"""What was called, a line for each process of a tool."""
MINTED: Final = "/var/log/minted"
"""Where the tokens are that kubectl was asked for, a line each: nothing else keeps them."""

# Writes its call down twice, for whoever searches and for whoever counts. Then it becomes the tool, which does not live
# long enough to collect garbage.
_RECORDER: Final = f"""#!/bin/sh
cat /proc/$$/cmdline /proc/$$/environ >>{RECORDED}
printf '%%s\n' "${{0##*/}} $*" >>{CALLS}
case "$* " in *" create token "*)
    token=$(/opt/recorded/%s "$@") || exit
    echo "$token" | tee -a {MINTED}
    exit ;;
esac
GOGC=off exec /opt/recorded/%s "$@"
"""
# A link stays a link: what it leads to looks at the name that it was called by.
_MOVE: Final = """
    mkdir -p /opt/recorded
    here=$(command -v "$1")
    if [ -L "$here" ]; then ln -s "$(readlink -f "$here")" "/opt/recorded/$1" && rm "$here"
    else mv "$here" "/opt/recorded/$1"; fi &&
    cat >"/usr/local/bin/$1" && chmod 755 "/usr/local/bin/$1"
"""
# The tokens first: one that comes in between has been in no call yet.
_READ: Final = f"""
    /opt/recorded/kubectl get secret -A -o 'jsonpath={{range .items[*]}}{{.data.token}}{{"\\n"}}{{end}}' || exit
    [ ! -e {MINTED} ] || cat {MINTED}
    echo "--- $(stat -c %s {RECORDED})"
    tail -c +"$(($1 + 1))" {RECORDED}
"""
# What was written last, may have been half a line.
_OVERLAP: Final = 4096


def record(machine: Machine, tool: str) -> None:
    """Let a tool's calls be recorded from now on."""
    machine.check("sh", "-c", _MOVE, "sh", tool, stdin=(_RECORDER % (tool, tool)).encode())


@contextmanager
def record_copy(machine: Machine, tool: str) -> Iterator[None]:
    """Let the calls of a tool be counted that has to stay as it is where it lies: one before it on PATH calls it."""
    text = f'#!/bin/sh\nprintf \'%s\\n\' "${{0##*/}} $*" >>{CALLS}\nexec /usr/local/bin/{tool} "$@"\n'
    path = f"/usr/local/sbin/{tool}"
    machine.check("sh", "-c", f"mkdir -p /usr/local/sbin && cat >{path} && chmod 755 {path}", stdin=text.encode())
    try:
        yield
    finally:
        machine.check("rm", path)


def furnish(lab: Lab) -> None:
    """Make a new lab ready for tests: what kubeadm wrote is kept beside it, and the tools' calls are recorded."""
    for machine in lab.machines:
        machine.check("sh", "-c", f": >{RECORDED}; : >{CALLS}; cp /root/.kube/config /root/pristine")
        for tool in ("kubectl", "helm"):
            record(machine, tool)


def take_calls(machine: Machine) -> list[str]:
    """Return what tools were called on a machine since the last time, each with its arguments."""
    return machine.check("sh", "-c", f"cat {CALLS}; : >{CALLS}").splitlines()


class Records:
    """What is new on a lab's machines: the tokens that their clusters hold, and the calls since the last look.

    A token that is new now was in no call that was searched before it was minted.
    """

    def __init__(self, lab: Lab) -> None:
        """Begin where nothing has been looked at."""
        self._lab = lab
        self._seen = dict.fromkeys((one.name for one in lab.machines), 0)

    def take(self) -> tuple[list[str], dict[str, str]]:
        """Return every token of every machine, and, by machine, what was recorded since the last call.

        The tokens of Secrets are in base64.
        """

        def read(machine: Machine) -> tuple[list[str], str]:
            begin = max(0, self._seen[machine.name] - _OVERLAP)
            tokens, rest = machine.check("sh", "-c", _READ, "sh", str(begin)).split("--- ", 1)
            size, recorded = rest.split("\n", 1)
            self._seen[machine.name] = int(size)
            return tokens.split(), recorded

        found = each(read, self._lab.machines)
        tokens = [token for of_machine, _ in found for token in of_machine]
        return tokens, {one.name: recorded for one, (_, recorded) in zip(self._lab.machines, found, strict=True)}
