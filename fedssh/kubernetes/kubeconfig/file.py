"""A kubeconfig as a file on its machine: the commands that find, read, lock and replace it, and their answers. Pure.

Nothing is written in place. A new file is completed beside the old one, under kubectl's own lock (``config.lock``,
client-go's ``clientcmd/config.go``) and only if the old one still is what was read, then renamed over it; a copy of
the old one stays, 0600 and with its time in its name; the five newest are kept.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fedssh.errors import BusyError, RefusedError, StepError, visible
from fedssh.kubernetes.kubeconfig import Kubeconfig, parse_kubeconfig
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, clean_up, failure, last_words, script

if TYPE_CHECKING:
    from fedssh.shell import Held

LOCK_WAIT_SECONDS: Final = 10
"""How long kubectl's lock is waited for; kubectl itself holds it for milliseconds."""

SETTLE_SECONDS: Final = 0.5
"""How long kubectl's lock is kept after a write: whoever has read the old file fails at the lock meanwhile."""

KEPT_COPIES: Final = 5
"""How many copies of earlier kubeconfigs stay beside the file: they hold tokens."""

_READ_ATTEMPTS: Final = 20
_STEP: Final = "write the kubeconfig"
_BUSY: Final = 75
_CHANGED: Final = 76
_SEVERAL: Final = 77

# $1 is the path that hosts.yaml gives, or "".
_FIND: Final = f"""
    path=${{1:-${{KUBECONFIG:-$HOME/.kube/config}}}}
    case $path in *:*) exit {_SEVERAL} ;; esac
    path=$(readlink -f "$path" 2>/dev/null || printf %s "$path")
"""

# Sets lock to kubectl's lock, once it is ours; $wait seconds are waited for it.
_TAKE: Final = f"""
    end=$(( $(date +%s) + wait ))
    until (set -C; : >"$path.lock") 2>/dev/null; do
        if [ "$(date +%s)" -ge "$end" ]; then
            echo "it is $(($(date +%s) - $(stat -c %Y "$path.lock"))) seconds old" >&2
            exit {_BUSY}
        fi
        sleep 0.1 2>/dev/null || sleep 1
    done
    lock=$path.lock
"""

_HOLD: Final = f"""exec 2>&1
    path=$1 wait=$2 lock=
    {clean_up('${lock:+"$lock"}')}
    {_TAKE}
    echo locked
    cat >/dev/null
"""

_LOCK: Final = f"""exec 2>&1{_FIND}
    [ -e "$path" ] || {{ echo "absent $path"; exit 1; }}
    umask 077
    exec 7>>"$path.fedssh.lock" || exit 1
    flock -n 7 || exit {_BUSY}
    echo locked
    cat >/dev/null
"""

# kubectl writes in place: what is read while it holds its lock may be half a file. A lock that stays, or was left
# behind, does not keep anybody from reading.
_READ: Final = f"""{_FIND}
    printf '%s\\n' "$path"
    [ -e "$path" ] || {{ echo; exit 0; }}
    mode=$(ls -ld "$path") && printf '%s\\n' "${{mode%% *}}" || exit
    tries=0
    while :; do
        tries=$((tries + 1))
        before=$(stat -c '%i %s %y' "$path")
        text=$(cat "$path" && echo .) || exit
        [ "$tries" -lt {_READ_ATTEMPTS} ] || break
        if [ -n "$2" ] || [ ! -e "$path.lock" ] && [ "$(stat -c '%i %s %y' "$path")" = "$before" ]; then break; fi
        sleep 0.1 2>/dev/null || sleep 1
    done
    printf %s "${{text%.}}"
"""

