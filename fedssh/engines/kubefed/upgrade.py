"""Upgrading KubeFed on the host, while its federation goes on working.

``helm upgrade`` alone would break it: it leaves the chart's definitions as they are, and the chart makes a new CA for
its webhook each time it is rendered, which the webhook that still runs knows nothing of (kubefed#1333). So the
definitions are applied first, and the CA and the certificate that are there go into what Helm applies.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.install import (
    CONFIGURATION,
    CONTROLLER,
    ESTABLISHED_SECONDS,
    NAMESPACE,
    OWNER,
    RELEASE,
    ROLLOUT_SECONDS,
    WEBHOOK,
    WEBHOOKS,
)
from fedssh.engines.protocol import Part
from fedssh.errors import StepError
from fedssh.kubernetes import helm
from fedssh.kubernetes.kubectl import Target, kubectl, parse_json
from fedssh.shell import Command, failure, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.kubefed.charts import ChartPlace
    from fedssh.shell import Result

FOLDER: Final = "/usr/local/bin/.fedssh-upgrade"
"""Where the program lies, while Helm runs, that puts the CA and the certificate in: programs may run there."""

ASKED: Final = "fedssh/asked-at"
"""The annotation of the KubeFedConfig that is changed to see whether KubeFed's webhook answers."""

_CA: Final = 'jsonpath={range .items[*]}{.webhooks[0].clientConfig.caBundle}{"\\n"}{end}'
OLD_WEBHOOKS: Final = "admissionregistration.k8s.io/v1beta1"
"""What Kubernetes 1.22 does not know any more: Helm does not upgrade a release with that."""

_CERTIFICATE: Final = "kubefed-admission-webhook-serving-cert"
_PENDING: Final = "pending-upgrade"
CALLED_SECONDS: Final = 20
"""How long the API server may take to reach a webhook that was started anew."""

_STEP: Final = "prepare KubeFed"

# Helm's post-renderer: manifests in, manifests out. The key goes from file to file, past every command line.
_RENDERER: Final = r"""#!/bin/sh
exec awk -v here="${0%/*}" '
    function held(name,   line) { getline line < (here "/" name); close(here "/" name); return line }
    /^ *caBundle: / { ca = sub(/caBundle: .*/, "caBundle: " held("ca")) }
    /^---/ { ours = inside = 0 }
    /^  name: kubefed-admission-webhook-serving-cert$/ { ours = 1 }
    ours && /^stringData:$/ { inside = 1; print "data:"; next }
    /^[a-zA-Z]/ { inside = 0 }
    inside && /^ *tls\.crt: / { crt = 1; print "  tls.crt: " held("crt"); next }
    inside && /^ *tls\.key: / { key = 1; print "  tls.key: " held("key"); next }
    { print }
    END {
        if (ca && crt && key) exit
        print "the chart has no place for the webhook'"'"'s CA and certificate, which have to stay" >"/dev/stderr"
        exit 1
    }
'
"""


def release_commands(*, target: Target) -> list[Command]:
    """Return the commands whose answers ``parse_release_answers`` reads: they look at the release that is there.

    The values are those of the last revision that was deployed: an upgrade that failed has left others.
    """
    where = f"--namespace={NAMESPACE}"
    deployed = kubectl(
        "get", "secrets", where, f"--selector=owner=helm,name={RELEASE},status=deployed",
        "-o", "jsonpath={.items[0].metadata.labels.version}", target=target,
    ).line  # fmt: skip
    values = helm.helm("get", "values", RELEASE, where, "--output=json", target=target).line
    manifest = helm.helm("get", "manifest", RELEASE, where, target=target).line
    known = f"revision=$({deployed} 2>/dev/null) || revision="
    return [
        script(f'{known}\n{values} ${{revision:+--revision="$revision"}}', title="helm get values"),
        script(f"{manifest} | grep -c {OLD_WEBHOOKS} || [ $? -eq 1 ]", title="helm get manifest"),
    ]


def parse_release_answers(answers: Sequence[Result], *, machine: str) -> tuple[dict[str, Any], bool]:
    """Return the values that a release was installed with, and whether its webhooks are of the old kind.

    Raises:
        StepError: Helm failed, or printed something else (3).
    """
    for result in answers:
        if not result.ok:
            raise failure(result, machine=machine, step=_STEP)
    values, old = answers
    try:
        found = parse_json(values.stdout or "null")
    except ValueError:
        found = values
    if not isinstance(found, dict | None):
        raise StepError("helm get values printed something else than values", machine=machine, step=_STEP)
    return found or {}, old.stdout.strip() not in {"", "0"}


def upgrade_part(version: str, *, before: str) -> Part:
    """Return the part that is the upgrade of KubeFed's chart, or the end of one that stopped half-way."""
    if before == version:
        return Part(
            name="upgrade",
            text=f"finish the upgrade to KubeFed {version}",
            running="upgrading KubeFed",
            done=f"finished the upgrade to KubeFed {version}",
            why="it stopped half-way",
        )
    return Part(
        name="upgrade",
        text=f"upgrade KubeFed {before} to {version}",
        running="upgrading KubeFed",
        done=f"upgraded KubeFed {before} to {version}",
        why=f"{before} is installed",
    )


