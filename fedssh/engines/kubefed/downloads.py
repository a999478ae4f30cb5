"""Downloads on the host's machine, whole and verified: lines of ``sh`` for scripts that put them to use."""

from __future__ import annotations

from typing import Final

DOWNLOAD: Final = """
    # fetch ADDRESS FILE
    fetch() {
        if command -v curl >/dev/null; then curl -fsSL --connect-timeout 15 --retry 2 -o "$2" "$1"
        elif command -v wget >/dev/null; then wget -q -T 15 -O "$2" "$1"
        else echo "neither curl nor wget is there" >&2; return 1
        fi || { echo "cannot download $1" >&2; return 1; }
    }
    # verify FILE ADDRESS CHECKSUM WHOSE
    verify() {
        actual=$(sha256sum <"$1")
        [ "${actual%% *}" = "$3" ] || {
            echo "$2 has the SHA-256 checksum ${actual%% *}, but $4 says $3" >&2
            return 1
        }
    }
"""
"""Two functions: ``fetch`` gets a file, by whichever tool there is; ``verify`` compares it with its checksum."""