_WRITE: Final = f"""
    set -eu
    path=$1 expected=$2 wait=$3 held=$4 settle=$5 kept=$6 goes_on=$7 lock= made=
    new=$(mktemp -u "$path.XXXXXX")  # made only once it is sure to be removed
    {clean_up('"$new"', '${made:+"$made"}', '${lock:+"$lock"}')}
    (set -C; cat >"$new")
    sum() {{ line=$(sha256sum <"$1"); printf %s "${{line%% *}}"; }}
    if [ -z "$held" ]; then {_TAKE} fi
    if [ -s "$path" ]; then actual=$(sum "$path"); else actual=absent; fi
    [ "$actual" = "$expected" ] || exit {_CHANGED}
    if [ -e "$path" ]; then
        copy=$path.fedssh-$(date -u +%Y%m%dT%H%M%SZ)
        [ -e "$copy" ] || {{ made=$copy; cp "$path" "$copy"; }}
        # Root may be at work on another user's file.
        chown -h "$(stat -c %u:%g "$path")" "$new" "$copy" 2>/dev/null || :
    fi
    sync "$new" 2>/dev/null || sync
    mv -f "$new" "$path"
    made=
    # A kubectl config that has read the old file would drop what is new, were it let in now (kubernetes#23964).
    # Where something comes next that takes longer, the lock outlives this command.
    rest() {{ sleep "$settle" 2>/dev/null || sleep 1; }}
    if [ -n "$lock" ] && [ -n "$goes_on" ]; then
        (trap 'rm -f "$lock"' EXIT; trap 'exit 1' HUP INT TERM; rest) </dev/null >/dev/null 2>&1 &
        lock=
    else
        rest
    fi
    sum "$path"
    # The shell sorts what a pattern stands for, and the names are times.
    set -- "$path".fedssh-{"[0-9]" * 8}T{"[0-9]" * 6}Z
    while [ $# -gt "$kept" ]; do rm -f "$1"; shift; done
"""


# Copies that hold entries of fedssh's, and with them tokens; all of them where $2 says so.
_COPIES: Final = f"""
    for copy in "$1".fedssh-{"[0-9]" * 8}T{"[0-9]" * 6}Z; do
        if [ -f "$copy" ] && {{ [ -n "$2" ] || grep -qE 'managed-by"?: ?"?fedssh' "$copy"; }}; then
            printf '%s\\n' "$copy"
        fi
    done
"""
_REMOVE_COPIES: Final = f"""
    copies() {{ {_COPIES} }}
    copies "$1" "$2" | while read -r copy; do rm -f "$copy" || exit; done || exit
    [ -z "$2" ] || rm -f "$1.fedssh.lock"
"""


class NoKubeconfigError(RefusedError):
    """There is no kubeconfig, or an empty file in its place (6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeconfigFile:
    """The host's kubeconfig as it was read.

    Attributes:
        path: Where it lies, symbolic links resolved.
        text: What stands in it; empty when there is none.
        mode: Its permissions as ``ls`` shows them, or "".
    """

    path: str
    text: Sensitive = field(repr=False)
    mode: str = ""

    def document(self) -> Kubeconfig:
        """Return the file's document, made anew at every call.

        Raises:
            RefusedError: It is no kubeconfig.
        """
        return parse_kubeconfig(self.text.reveal(), source=self.path)

    @property
    def is_open(self) -> bool:
        """Whether it can be read by others than its owner."""
        return bool(self.mode[4:].strip("-.+"))


def lock_line(*, path: str | None) -> str:
    """Return the line to hold, in shell syntax, that takes fedssh's own lock beside the kubeconfig."""
    return script(_LOCK, path or "", title="lock").line


def check_lock(held: Held, *, machine: str) -> None:
    """Check that ``lock_line`` has got the lock.

    Raises:
        BusyError: Another run holds it (75).
        RefusedError: There is no kubeconfig (6).
        StepError: It cannot be made (3).
    """
    said = held.first_line
    if said == "locked":
        return
    if held.code == _BUSY:
        raise BusyError(
            "another fedssh is at work here", machine=machine, hint="Wait for it to end and run this again."
        )
    if held.code == _SEVERAL:
        raise _several(machine)
    if said.startswith("absent "):
        raise _unusable(machine, f"there is no kubeconfig at {visible(said.removeprefix('absent '))}")
    raise StepError(
        f"cannot lock the kubeconfig: {visible(said) or held.code}",
        machine=machine,
        hint="flock (of util-linux or busybox) must be there, and the kubeconfig's folder writable.",
    )


def kubectls_lock_line(file: KubeconfigFile) -> str:
    """Return the line to hold that takes kubectl's lock: ``kubectl config`` fails meanwhile, and does not interfere."""
    return script(_HOLD, file.path, str(LOCK_WAIT_SECONDS), title="lock").line


def check_kubectls_lock(held: Held, file: KubeconfigFile, *, machine: str) -> None:
    """Check that ``kubectls_lock_line`` has got the lock.

    Raises:
        BusyError: It is held, or was left behind (75).
        StepError: It cannot be made (3).
    """
    said = visible(held.first_line)
    if said == "locked":
        return
    if said.startswith("it is "):
        raise _held_by_kubectl(machine, file, said)
    raise StepError(f"cannot lock {file.path}: {said or held.code}", machine=machine, step=_STEP)


