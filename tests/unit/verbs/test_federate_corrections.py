from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.kubefed.clusters import after_join, correct_command, corrections
from fedssh.engines.protocol import JoinedCluster
from fedssh.kubernetes.credentials import Endpoint, Trust
from fedssh.kubernetes.kubectl import Target
from tests.fakes.hosts import HOST_KUBECONFIG, HOST_SERVER
from tests.fakes.kubernetes import CA, Member, base64_of, error
from tests.fakes.lines import keys_of
from tests.fakes.shells import LocalShell, install_tool, path_with
from tests.fakes.trusting import LEAF, ROOT
from tests.fakes.world import NAMES, World, by_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.lines import Call

SERVER = "member1.example.com:6443"
NAME = ", server_name: api.example.com"
INSECURE = ", tls: insecure"
# How hosts.yaml has a member verified, and what its KubeFedCluster's spec holds then.
MODES: dict[str, tuple[str, list[str] | None]] = {
    "": (CA, None),
    NAME: (CA, ["SubjectName"]),
    ", tls: system": (ROOT.ca, None),
    f", tls: system{NAME}": (ROOT.ca, ["SubjectName"]),
    ", tls: pin": (LEAF.ca, None),
    INSECURE: (CA, ["*"]),
}


def wanted(ca: str = CA, server_name: str = "", word: Any = "ca") -> Endpoint:
    """Return what hosts.yaml says."""
    return Endpoint(server="https://m", trust=Trust(word=word, ca=ca, server_name=server_name))


def joined(ca: str = CA, server: str = "https://m", *unverified: str) -> JoinedCluster:
    """Return what KubeFed holds."""
    spec: dict[str, Any] = {"apiEndpoint": server, "caBundle": ca, "disabledTLSValidations": list(unverified)}
    endpoint = Endpoint(server=server, trust=Trust(word="system"))
    return JoinedCluster(name="m", endpoint=endpoint, token=None, ready=True, spec=spec)


@pytest.mark.parametrize(
    ("have", "want", "patch"),
    [
        (joined(), wanted(), {}),
        (joined(base64_of("x")), wanted(base64_of("x\n")), {}),
        (joined(""), wanted(), {"caBundle": CA}),
        (joined("%"), wanted(), {"caBundle": CA}),
        (joined(ROOT.ca), wanted(), {"caBundle": CA}),
        (joined(server="https://old"), wanted(), {"apiEndpoint": "https://m"}),
        (joined(CA, "https://m", "*"), wanted(), {"disabledTLSValidations": None}),
        (joined(CA, "https://m", "SubjectName"), wanted(), {"disabledTLSValidations": None}),
        (joined(), wanted(server_name="n"), {"disabledTLSValidations": ["SubjectName"]}),
        (joined(CA, "https://m", "SubjectName"), wanted(server_name="n"), {}),
        (joined(CA, "https://m", "*"), wanted(server_name="n"), {"disabledTLSValidations": ["SubjectName"]}),
        (joined(), wanted("", word="insecure"), {"disabledTLSValidations": ["*"]}),
        (joined("", "https://m", "*"), wanted("", word="insecure"), {}),
        (joined(CA, "https://m", "ValidityPeriod"), wanted(), {"disabledTLSValidations": None}),
        (
            joined("", "https://old", "*"),
            wanted(),
            {"apiEndpoint": "https://m", "caBundle": CA, "disabledTLSValidations": None},
        ),
    ],
)
def test_only_what_differs_is_corrected(have: JoinedCluster, want: Endpoint, patch: dict[str, Any]) -> None:
    """A certificate that is only written in another way is the same; where nothing is verified, none matters."""
    assert corrections(have, want) == patch


@pytest.mark.parametrize("labels", ["", *MODES])
def test_what_a_join_writes_is_known_before(world: World, labels: str) -> None:
    """The plan's corrections are those that the join leaves to do."""
    world.labels = labels
    world.federate("member1")
    spec = dict(world.host.federation["member1"]["spec"])
    spec.pop("secretRef")
    ca, unverified = MODES[labels]
    endpoint = Endpoint(server=f"https://{SERVER}", trust=trust_of(ca, labels))
    expected = {**after_join("member1", endpoint, None).spec, **corrections(after_join("m", endpoint, None), endpoint)}
    if labels == INSECURE:
        expected["caBundle"] = CA  # of the account that the join makes, which nobody looks at
    assert spec == expected
    assert spec.get("disabledTLSValidations") == unverified


