"""Looking for what lies beside the host's kubeconfig: locks and who holds them, copies, what a killed run has left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.errors import visible
from fedssh.federation.checkup.facts import HostFiles
from fedssh.federation.look.proof import TEMPORARY_NAME
from fedssh.shell import script

if TYPE_CHECKING:
    from fedssh.shell import Command, Result

_LONGEST_NUMBER: Final = 10

# Who holds fedssh's lock is read, never tried: a lock that is taken to look at it would stop another run. Whoever waits
# for it has the file open, too, and no line of it (proc(5), /proc/pid/fdinfo). /proc/locks would not do: a master that
# is a container does not see there what a process holds whose parent took it (fs/locks.c, locks_show).
_READ_FILES: Final = """
    path=$1 folder=${1%/*} proof=$2
    now=$(date +%s)
    age() { at=$(stat -c %Y "$1" 2>/dev/null) && printf '%s' "$((now - at))"; }
    [ ! -e "$path.lock" ] || printf 'lock %s\\n' "$(age "$path.lock")"
    for file in "$folder/$proof"-*; do
        [ ! -e "$file" ] || printf 'proof %s %s\\n' "$(age "$file")" "${file##*/}"
    done
    for file in "$path".fedssh-*Z; do
        [ ! -e "$file" ] || printf 'copy %s %s\\n' "$(stat -c %a "$file")" "${file##*/}"
    done
    for file in "$path".??????; do
        case ${file##*.} in *[!A-Za-z0-9]*) continue ;; esac
        [ ! -e "$file" ] || printf 'half %s %s\\n' "$(age "$file")" "${file##*/}"
    done
    for fd in /proc/[0-9]*/fd/7; do
        [ "$(readlink "$fd" 2>/dev/null)" = "$path.fedssh.lock" ] || continue
        pid=${fd#/proc/} pid=${pid%%/*}
        grep -q '^lock:.*FLOCK' "/proc/$pid/fdinfo/7" 2>/dev/null || continue
        from=$(tr '\\0' '\\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CLIENT=\\([^ ]*\\).*/\\1/p')
        printf 'held %s %s\\n' "$(ps -o etimes= -p "$pid" 2>/dev/null | tr -d ' ')" "$from"
        exit
    done
"""


def files_command(path: str) -> Command:
    """Return the command that looks beside the kubeconfig at ``path``, for ``parse_files``; it changes nothing."""
    return script(_READ_FILES, path, TEMPORARY_NAME, title="look for files")


def parse_files(result: Result) -> HostFiles:
    """Return what ``files_command`` has found; lines that its script does not print are left out."""
    lock: int | None = None
    held: int | None = None
    held_from = ""
    proofs, copies, halves = {}, {}, {}
    for line in visible(result.stdout).splitlines():
        kind, _, rest = line.partition(" ")
        first, _, name = rest.partition(" ")
        number = int(first) if first.isascii() and first.isdecimal() and len(first) <= _LONGEST_NUMBER else -1
        match kind:
            case "lock":
                lock = max(number, 0)
            case "held":
                held, held_from = number, name
            case "proof":
                proofs[name] = number
            case "copy":
                copies[name] = first
            case "half":
                halves[name] = number
    return HostFiles(kubectls_lock=lock, held=held, held_from=held_from, proofs=proofs, copies=copies, halves=halves)
