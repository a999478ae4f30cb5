"""kubefedctl on the host's machine: which version there is, and putting another one there."""

from __future__ import annotations

import re
from typing import Final

from fedssh.errors import StepError
from fedssh.kubernetes.kubectl import NOT_FOUND
from fedssh.shell import Command, Result, clean_up, command, failure, script

INSTALL_SECONDS: Final = 180
"""How long the download may take."""

_STEP: Final = "prepare KubeFed"


def version_command() -> Command:
    """Return the command whose answer ``parse_version`` reads."""
    return command("kubefedctl", "version")


def parse_version(result: Result) -> str:
    """Return the version in the answer to ``version_command`` (``version.Info{Version:"v0.10.0", …``), or ""."""
    if result.code == NOT_FOUND:
        return ""
    found = re.search(r'Version:"v?([^"]*)"', result.stdout)
    return found[1] if found else ""


def install_command(url: str, *, version: str, folder: str = "/usr/local/bin") -> Command:
    """Return the command that puts kubefedctl into ``folder``, checked against the checksum at ``url`` + .sha.

    It prints what ``kubefedctl version`` says; where that is not ``version``, what was there before stays.
    """
    text = f"""
        set -eu
        case $(uname -s)/$(uname -m) in
            Linux/x86_64) ;;
            *) echo "kubefedctl is released for Linux on x86_64 only; this is $(uname -s) on $(uname -m)" >&2; exit 1 ;;
        esac
        work=$(mktemp -du) new=$3/.kubefedctl.new  # made only once they are sure to be removed
        {clean_up('"$work"', '"$new"')}
        mkdir "$work"
        fetch() {{
            if command -v curl >/dev/null; then curl -fsSL --connect-timeout 15 --retry 2 -o "$2" "$1"
            elif command -v wget >/dev/null; then wget -q -T 15 -O "$2" "$1"
            else echo "neither curl nor wget is there" >&2; return 1
            fi || {{ echo "cannot download $1" >&2; return 1; }}
        }}
        fetch "$1" "$work/kubefedctl.tgz"
        fetch "$1.sha" "$work/sum"
        read -r expected rest <"$work/sum" || [ -n "$expected" ]
        actual=$(sha256sum <"$work/kubefedctl.tgz")
        [ "${{actual%% *}}" = "$expected" ] || {{
            echo "$1 has the SHA-256 checksum ${{actual%% *}}, but $1.sha says $expected" >&2
            exit 1
        }}
        tar -xzf "$work/kubefedctl.tgz" -C "$work" kubefedctl
        (umask 022; mkdir -p "$3")
        # Beside its place, since programs may not run where temporary files lie (noexec); and by its own name, since
        # it is several programs in one, and looks at what it is called.
        mkdir -p "$new"
        cp "$work/kubefedctl" "$new/"
        chmod 0755 "$new/kubefedctl"
        said=$("$new/kubefedctl" version)
        printf '%s\\n' "$said"
        case $said in *Version:\\"v"$2"\\"* | *Version:\\""$2"\\"*) mv -f "$new/kubefedctl" "$3/" ;; esac
    """
    return script(text, url, version, folder, title="download of kubefedctl")


def check_install(result: Result, *, version: str, machine: str) -> None:
    """Check the answer to ``install_command``.

    Raises:
        StepError: It could not be downloaded, its checksum is wrong, or it is another version.
    """
    if not result.ok:
        hint = "hosts.yaml can name another address: kubefed.kubefedctl_url"
        raise failure(result, machine=machine, step=_STEP, hint=hint)
    found = parse_version(result)
    if found != version:
        raise StepError(
            f"the kubefedctl that was downloaded is version {found or 'unknown'}, not {version}",
            machine=machine,
            step=_STEP,
            hint="Correct kubefed.kubefedctl_url in hosts.yaml, or kubefed.version.",
        )
