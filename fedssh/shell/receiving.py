"""Receiving a file on a machine: the line of ``sh`` that does it, and what it says.

The file goes into a folder of its user's own, under its SHA-256 checksum, which it bears only when it is whole. Until
then it has ``.part`` added: what a broken connection has left there is gone on with, and then the checksum is compared.
Whoever uses the file compares it, too.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

CUT: Final = 94
"""The exit code when the file is not whole: what came stays, to be gone on with."""

WRONG: Final = 95
"""The exit code when the file is whole, and its checksum is another one: nothing of it stays."""

FOLDER: Final = "${XDG_CACHE_HOME:-$HOME/.cache}/fedssh"
"""Where a machine keeps what was uploaded until it is used, in shell syntax."""

_FIRST: Final = re.compile(r"(whole|have) (\S.*)")

# SSH has verified every byte on its way. What was there before has lain on a disk, perhaps through a power cut.
_RECEIVE: Final = f"""
set -- %s %d
umask 077
folder={FOLDER}
mkdir -p "$folder" && cd "$folder" || exit 1
[ ! -f "$1" ] || {{ printf 'whole %%s/%%s\\n' "$folder" "$1"; exit 0; }}
find . ! -name . -prune -type f -mtime +7 -exec rm -f {{}} +
touch "$1.part" || exit 1
have=$(wc -c <"$1.part")
[ "$have" -le "$2" ] || {{ : >"$1.part"; have=0; }}
echo "have $((have))"
cat >>"$1.part" || {{ rm -f "$1.part"; exit 1; }}
[ "$(wc -c <"$1.part")" -eq "$2" ] || exit {CUT}
[ "$have" -eq 0 ] || case $(sha256sum <"$1.part") in "$1"*) ;; *) rm -f "$1.part"; exit {WRONG} ;; esac
mv "$1.part" "$1" && printf 'whole %%s/%%s\\n' "$folder" "$1"
"""


def render_receive(sha256: str, size: int) -> str:
    """Return the line, for ``Shell.hold``'s like, that receives a file of ``size`` bytes with that checksum."""
    return _RECEIVE % (shlex.quote(sha256), size)


def parse_received(line: str) -> tuple[str, int]:
    """Return what a line of it says: the path where the file is whole, or "" and how much of it is there.

    Raises:
        ValueError: It says neither.
    """
    found = _FIRST.fullmatch(line)
    if not found:
        raise ValueError(line)
    return (found[2], 0) if found[1] == "whole" else ("", int(found[2]))