def trust_of(ca: str, labels: str) -> Trust:
    """Return how hosts.yaml has a member verified."""
    if labels == INSECURE:
        return Trust(word="insecure")
    return Trust(word="ca", ca=ca, server_name="api.example.com" if "server_name" in labels else "")


def test_a_correction_prints_the_hosts_time(local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real command: kubectl's own words are no time; a kubectl that fails prints none."""
    install_tool(tmp_path / "bin", "kubectl", f'echo "$@" >{tmp_path}/log; echo patched; [ ! -e {tmp_path}/broken ]')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    patch = {"apiEndpoint": "https://m;$(id)'", "disabledTLSValidations": None}
    command = correct_command("member1", patch, target=Target(kubeconfig="/c", context="fedhost"))
    (done,) = local.run(command)
    assert len(done.stdout.strip()) == len("2026-11-23T10:00:00Z")
    told = (tmp_path / "log").read_text()
    assert "--context=fedhost" in told
    assert "patch kubefedclusters/member1 --namespace=kube-federation-system --type=merge" in told
    assert f"--patch={json.dumps({'spec': patch})}" in told
    (tmp_path / "broken").touch()
    (done,) = local.run(command)
    assert (done.ok, done.stdout) == (False, "")


@pytest.fixture
def world() -> World:
    """Members that present a certificate, to the host and to themselves, and a host that knows its issuer."""
    world = World()
    world.host.store = ROOT.pem
    world.host.presented = {f"{name}.example.com:6443": LEAF.pem for name in NAMES}
    for member in world.members.values():
        member.presented = LEAF.pem
    return world


def spec(world: World) -> tuple[str, list[str] | None]:
    """Return how KubeFed verifies member1."""
    held = world.host.federation["member1"]["spec"]
    return held["caBundle"], held.get("disabledTLSValidations")


@pytest.mark.parametrize("after", MODES)
@pytest.mark.parametrize("before", MODES)
def test_every_change_of_how_a_member_is_verified_reaches_kubefed(world: World, before: str, after: str) -> None:
    """By a patch, since the credential works; and then there is nothing left to do."""
    world.labels = before
    assert world.federate("member1").exit_code == 0
    (ca, unverified), was = MODES[before], world.host.joined[:]
    assert spec(world) == (ca, unverified)
    world.labels = after
    report = world.federate("member1")
    assert report.exit_code == 0
    kept, unverified = MODES[after]
    # Where nothing is verified, the certificate from before stays where it is.
    assert spec(world) == (ca if "insecure" in after else kept, unverified)
    assert world.host.joined == was
    assert report.changed == (MODES[before] != MODES[after])
    assert not world.federate("member1").changed


def test_an_address_that_changed_is_corrected(world: World) -> None:
    """While the old one still works; KubeFed's view is then waited for, and its credential proven."""
    world.federate()
    old = world.members["member1"]
    new = Member("member1", server="https://new.example.com", uid=old.uid)
    new.api = old.api
    world.host.clusters.append(new)
    world.shells["member1"].answer = new.answer
    report = by_name(world.federate())
    assert report["member1"].changes == ("wrote context member1", "set apiEndpoint of its KubeFedCluster")
    assert world.host.federation["member1"]["spec"]["apiEndpoint"] == "https://new.example.com"
    assert world.host.joined == ["fedhost", *NAMES]
    assert "is Ready, and KubeFed's own credential works" in world.told("member1")
    assert keys_of(world.shells["fedhost"].runs[-1:]).count(("proof", "ask")) == 1


def test_an_address_that_no_longer_works_is_joined_again(world: World) -> None:
    """KubeFed's credential cannot be proven at the old one."""
    world.federate()
    world.members["member1"].server = "https://new.example.com"
    report = by_name(world.federate())
    assert report["member1"].changes == ("wrote context member1", "joined again")
    assert world.host.federation["member1"]["spec"]["apiEndpoint"] == "https://new.example.com"


def test_a_host_whose_address_changed_joins_again(world: World) -> None:
    """Even though the old one still works; its members do not."""
    world.federate()
    own, new = world.host.own, "https://fedhost.example.org:6443"
    old = Member("old", server=own.server, uid=own.uid)
    old.api = own.api
    world.host.clusters.append(old)
    own.server = new
    world.host.kubeconfig = world.host.kubeconfig.replace(HOST_SERVER, new)
    report = by_name(world.federate())
    assert report["fedhost"].changes == ("joined again",)
    assert world.host.joined == ["fedhost", *NAMES, "fedhost"]
    assert not world.federate().changed


def test_a_join_that_undoes_a_correction_is_corrected_again(world: World) -> None:
    """The credential is gone, so that the member joins; what kubefedctl cannot say follows."""
    world.labels = f", tls: system{NAME}"
    world.federate("member1")
    world.members["member1"].api.delete("serviceaccount/member1-fedhost")
    changes = by_name(world.federate("member1"))["member1"].changes
    assert changes == ("joined again", "set disabledTLSValidations of its KubeFedCluster")
    assert spec(world) == MODES[world.labels]


def test_a_correction_that_fails_is_its_members_failure(world: World) -> None:
    """The others are corrected."""
    world.federate()
    world.host.kubefed.forbidden.add(("patch", "member1"))
    world.labels = NAME
    report = by_name(world.federate())
    assert "forbidden" in str(report["member1"].error)
    assert report["member2"].changes[-1] == "set disabledTLSValidations of its KubeFedCluster"
    assert report["member2"].state == "Ready"


def test_a_corrected_credential_that_does_not_work_is_a_failure(world: World) -> None:
    """It worked before the correction."""
    world.federate()

    def forget(call: Call) -> None:
        if call.key == ("kubefed", "wait"):
            world.members["member1"].api.delete("serviceaccount/member1-fedhost")

    world.host.before = forget
    world.labels = NAME
    report = by_name(world.federate())
    assert "KubeFed's own credential does not work: " in str(report["member1"].error)
    assert "Unauthorized" in str(report["member1"].error)
    assert report["member2"].error is None


def test_fault_73_who_cannot_be_connected_to_anew_has_failed(world: World) -> None:
    """In kubectl's words, and no change is told of a connection that was not made; the others are Ready."""
    world.federate()
    offline = {"conditions": [{"type": "Offline", "status": "True", "message": "cluster is not reachable"}]}
    for name in ("member1", "member2"):
        world.host.federation[name]["status"] = offline
    world.host.kubefed.forbidden.add(("annotate", "member1"))
    report = world.federate()
    found = by_name(report)
    assert str(found["member1"].error).startswith("fedhost: connect anew: kubectl annotate failed")
    assert 'kubefedclusters "member1" is forbidden' in str(found["member1"].error)
    assert (found["member1"].state, found["member1"].changes) == ("Failed", ())
    assert (found["member2"].state, found["member2"].changes) == ("Ready", ("had KubeFed connect to it anew",))
    assert report.exit_code == 3


def test_fault_73_where_annotating_is_forbidden_nobody_is_said_to_be_connected_anew(world: World) -> None:
    """All that were meant have failed, for one reason; what needed no new connection is Ready."""
    world.federate()
    for name in NAMES:
        world.host.federation[name]["status"] = {}
    world.host.broken["kubectl", "annotate"] = error("Error from server (Forbidden): kubefedclusters is forbidden")
    report = world.federate()
    assert [cluster.state for cluster in report.clusters] == ["Ready", "Failed", "Failed", "Failed"]
    assert not report.changed
    assert report.exit_code == 3


def test_entries_that_somebody_drops_are_written_by_the_next_run(world: World) -> None:
    """Who pays no heed to kubectl's lock may drop them before the join, which fails then; that change of his stays."""
    dropped: list[str] = []

    def drop(call: Call) -> None:
        if call.key == ("kubefedctl", "join") and not dropped:
            dropped.append(world.host.kubeconfig)
            world.host.kubeconfig = HOST_KUBECONFIG + "other-hand: true\n"

    world.host.before = drop
    report = world.federate("member1")
    assert (report.exit_code, len(dropped), world.host.joined) == (3, 1, [])
    assert world.federate("member1").exit_code == 0
    assert world.host.context("member1")[0] == f"https://{SERVER}"
    assert "other-hand: true" in world.host.kubeconfig
