"""The upgrade of KubeFed's chart: its programs, run on this machine, and what is decided about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from fedssh.engines.kubefed import upgrade
from fedssh.engines.kubefed.charts import chart_place
from fedssh.engines.kubefed.kubefedctl import Tool
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.engines.kubefed.upgrade import (
    parse_release_answers,
    ready_part,
    release_commands,
    upgrade_commands,
    upgrade_part,
)
from fedssh.engines.protocol import JoinedCluster, Uploaded
from fedssh.errors import RefusedError, StepError
from fedssh.inventory import parse_inventory
from fedssh.kubernetes.credentials import Endpoint, Trust
from fedssh.kubernetes.helm import Release
from fedssh.kubernetes.kubectl import Target
from fedssh.shell import Command
from tests.fakes.lines import argv_of
from tests.fakes.shells import install_tool, make_clock, path_with, result

if TYPE_CHECKING:
    from fedssh.inventory import Inventory
    from fedssh.shell import Result
    from tests.fakes.shells import LocalShell

HOST = Target(kubeconfig="/root/.kube/config", context="fedhost")
VALUES = {"controllermanager": {"replicaCount": 1}}
HELD: Final = {"ca": "bmV3IENB" * 500, "crt": "bmV3IGNydA==", "key": "bmV3IGtleQ=="}
OLD: Final = {"ca": '"b2xkIENB"', "crt": r'"-----BEGIN\nold crt\n"', "key": r'"-----BEGIN\nold key\n"'}

# As KubeFed's chart renders them, and what only looks like it.
MANIFEST: Final = """---
# Source: kubefed/charts/controllermanager/templates/other.yaml
kind: Secret
metadata:
  name: other
stringData:
  tls.crt: other
  tls.key: other
---
kind: Secret
metadata:
  name: kubefed-admission-webhook-serving-cert-2
stringData:
  tls.key: other
---
kind: Certificate
metadata:
  name: kubefed-certificate
spec:
  secretName: kubefed-admission-webhook-serving-cert
  issuerRef:
    name: kubefed-admission-webhook-serving-cert
stringData:
  tls.key: none
---
kind: ConfigMap
data:
  note: "the caBundle: is elsewhere, and stringData:, too"
  tls.key: none
  stringData: none
---
# Source: kubefed/charts/controllermanager/templates/webhook.yaml
apiVersion: v1
kind: Secret
metadata:
  namespace: kube-federation-system
  name: kubefed-admission-webhook-serving-cert
  annotations:
    note: |
      stringData:
type: kubernetes.io/tls
{data}
  tls.crt: {crt}
  tls.key: {key}
others:
  tls.key: none
---
kind: Secret
metadata:
  name: another
stringData:
  tls.crt: other
---
kind: ValidatingWebhookConfiguration
webhooks:
- name: federatedtypeconfigs.core.kubefed.io
  clientConfig:
    service: {{name: kubefed-admission-webhook}}
    caBundle: {ca}
- name: kubefedclusters.core.kubefed.io
  clientConfig:
    caBundle: {ca}
  failurePolicy: Fail
---
kind: MutatingWebhookConfiguration
webhooks:
- clientConfig:
    caBundle: {ca}
  tls.crt: none
"""
KEPT: Final = ["kubectl get"] * 3
ASKED_AND_KEPT: Final = ["kubectl annotate", *KEPT]
BEFORE, AFTER = MANIFEST.format(data="stringData:", **OLD), MANIFEST.format(data="data:", **HELD)

CALL_FAILED: Final = (
    'Error from server (InternalError): Internal error occurred: failed calling webhook "kubefedconfigs": x509: unknown'
)
KUBECTL = """
case "$*" in
    *caBundle*) echo ca ;; *tls*crt*) echo crt ;; *tls*key*) echo key ;; *dry-run*) echo config ;; *) echo none ;;