def upgrade_commands(place: ChartPlace, *, values: Mapping[str, Any], target: Target) -> list[Command]:
    """Return the commands, to be run one after the other, that upgrade the chart; running them again goes on."""
    apply = kubectl(
        "apply", "--server-side", "--force-conflicts", f"--field-manager={OWNER}", "--filename=-", target=target
    ).line
    rendered = helm.helm("template", RELEASE, f"--namespace={NAMESPACE}", f"--show-only={CONFIGURATION}", "--values=-")
    known = kubectl("apply", "--dry-run=client", "--validate=true", "--filename=-", target=target).line
    # The API server tells what a definition has become a moment after it was changed; Helm takes it at its word.
    definitions = f"""{place.lines}
        {helm.helm("show", "crds").line} "$@" </dev/null | {apply}
        config=$({rendered.line} "$@")
        end=$(( $(date +%s) + {ESTABLISHED_SECONDS} ))
        until said=$(printf '%s\\n' "$config" | {known} 2>&1); do
            [ "$(date +%s)" -lt "$end" ] || {{ printf '%s\\n' "$said" >&2; exit 1; }}
            sleep 1
        done
    """
    given = json.dumps(values or {})
    # What an upgrade that was cut has left keeps Helm from every other one.
    clear = kubectl(
        "delete", "secrets", f"--namespace={NAMESPACE}", f"--selector=owner=helm,name={RELEASE},status={_PENDING}",
        "--ignore-not-found", target=target,
    )  # fmt: skip
    return [
        script(definitions, title="upgrade of KubeFed's definitions", stdin=given),
        clear,
        script(place.lines + _upgrade(target), title="helm upgrade", stdin=given),
    ]


def _upgrade(target: Target) -> str:
    where = f"--namespace={NAMESPACE}"
    webhooks, name = WEBHOOKS["validations.core.kubefed.io"], "validations.core.kubefed.io"
    # Of a KubeFed for namespaces alone, the namespace is a part of the name (charts/controllermanager, webhook.yaml).
    names = (name, f"{name}-{NAMESPACE}")
    get = ("get", "--ignore-not-found", where)
    held = {
        "ca": kubectl(*get, webhooks, *names, "-o", _CA, target=target).line,
        "crt": kubectl(*get, "secret", _CERTIFICATE, "-o", r"jsonpath={.data.tls\.crt}", target=target).line,
        "key": kubectl(*get, "secret", _CERTIFICATE, "-o", r"jsonpath={.data.tls\.key}", target=target).line,
    }
    keep = "\n".join(f'{line} >"$new/{name}"; echo >>"$new/{name}"' for name, line in held.items())
    # Else Helm would take those of the last revision where none are given, with the image's old tag.
    upgrade = helm.helm("upgrade", RELEASE, where, "--no-hooks", "--reset-values", "--values=-", target=target).line
    restart = kubectl("rollout", "restart", f"deployment/{WEBHOOK}", where, target=target).line
    # What has been upgraded by hand may have a webhook that does not know its own certificate yet. Nothing tells but a
    # change that it is asked about: KubeFed before 0.8.0 does not allow one for show.
    ask = kubectl("annotate", "--overwrite", "kubefedconfigs", RELEASE, where, ASKED, target=target).line
    rollout = kubectl(
        "rollout", "status", f"deployment/{WEBHOOK}", where, f"--timeout={ROLLOUT_SECONDS}s", target=target,
        request_timeout_seconds=0,
    ).line  # fmt: skip
    # An upgrade that was cut between the two has left a certificate that the API server's CA has not issued: Helm makes
    # both anew then, and until it has, nothing that it writes may depend on the webhook.
    configurations = [f"{kind}/{name}" for name, kind in WEBHOOKS.items()]
    forget = kubectl("delete", *configurations, "--ignore-not-found", target=target).line
    # Where something else issues the certificate (cert-manager), the chart makes none.
    return f"""
        new={FOLDER}
        rm -rf "$new"
        mkdir -p "$new"
        is_called() {{
            said=$({ask}="$(date +%s)" </dev/null 2>&1) && return
            case $said in *"failed calling webhook"*) return 1 ;; esac
        }}
        match=yes
        if ! is_called; then
            {restart} </dev/null >&2; {rollout} </dev/null >&2
            end=$(( $(date +%s) + {CALLED_SECONDS} ))
            until is_called; do
                [ "$(date +%s)" -lt "$end" ] || {{ match=; break; }}
                sleep 1
            done
        fi
        [ -n "$match" ] || {forget} </dev/null >&2
        {keep}
        for held in ca crt key; do
            [ -n "$(head -n 1 "$new/$held")" ] || match=
        done
        if [ -n "$match" ]; then
            printf %s {shlex.quote(_RENDERER)} >"$new/keep"
            chmod 0700 "$new/keep"
            {upgrade} --post-renderer="$new/keep" "$@"
        else
            {upgrade} "$@"
            {restart} </dev/null
        fi
    """


def ready_part() -> Part:
    """Return the part that waits until KubeFed has found its clusters Ready again."""
    return Part(
        name="ready",
        text="wait until KubeFed has looked at its clusters",
        running="waiting for KubeFed's health checks",
        done="",
        why=f"its {CONTROLLER} is a new one",
    )