def read_command(*, path: str | None, locked: bool = False) -> Command:
    """Return the command that finds and reads the kubeconfig, for ``parse_file``.

    Args:
        path: What hosts.yaml says; None leaves the choice to the machine's environment, as kubectl does.
        locked: Whether kubectl's lock is held already.
    """
    return script(_READ, path or "", "held" * locked, title="read of the kubeconfig")


def copies_command(path: str, *, also_clean: bool) -> Command:
    """Return the command that lists the copies of the kubeconfig that hold fedssh's entries, a path a line.

    Args:
        path: The kubeconfig.
        also_clean: Whether those from before fedssh's first entry are meant, too.
    """
    return script(_COPIES, path, "all" * also_clean, title="look for copies of the kubeconfig")


def remove_copies_command(path: str, *, also_clean: bool) -> Command:
    """Return the command that removes the copies that ``copies_command`` lists; with all of them, the lock's file."""
    return script(_REMOVE_COPIES, path, "all" * also_clean, title="removal of copies of the kubeconfig")


def parse_file(result: Result, *, machine: str) -> KubeconfigFile:
    """Return the kubeconfig from the answer to ``read_command``.

    Raises:
        RefusedError: ``KUBECONFIG`` on the machine names several files, or it is missing, empty or no text (6).
        StepError: It cannot be read (3).
    """
    if result.code == _SEVERAL:
        raise _several(machine)
    if not result.ok:
        raise failure(result, machine=machine, step="read the kubeconfig")
    path, _, rest = result.stdout.partition("\n")
    mode, _, text = rest.partition("\n")
    path, mode = visible(path), visible(mode)
    if "\ufffd" in text:  # what could not be decoded could not be written again, either
        raise RefusedError(
            f"{path} is not UTF-8 text",
            machine=machine,
            step="read the kubeconfig",
            hint="Repair it by hand; fedssh has not touched it.",
        )
    if not text:
        raise _unusable(machine, f"{path} is empty" if mode else f"there is no kubeconfig at {path}")
    return KubeconfigFile(path=path, text=Sensitive(text), mode=mode)


def write_command(file: KubeconfigFile, text: Sensitive, *, locked: bool = False, goes_on: bool = False) -> Command:
    """Return the command that replaces the kubeconfig, if it still is as it was read.

    Args:
        file: The kubeconfig as it was read.
        text: What is to stand in it.
        locked: Whether kubectl's lock is held already.
        goes_on: Whether something comes next that takes longer than kubectl is kept out, and need not wait for that.
    """
    return script(
        _WRITE,
        file.path,
        _digest(file.text),
        str(LOCK_WAIT_SECONDS),
        "held" * locked,
        str(SETTLE_SECONDS),
        str(KEPT_COPIES),
        "on" * goes_on,
        stdin=text,
        title=f"write of {file.path}",
    )


def parse_write(result: Result, file: KubeconfigFile, text: Sensitive, *, machine: str) -> bool:
    """Return whether ``write_command`` has replaced the file; False when somebody else has changed it meanwhile.

    Raises:
        BusyError: kubectl's lock is held, or was left behind (75).
        StepError: It could not be written; the old file is as it was (3).
    """
    if result.code == _CHANGED:
        return False
    if result.code == _BUSY:
        raise _held_by_kubectl(machine, file, last_words(result.stderr))
    if not result.ok:
        raise failure(result, machine=machine, step=_STEP, hint="The old kubeconfig is as it was.")
    if result.stdout.strip() != _digest(text):
        raise StepError(f"{file.path} was changed while it was written", machine=machine, step=_STEP)
    return True


def _digest(text: Sensitive) -> str:
    return hashlib.sha256(text.reveal().encode()).hexdigest()


def _held_by_kubectl(machine: str, file: KubeconfigFile, age: str) -> BusyError:
    return BusyError(
        f"kubectl's lock {file.path}.lock is held: {age}",
        machine=machine,
        step=_STEP,
        hint=f"If no kubectl is running there, it was left behind: rm {file.path}.lock",
    )


def _unusable(machine: str, problem: str) -> NoKubeconfigError:
    return NoKubeconfigError(
        problem,
        machine=machine,
        step="look at the host",
        hint="Say in hosts.yaml where the cluster administrator's kubeconfig is: host.kubeconfig: /path "
        "(kubeadm's is /etc/kubernetes/admin.conf)",
    )


def _several(machine: str) -> RefusedError:
    return RefusedError(
        "KUBECONFIG names several files there",
        machine=machine,
        hint="Say in hosts.yaml which one is to hold the federation: host.kubeconfig: /path",
    )