esac >"$HERE/what"
what=$(cat "$HERE/what")
printf '%s\\n' "kubectl $*" >>"$HERE/log"
case "$*" in *" get "*) cat "$HERE/held/$what" ;; *--dry-run*) cat >/dev/null; eval "$(cat "$HERE/known")" ;;
    *" annotate "*) eval "$(cat "$HERE/asked")" ;; *" rollout "*) eval "$(cat "$HERE/rolled")" ;;
    *" apply "*) cat >"$HERE/definitions" ;; esac
"""
HELM = """
echo "helm $*" >>"$HERE/log"
case "$1" in show) cat; echo definitions; exit ;; template) cat >"$HERE/given"; echo config; exit ;; esac
cat >"$HERE/values"
for word; do case $word in --post-renderer=*) program=${word#*=} ;; esac; done
[ -z "${program-}" ] || { ls -ld "${program%/*}" >"$HERE/mode"; "$program" <"$HERE/manifest" >"$HERE/new"; }
eval "$(cat "$HERE/end")"
"""


@dataclass
class Machine:
    """A machine with a helm and a kubectl that only do what an upgrade needs; what they give and take is in files."""

    folder: Path
    shell: LocalShell

    def upgrade(self) -> Result:
        """Run the last of the commands: the upgrade itself."""
        return self.shell.run(commands()[-1])[0]

    def read(self, name: str) -> str:
        """Return what a file holds, or "" where it is not there."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    @property
    def called(self) -> list[str]:
        """The calls by their tool and its verb, flags left out."""
        words = [[word for word in line.split() if word[0] != "-"] for line in self.read("log").splitlines()]
        return [" ".join(call[:2]) for call in words]


@pytest.fixture
def machine(tmp_path: Path, local: LocalShell, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine where KubeFed's webhook has a CA and a certificate."""
    (tmp_path / "held").mkdir()
    for name, content in {**{f"held/{name}": said for name, said in HELD.items()}, "manifest": BEFORE}.items():
        (tmp_path / name).write_text(content)
    for name in ("asked", "known", "rolled", "end"):
        (tmp_path / name).write_text(":")
    install_tool(tmp_path / "bin", "kubectl", KUBECTL)
    install_tool(tmp_path / "bin", "helm", HELM)
    make_clock(tmp_path / "bin")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setenv("HERE", str(tmp_path))
    monkeypatch.setattr(upgrade, "FOLDER", str(tmp_path / "upgrade"))
    return Machine(folder=tmp_path, shell=local)


def inventory(**said: Any) -> Inventory:
    """Return a hosts.yaml that says this of KubeFed."""
    text = f"host: {{name: fedhost, address: h}}\nkubefed: {json.dumps(said)}\n"
    return parse_inventory(text, path=Path("hosts.yaml"))


def commands() -> list[Command]:
    """Return the upgrade's commands, with the chart in a repository."""
    return upgrade_commands(chart_place(inventory().kubefed, "0.10.0", None), values=VALUES, target=HOST)


def installed(version: str = "0.9.2", *, tool: str = "0.10.0", **said: Any) -> KubeFedState:
    """Return that a version is installed, which is to be upgraded."""
    release = Release(**{"version": version, "status": "deployed", "revision": 1, **said})
    tools = (Tool(path="/usr/local/bin/kubefedctl", version=tool),)
    state = KubeFedState(machine="fedhost", release=release, is_running=True, serves=True, tools=tools)
    return state.to_upgrade()


def test_what_the_running_webhook_knows_goes_into_the_manifests(tmp_path: Path, local: LocalShell) -> None:
    """Its CA in every webhook, its certificate and key in its Secret; nothing else in them changes."""
    program = install_tool(tmp_path / "a folder", "keep", "")
    program.write_text(upgrade._RENDERER)
    for name, content in HELD.items():
        (program.parent / name).write_text(f"{content}\n")
    (done,) = local.run(Command(line=f"'{program}'", title="x", stdin=BEFORE))
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == AFTER


@pytest.mark.parametrize("gone", ["caBundle: ", "  tls.crt: {crt}", "  tls.key: {key}", "{data}"])
def test_a_chart_that_has_no_place_for_them_is_not_rendered(tmp_path: Path, local: LocalShell, gone: str) -> None:
    """Half of it would leave a webhook whose certificate nobody trusts: Helm is told so, and changes nothing."""
    program = install_tool(tmp_path / "a folder", "keep", "")
    program.write_text(upgrade._RENDERER)
    for name, content in HELD.items():
        (program.parent / name).write_text(f"{content}\n")
    manifest = MANIFEST.replace(gone, "another: ").format(data="stringData:", **OLD)
    (done,) = local.run(Command(line=f"'{program}'", title="x", stdin=manifest))
    assert (done.code, done.stderr.count("no place for the webhook's CA and certificate")) == (1, 1)


RELEASE_HELM = r"""
echo "$*" >>"$HERE/asked"
case "$2" in values) echo "$VALUES" ;; manifest) printf "$WEBHOOKS" ;; esac
"""
OLD_MANIFEST = "apiVersion: admissionregistration.k8s.io/v1beta1\nkind: x\n"


@pytest.mark.parametrize(
    ("revision", "values", "manifest", "found"),
    [
        ("3", "null", "kind: x\n", ({}, False)),
        ("", '{"a":{"b":1}}', OLD_MANIFEST, ({"a": {"b": 1}}, True)),
    ],
)
def test_what_is_installed_is_asked_for_its_values(
    *,
    local: LocalShell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    revision: str,
    values: str,
    manifest: str,
    found: tuple[dict[str, Any], bool],
) -> None:
    """Of the last revision that was deployed, where there is one; and for webhooks that Kubernetes has dropped."""
    install_tool(tmp_path / "bin", "helm", RELEASE_HELM)
    install_tool(tmp_path / "bin", "kubectl", f"printf %s '{revision}'")
    known = {"HERE": str(tmp_path), "VALUES": values, "WEBHOOKS": manifest, "PATH": path_with(tmp_path / "bin")}
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    answers = local.run(release_commands(target=HOST))
    assert parse_release_answers(answers, machine="fedhost") == found
    asked = (tmp_path / "asked").read_text()
    assert (f"--revision={revision}" in asked) == bool(revision)
    assert "--revision" not in asked or revision


@pytest.mark.parametrize("said", ["[]", "{", "5"])
def test_values_that_are_none_are_an_error(said: str) -> None:
    """Nothing is upgraded by guesses; nor where Helm fails."""
    with pytest.raises(StepError, match="something else than values"):
        parse_release_answers([result(said), result("0")], machine="fedhost")
    with pytest.raises(StepError, match="no memory"):
        parse_release_answers([result(code=1, stderr="no memory"), result("0")], machine="fedhost")


def test_a_release_that_helm_cannot_upgrade_is_refused() -> None:
    """Its webhooks are of a kind that Kubernetes has dropped since: what mends it is said. Else it is upgraded."""
    state = replace(installed("0.7.0"), has_old_webhooks=True)
    (error,) = state.refusals(inventory(version="0.10.0"), kubernetes="v1.25.0")
    assert error.message.startswith("Helm does not upgrade KubeFed 0.7.0 on Kubernetes v1.25.0: its webhooks are of ")
    assert "helm mapkubeapis kubefed --namespace kube-federation-system" in error.hint
    assert state.refusals(inventory(version="0.10.0"), kubernetes="v1.21.14") == []
    mended = replace(state, has_old_webhooks=False)
    assert mended.refusals(inventory(version="0.10.0"), kubernetes="v1.25.0") == []


def test_the_upgrade_keeps_the_webhooks_certificate(machine: Machine) -> None:
    """Helm gets it by its post-renderer, and the values by stdin. Nobody else reads it; at the end it is gone."""
    (machine.folder / "upgrade").mkdir()
    (machine.folder / "upgrade" / "keep").write_text("left by a run that was killed")
    done = machine.upgrade()
    assert (done.code, done.stderr) == (0, "")
    assert machine.read("new") == AFTER
    assert json.loads(machine.read("values")) == VALUES
    assert machine.read("mode").startswith("drwx------")
    assert not (machine.folder / "upgrade").exists()
    assert machine.called == [*ASKED_AND_KEPT, "helm upgrade"]
    words = machine.read("log").splitlines()[-1].split()
    assert words[:3] == ["helm", "upgrade", "kubefed"]
    assert {"--no-hooks", "--values=-", "--kube-context=fedhost", "--namespace=kube-federation-system"} <= set(words)
    assert words[-2:] == ["kubefed-charts/kubefed", "--version=0.10.0"]
    assert HELD["key"] not in machine.read("log")
    asked = [
        line.split() for line in machine.read("log").splitlines() if line.startswith("kubectl") and " get " in line
    ]
    assert ["--ignore-not-found" in words for words in asked] == [True] * 3  # else what is not there were a failure


def test_a_webhook_that_answers_is_not_started_anew(machine: Machine) -> None:
    """It is asked by a change that means nothing: the time, which is another one at every run."""
    assert machine.upgrade().ok
    (asked,) = [line for line in machine.read("log").splitlines() if " annotate " in line]
    assert {"--overwrite", "kubefedconfigs", "kubefed", "fedssh/asked-at=1000000"} <= set(asked.split())
    assert {"--context=fedhost", "--namespace=kube-federation-system"} <= set(asked.split())
    assert "rollout" not in machine.read("log")


def test_a_webhook_that_does_not_know_its_certificate_is_started_anew(machine: Machine) -> None:
    """It is waited for, and then its certificate is kept as any other; what kubectl says of it is no answer."""
    (machine.folder / "asked").write_text(f'[ -e "$HERE/anew" ] || {{ echo "{CALL_FAILED}" >&2; exit 1; }}')
    (machine.folder / "rolled").write_text('touch "$HERE/anew"; echo restarted; echo rolled out >&2')
    done = machine.upgrade()
    assert (done.code, done.stdout) == (0, "")
    rolled = ["kubectl annotate", *["kubectl rollout"] * 2, "kubectl annotate"]
    assert machine.called == [*rolled, *KEPT, "helm upgrade"]
    restart, status = [line.split() for line in machine.read("log").splitlines() if " rollout " in line]
    where = {"deployment/kubefed-admission-webhook", "--namespace=kube-federation-system", "--context=fedhost"}
    assert {"restart", *where} <= set(restart)
    assert {"status", "--timeout=300s", *where} <= set(status)
    assert machine.read("new") == AFTER


def test_a_certificate_that_its_ca_has_not_issued_is_made_anew(machine: Machine) -> None:
    """As an upgrade leaves them that was cut between the two: starting anew does not help, and nothing is kept."""
    (machine.folder / "asked").write_text(f"echo '{CALL_FAILED}' >&2; exit 1")
    done = machine.upgrade()
    assert done.ok
    first, *_, forgot = machine.called[: machine.called.index("kubectl delete") + 1]
    assert (first, forgot) == ("kubectl annotate", "kubectl delete")
    assert machine.called[-2:] == ["helm upgrade", "kubectl rollout"]
    assert "--post-renderer" not in machine.read("log")
    (deleted,) = [line for line in machine.read("log").splitlines() if " delete " in line]
    assert "validatingwebhookconfiguration/validations.core.kubefed.io" in deleted
    assert "mutatingwebhookconfiguration/mutation.core.kubefed.io" in deleted


@pytest.mark.parametrize(("verb", "calls"), [("restart", 1), ("status", 2)])
def test_a_webhook_that_does_not_come_back_ends_the_upgrade(machine: Machine, verb: str, calls: int) -> None:
    """Before anything is changed by Helm; in kubectl's words, and with its code."""
    (machine.folder / "asked").write_text(f"echo '{CALL_FAILED}' >&2; exit 1")
    (machine.folder / "rolled").write_text(f'case "$*" in *" {verb} "*) echo timed out >&2; exit 7 ;; esac')
    done = machine.upgrade()
    assert (done.code, done.stderr) == (7, "timed out\n")
    assert machine.called == ["kubectl annotate", *["kubectl rollout"] * calls]
    assert not (machine.folder / "upgrade").exists()


@pytest.mark.parametrize("said", ['kubefedconfigs "kubefed" not found', "is forbidden: User x cannot patch", ""])
def test_another_answer_to_the_question_is_no_reason_to_start_the_webhook_anew(machine: Machine, said: str) -> None:
    """Nor to end the upgrade, which meets the same trouble itself where it matters."""
    (machine.folder / "asked").write_text(f"echo '{said}' >&2; exit 1")
    done = machine.upgrade()
    assert (done.code, done.stderr) == (0, "")
    assert machine.called == [*ASKED_AND_KEPT, "helm upgrade"]
    assert machine.read("new") == AFTER


@pytest.mark.parametrize("missing", HELD)
def test_where_no_certificate_is_kept_the_webhook_starts_anew(machine: Machine, missing: str) -> None:
    """With the new one: without all three of them, nothing is put into what Helm applies."""
    (machine.folder / "held" / missing).write_text("")
    assert machine.upgrade().ok
    assert machine.called == [*ASKED_AND_KEPT, "helm upgrade", "kubectl rollout"]
    assert "--post-renderer" not in machine.read("log")
    assert "rollout restart deployment/kubefed-admission-webhook" in machine.read("log")
    assert (json.loads(machine.read("values")), (machine.folder / "upgrade").exists()) == (VALUES, False)


@pytest.mark.parametrize("missing", HELD)
def test_where_the_cluster_does_not_answer_nothing_is_upgraded(machine: Machine, missing: str) -> None:
    """A certificate that was not read is not one that is not there."""
    (machine.folder / "held" / missing).unlink()
    assert not machine.upgrade().ok
    assert "helm upgrade" not in machine.called
    assert not (machine.folder / "upgrade").exists()


def test_an_upgrade_that_fails_leaves_no_key_behind(machine: Machine) -> None:
    """Helm's words and its code are told."""
    (machine.folder / "end").write_text("echo timed out >&2; exit 5")
    done = machine.upgrade()
    assert (done.code, done.stderr, (machine.folder / "upgrade").exists()) == (5, "timed out\n", False)


@pytest.mark.parametrize("seconds", [0, 3, 60])
def test_the_definitions_are_applied_and_waited_for(machine: Machine, seconds: int) -> None:
    """Until the API server knows them as they are in the chart, or has had time enough: Helm takes it at its word."""
    says = 'echo "unknown field x" >&2; exit 1'
    (machine.folder / "known").write_text(f'[ "$(cat "$HERE/bin/clock")" -ge {1_000_000 + seconds} ] || {{ {says}; }}')
    (done,) = machine.shell.run(commands()[0])
    assert machine.read("definitions") == "definitions\n"
    assert json.loads(machine.read("given")) == VALUES
    assert (done.code, "unknown field x" in done.stderr) == (int(seconds > 30), seconds > 30)
    assert machine.called.count("kubectl apply") == 1 + 1 + min(seconds, 30)


def test_what_an_upgrade_that_was_cut_has_left_is_cleared() -> None:
    """Helm's own note of it, and no other release's."""
    selector = "--selector=owner=helm,name=kubefed,status=pending-upgrade"
    where = "--namespace=kube-federation-system"
    assert {"delete", "secrets", selector, where, "--ignore-not-found"} <= set(argv_of(commands()[1]))


def test_an_upgrade_is_a_part_of_its_own() -> None:
    """The rollout and the federation's health are waited for; kubefedctl is of the same version."""
    parts = installed(tool="0.9.2").missing(inventory())
    assert [part.name for part in parts] == ["tool", "upgrade", "rollout", "ready"]
    assert [part.done for part in parts] == ["installed kubefedctl 0.10.0", "upgraded KubeFed 0.9.2 to 0.10.0", "", ""]
    assert parts[1] == upgrade_part("0.10.0", before="0.9.2")
    assert parts[3] == ready_part()
    assert [part.name for part in installed().missing(inventory())] == ["upgrade", "rollout", "ready"]
    assert installed().refusals(inventory(), kubernetes="v1.21.14") == []


@pytest.mark.parametrize("said", [{}, {"version": "0.10.0"}])
def test_without_the_word_nothing_is_upgraded(said: dict[str, str]) -> None:
    """What is installed stays where hosts.yaml names no version, and else is refused, with the way to upgrade it."""
    state = replace(installed(), is_upgrading=False)
    refused = [error.hint for error in state.refusals(inventory(**said), kubernetes="v1.21.14")]
    assert ["fedssh prepare --upgrade" in hint for hint in refused] == [True] * len(said)
    assert "upgrade" not in [part.name for part in state.missing(inventory(**said))]


def test_the_version_that_is_wanted_needs_no_upgrade() -> None:
    """Nor does a host that has none: it is installed there."""
    assert installed("0.10.0").missing(inventory()) == []
    left = installed("0.9.2", status="pending-install")
    for state in (replace(left, release=None, is_running=False, serves=False), replace(left, serves=False)):
        assert [part.name for part in state.missing(inventory())] == ["chart", "rollout"]


def test_a_newer_version_is_not_made_an_older_one() -> None:
    """Its definitions might not be the older one's; by number, not by letter."""
    (error,) = installed("0.10.0", tool="0.9.2").refusals(inventory(version="0.9.2"), kubernetes="v1.21.14")
    assert isinstance(error, RefusedError)
    assert error.message == "KubeFed 0.10.0 is installed, which is newer than 0.9.2"
    assert error.hint == "To keep what is there, write: kubefed.version: 0.10.0"


@pytest.mark.parametrize("version", ["0.9.2", "0.10.0"])
@pytest.mark.parametrize("status", ["pending-upgrade", "failed"])
def test_an_upgrade_that_was_cut_goes_on(version: str, status: str) -> None:
    """Whichever version Helm names; without the word it is refused, with the way to go on."""
    state = installed(version, status=status, revision=2)
    assert [part.name for part in state.missing(inventory())] == ["upgrade", "rollout", "ready"]
    assert state.refusals(inventory(), kubernetes="v1.21.14") == []
    refused = replace(state, is_upgrading=False).refusals(inventory(), kubernetes="v1.21.14")
    assert "fedssh prepare --upgrade" in refused[-1].hint


@pytest.mark.parametrize("uploaded", [None, Uploaded(path="/up", sha256="ab" * 32)])
def test_the_stages_of_an_upgrade_run_one_after_the_other(uploaded: Uploaded | None) -> None:
    """The repository first, or what was uploaded removed last; the feature gates are Helm's hook's no more."""
    gates = inventory(values={"controllermanager": {"featureGates": {"PushReconciler": "Disabled"}}})
    part = upgrade_part("0.10.0", before="0.9.2")
    stages = installed().part_stages(part, gates, target=HOST, uploaded=uploaded)
    titles = ["upgrade of KubeFed's definitions", "kubectl delete", "helm upgrade", "kubectl patch", "kubectl rollout"]
    wanted = [*titles, "rm -f"] if uploaded else ["helm repo", *titles]
    assert [[command.title for command in stage] for stage in stages] == [[title] for title in wanted]


def test_the_clusters_that_were_well_are_waited_for() -> None:
    """By a probe after the upgrade; those that were not are no measure."""
    m1 = JoinedCluster(name="m1", endpoint=Endpoint(server="https://m", trust=Trust(word="system")), token=None)
    clusters = {
        name: replace(m1, name=name, ready=ready) for name, ready in (("m1", True), ("m2", False), ("m3", None))
    }
    state = replace(installed(), clusters=clusters)
    ((command,),) = state.part_stages(ready_part(), inventory(), target=HOST, uploaded=None)
    assert argv_of(command)[2:] == ["m1=begin"]
    state.check_part(ready_part(), [result()], inventory())
    with pytest.raises(StepError, match="does not find all clusters Ready that were before"):
        state.check_part(ready_part(), [result(code=1)], inventory())
