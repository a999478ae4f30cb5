"""kubefedctl on the host's machine: which ones there are, and putting the right one there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fedssh.engines.kubefed.downloads import DOWNLOAD
from fedssh.errors import StepError, visible
from fedssh.shell import Command, Result, clean_up, failure, script

if TYPE_CHECKING:
    from fedssh.engines.protocol import Uploaded
    from fedssh.inventory import KubeFed

FOLDER: Final = "/usr/local/bin"
"""Where fedssh puts kubefedctl."""

_STEP: Final = "prepare KubeFed"

_MARK: Final = ".kubefedctl.fedssh"
"""The file beside kubefedctl that holds the checksum of the one that fedssh has put there."""

_OWNED: Final = """
    [ -f "$1/$2" ] && [ -f "$1/kubefedctl" ] || exit 0
    read -r ours rest <"$1/$2"
    actual=$(sha256sum <"$1/kubefedctl")
    if [ "${actual%% *}" = "$ours" ]; then printf '%s\\n' "$1/kubefedctl"; fi
"""
_MOST_FOUND: Final = 2

# The one that fedssh has put there, and the one that PATH leads to: two lines each.
_FIND: Final = """
    found=$(command -v kubefedctl) || found=
    [ "$found" != "$1/kubefedctl" ] || found=
    for tool in "$1/kubefedctl" "$found"; do
        case $tool in /*) ;; *) continue ;; esac
        [ -x "$tool" ] || continue
        printf 'path %s\\n' "$tool"
        "$tool" version </dev/null 2>&1 | head -n 1
    done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A kubefedctl on the host's machine.

    Attributes:
        path: Where it lies. It is called by this path, so that another one on PATH is never taken for it.
        version: What it says of itself, or "".
    """

    path: str
    version: str


def find_command(*, folder: str = FOLDER) -> Command:
    """Return the command whose answer ``parse_tools`` reads; fedssh's own comes before the one on PATH."""
    return script(_FIND, folder, title="kubefedctl version")


def parse_tools(result: Result) -> tuple[Tool, ...]:
    """Return the tools in the answer to ``find_command``, each once (``version.Info{Version:"v0.10.0", …``)."""
    found: dict[str, str] = {}
    for text in result.stdout.split("path /")[1 : _MOST_FOUND + 1]:
        path, _, said = text.partition("\n")
        found.setdefault(visible("/" + path), _version_in(said))
    return tuple(Tool(path=path, version=version) for path, version in found.items())


def _version_in(said: str) -> str:
    found = re.search(r'Version:"v?([^"\s]{0,40})"', said)
    return visible(found[1]) if found else ""


def install_command(url: str, *, version: str, sha256: str = "", folder: str = FOLDER) -> Command:
    """Return the command that downloads kubefedctl, and puts it into ``folder``.

    It is checked against ``sha256``, or where that is "", against the checksum that lies at ``url`` + .sha.
    """
    get = f"""
        {DOWNLOAD}
        fetch "$1" "$work/kubefedctl.tgz"
        expected=$5 whose=hosts.yaml
        if [ -z "$expected" ]; then
            fetch "$1.sha" "$work/sum"
            read -r expected rest <"$work/sum" || [ -n "$expected" ]
            whose=$1.sha
        fi
        verify "$work/kubefedctl.tgz" "$1" "$expected" "$whose"
    """
    return script(_install(get), url, version, folder, _MARK, sha256, title="download of kubefedctl")


def unpack_command(uploaded: Uploaded, *, version: str, folder: str = FOLDER) -> Command:
    """Return the command that puts kubefedctl into ``folder`` from an archive that was uploaded, and removes that."""
    get = f"""
        {DOWNLOAD}
        verify "$1" "$1" "$5" "its name" || {{ rm -f "$1"; exit 1; }}
        mv "$1" "$work/kubefedctl.tgz"
    """
    arguments = (uploaded.path, version, folder, _MARK, uploaded.sha256)
    return script(_install(get), *arguments, title="installation of kubefedctl")


def _install(get: str) -> str:
    """Return the script that puts kubefedctl into its folder; ``get`` puts its archive into ``$work``.

    It prints what ``kubefedctl version`` says; where that is not the version wanted, what was there before stays.
    """
    return f"""
        set -eu
        work=$(mktemp -du) new=$3/.kubefedctl.new  # made only once they are sure to be removed
        {clean_up('"$work"', '"$new"')}
        mkdir "$work"
        {get}
        tar -xzf "$work/kubefedctl.tgz" -C "$work" kubefedctl
        (umask 022; mkdir -p "$3")
        # Beside its place, since programs may not run where temporary files lie (noexec); and by its own name, since
        # it is several programs in one, and looks at what it is called.
        mkdir -p "$new"
        cp "$work/kubefedctl" "$new/"
        chmod 0755 "$new/kubefedctl"
        said=$("$new/kubefedctl" version)
        printf '%s\\n' "$said"
        case $said in *Version:\\"v"$2"\\"* | *Version:\\""$2"\\"*) ;; *) exit 0 ;; esac
        sha256sum <"$new/kubefedctl" >"$3/$4"
        mv -f "$new/kubefedctl" "$3/"
    """


def owned_command(*, folder: str = FOLDER) -> Command:
    """Return the command that prints the path of the kubefedctl that fedssh has put there, and nobody has replaced."""
    return script(_OWNED, folder, _MARK, title="look for fedssh's kubefedctl")


def remove_command(*, folder: str = FOLDER) -> Command:
    """Return the command that removes that kubefedctl, and the mark beside it."""
    text = f"path=$({_OWNED}) || exit; " + '[ -z "$path" ] || rm -f "$path"; rm -f "$1/$2"'
    return script(text, folder, _MARK, title="removal of kubefedctl")


def source_hint(key: str, wanted: KubeFed, *, machine: str) -> str:
    """Return what to do about an address that the host does not reach, by the key that names it in hosts.yaml."""
    if getattr(wanted, key) is None:
        return (
            f"{machine} has to reach that address. hosts.yaml can name another one: kubefed.{key}. Where the machine "
            "reaches none: kubefed.artefacts: upload"
        )
    return (
        f"That address stands in hosts.yaml as kubefed.{key}. Name one that {machine} reaches; or leave "
        f"{key} out, for the address of {wanted.source.title}."
    )


def check_install(result: Result, wanted: KubeFed, *, version: str, machine: str) -> None:
    """Check the answer to ``install_command`` or ``unpack_command``.

    Raises:
        StepError: It could not be downloaded, its checksum is wrong, or it is another version.
    """
    if not result.ok:
        is_download = wanted.artefacts == "download"
        hint = source_hint("kubefedctl_url", wanted, machine=machine) if is_download else ""
        raise failure(result, machine=machine, step=_STEP, hint=hint)
    found = _version_in(result.stdout)
    if found != version:
        raise StepError(
            f"the kubefedctl that was found is version {found or 'unknown'}, not {version}",
            machine=machine,
            step=_STEP,
            hint="Correct kubefed.kubefedctl_url in hosts.yaml, or kubefed.version.",
        )
