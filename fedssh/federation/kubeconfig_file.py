"""The host's kubeconfig as a file on its machine: find and read it, hold its lock, replace it.

Nothing is written in place. A new file is completed beside the old one, under kubectl's own lock (``config.lock``,
client-go's ``clientcmd/config.go``) and only if the old one still is what was read, then renamed over it; a copy of
the old one stays, 0600 and with its time in its name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fedssh.errors import BusyError, RefusedError, StepError, visible
from fedssh.kubeconfig import Kubeconfig, parse_kubeconfig
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, failure, last_words, script

if TYPE_CHECKING:
    from fedssh.shell import Held, Shell

LOCK_WAIT_SECONDS: Final = 10
"""How long kubectl's lock is waited for; kubectl itself holds it for milliseconds."""

TEMPORARY_NAME: Final = ".fedssh-proof"
"""A kubeconfig for trying credentials, beside the host's; it goes with the lock, however the run ends."""

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

_LOCK: Final = f"""exec 2>&1{_FIND}
    dir=$(dirname "$path")
    [ -d "$dir" ] || (umask 077; mkdir -p "$dir") || exit 1
    umask 077
    exec 7>>"$path.fedssh.lock" || exit 1
    flock -n 7 || exit {_BUSY}
    echo locked
    cat >/dev/null
    rm -f "$dir/{TEMPORARY_NAME}"
"""

_READ: Final = f"""{_FIND}
    printf '%s\\n' "$path"
    if [ -e "$path" ]; then mode=$(ls -ld "$path") && printf '%s\\n' "${{mode%% *}}" && cat "$path"; else echo; fi
"""

_WRITE: Final = f"""
    set -eu
    path=$1 expected=$2 wait=$3 lock=
    umask 077
    new=$(mktemp "$path.XXXXXX")
    trap 'rm -f "$new" ${{lock:+"$lock"}}' EXIT
    trap 'exit 1' HUP INT TERM
    cat >"$new"
    sum() {{ line=$(sha256sum <"$1"); printf %s "${{line%% *}}"; }}
    until (set -C; : >"$path.lock") 2>/dev/null; do
        if [ "$wait" -le 0 ]; then
            echo "it is $(($(date +%s) - $(stat -c %Y "$path.lock"))) seconds old" >&2
            exit {_BUSY}
        fi
        wait=$((wait - 1)); sleep 1
    done
    lock=$path.lock
    if [ -s "$path" ]; then actual=$(sum "$path"); else actual=absent; fi
    [ "$actual" = "$expected" ] || exit {_CHANGED}
    if [ -e "$path" ]; then
        copy=$path.fedssh-$(date -u +%Y%m%dT%H%M%SZ)
        [ -e "$copy" ] || cp "$path" "$copy"
        # Root may be at work on another user's file.
        chown -h "$(stat -c %u:%g "$path")" "$new" "$copy" 2>/dev/null || :
    fi
    sync "$new" 2>/dev/null || sync
    mv -f "$new" "$path"
    sum "$path"
"""


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


def lock(shell: Shell, *, path: str | None) -> Held:
    """Take fedssh's own lock beside the kubeconfig; it is held until released or until the connection ends.

    Raises:
        BusyError: Another run holds it.
        StepError: It cannot be made.
    """
    held = shell.hold(script(_LOCK, path or "", title="lock").line)
    if held.first_line == "locked":
        return held
    if held.code == _BUSY:
        raise BusyError(
            "another fedssh is at work here", machine=shell.name, hint="Wait for it to end and run this again."
        )
    raise (
        _several(shell)
        if held.code == _SEVERAL
        else StepError(
            f"cannot lock the kubeconfig: {visible(held.first_line) or held.code}",
            machine=shell.name,
            hint="flock (of util-linux or busybox) must be there, and the kubeconfig's folder writable.",
        )
    )


def read_command(*, path: str | None) -> Command:
    """Return the command that finds and reads the kubeconfig, for ``parse_file``."""
    return script(_READ, path or "", title="read of the kubeconfig")


def parse_file(result: Result, shell: Shell) -> KubeconfigFile:
    """Return the kubeconfig from the answer to ``read_command``.

    Raises:
        RefusedError: ``KUBECONFIG`` on the machine names several files.
        StepError: It cannot be read.
    """
    if result.code == _SEVERAL:
        raise _several(shell)
    if not result.ok:
        raise failure(result, machine=shell.name, step="read the kubeconfig")
    path, mode, text = result.stdout.split("\n", 2)
    if "\ufffd" in text:  # what could not be decoded could not be written again, either
        raise RefusedError(f"{visible(path)} is not UTF-8 text", machine=shell.name, step="read the kubeconfig")
    return KubeconfigFile(path=visible(path), text=Sensitive(text), mode=visible(mode))


def write_file(shell: Shell, file: KubeconfigFile, text: Sensitive) -> bool:
    """Replace the kubeconfig, if it still is as it was read; read it back.

    Returns:
        Whether it was replaced; False when somebody else has changed it meanwhile.

    Raises:
        BusyError: kubectl's lock is held, or was left behind.
        StepError: It could not be written; the old file is as it was.
    """
    old = file.text.reveal()
    expected = _digest(old) if old else "absent"
    command = script(_WRITE, file.path, expected, str(LOCK_WAIT_SECONDS), stdin=text, title=f"write of {file.path}")
    (result,) = shell.run(command)
    if result.code == _CHANGED:
        return False
    if result.code == _BUSY:
        raise BusyError(
            f"kubectl's lock {file.path}.lock is held: {last_words(result.stderr)}",
            machine=shell.name,
            step=_STEP,
            hint=f"If no kubectl is running there, it was left behind: rm {file.path}.lock",
        )
    if not result.ok:
        raise failure(result, machine=shell.name, step=_STEP, hint="The old kubeconfig is as it was.")
    if result.stdout.strip() != _digest(text.reveal()):
        raise StepError(f"{file.path} was changed while it was written", machine=shell.name, step=_STEP)
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _several(shell: Shell) -> RefusedError:
    return RefusedError(
        "KUBECONFIG names several files there",
        machine=shell.name,
        hint="Say in hosts.yaml which one is to hold the federation: host.kubeconfig: /path",
    )
