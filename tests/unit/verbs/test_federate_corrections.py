from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.kubefed.clusters import JoinedCluster, patch_command, spec_patch
from fedssh.kubernetes.account import MemberAccess
from fedssh.kubernetes.kubectl import Target
from fedssh.sensitive import Sensitive
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import CA, Member, base64_of, error
from tests.fakes.shells import Answer, LocalShell, install_tool, path_with
from tests.fakes.trusting import LEAF, ROOT
from tests.fakes.world import NAMES, World, by_name

if TYPE_CHECKING:
    from pathlib import Path

    from fedssh.shell import Command

ENDPOINT = "member1.example.com:6443"
NAME = ", server_name: api.example.com"
# How hosts.yaml has a member verified, and what its KubeFedCluster's spec holds then.
MODES: dict[str, tuple[str, list[str] | None]] = {
    "": (CA, None),
    NAME: (CA, ["SubjectName"]),
    ", tls: system": (ROOT.ca, None),
    f", tls: system{NAME}": (ROOT.ca, ["SubjectName"]),
    ", tls: pin": (LEAF.ca, None),
    ", tls: insecure": (CA, ["*"]),
}


def access(ca: str = CA, **said: Any) -> MemberAccess:
    """Return what hosts.yaml says."""
    return MemberAccess(name="m", server="https://m", ca=ca, token=Sensitive(""), cluster_uid="u", **said)


def joined(ca: str = CA, server: str = "https://m", *unverified: str) -> JoinedCluster:
    """Return what KubeFed holds."""
    return JoinedCluster(name="m", api_server=server, ca=ca, unverified=unverified, token=None, ready=True, message="")


@pytest.mark.parametrize(
    ("have", "want", "patch"),
    [
        (joined(), access(), {}),
        (joined(base64_of("x")), access(base64_of("x\n")), {}),
        (joined(""), access(), {"caBundle": CA}),
        (joined("%"), access(), {"caBundle": CA}),
        (joined(ROOT.ca), access(), {"caBundle": CA}),
        (joined(server="https://old"), access(), {"apiEndpoint": "https://m"}),
        (joined(CA, "https://m", "*"), access(), {"disabledTLSValidations": None}),
        (joined(CA, "https://m", "SubjectName"), access(), {"disabledTLSValidations": None}),
        (joined(), access(server_name="n"), {"disabledTLSValidations": ["SubjectName"]}),
        (joined(CA, "https://m", "SubjectName"), access(server_name="n"), {}),
        (joined(CA, "https://m", "*"), access(server_name="n"), {"disabledTLSValidations": ["SubjectName"]}),
        (joined(), access("", insecure=True), {"disabledTLSValidations": ["*"]}),
        (joined("", "https://m", "*"), access("", insecure=True), {}),
        (joined(CA, "https://m", "ValidityPeriod"), access(), {"disabledTLSValidations": None}),
        (
            joined("", "https://old", "*"),
            access(),
            {"apiEndpoint": "https://m", "caBundle": CA, "disabledTLSValidations": None},
        ),
    ],
)
def test_only_what_differs_is_patched(have: JoinedCluster, want: MemberAccess, patch: dict[str, Any]) -> None:
    """A certificate that is only written in another way is the same; where nothing is verified, none matters."""
    assert spec_patch(have, want) == patch
    assert spec_patch(have, replace(want, token=Sensitive("another"))) == patch


def test_a_patch_prints_the_hosts_time(local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real command: kubectl's own words are no time; a kubectl that fails prints none."""
    install_tool(tmp_path / "bin", "kubectl", f'echo "$@" >{tmp_path}/log; echo patched; [ ! -e {tmp_path}/broken ]')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    patch = {"apiEndpoint": "https://m;$(id)'", "disabledTLSValidations": None}
    command = patch_command("member1", patch, target=Target(kubeconfig="/c", context="fedhost"))
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
    """Members that present a certificate, and a host that knows its issuer."""
    world = World()
    world.host.store = ROOT.pem
    world.host.presented = {f"{name}.example.com:6443": LEAF.pem for name in NAMES}
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


def test_an_address_that_changed_is_patched(world: World) -> None:
    """While the old one still works; KubeFed's view is then waited for, and its credential proven."""
    world.federate()
    old = world.members["member1"]
    new = Member("member1", server="https://new.example.com", uid=old.uid, objects=old.objects)
    world.host.clusters.append(new)
    world.shells["member1"].answer = new.answer
    report = by_name(world.federate())
    assert report["member1"].changes == ("wrote context member1", "set apiEndpoint of its KubeFedCluster")
    assert world.host.federation["member1"]["spec"]["apiEndpoint"] == "https://new.example.com"
    assert world.host.joined == ["fedhost", *NAMES]
    assert "is Ready, and KubeFed's own credential works" in world.told("member1")
    assert world.shells["fedhost"].runs[-1].count("proof") == 1


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
    own, new = world.host.clusters[-1], "https://fedhost.example.org:6443"
    world.host.clusters.append(Member("fedhost", server=new, uid=own.uid, objects=own.objects))
    world.host.kubeconfig = world.host.kubeconfig.replace(own.server, new)
    world.host.broken["kubectl config"] = Answer(new)
    report = by_name(world.federate())
    assert report["fedhost"].changes == ("joined again",)
    assert world.host.joined == ["fedhost", *NAMES, "fedhost"]
    assert not world.federate().changed


def test_a_join_that_undoes_a_patch_is_patched_again(world: World) -> None:
    """The credential is gone, so that the member joins; what kubefedctl cannot say follows."""
    world.labels = f", tls: system{NAME}"
    world.federate("member1")
    del world.members["member1"].objects["secret/kubefeds"]
    changes = by_name(world.federate("member1"))["member1"].changes
    assert changes == ("joined again", "set caBundle, disabledTLSValidations of its KubeFedCluster")
    assert spec(world) == MODES[world.labels]


def test_a_patch_that_fails_is_its_members_failure(world: World) -> None:
    """The others are patched."""
    world.federate()
    patched = world.host.answer

    def fail(command: Command) -> Answer:
        is_first = command.title == "kubectl patch" and "kubefedclusters/member1" in command.line
        return error("(Forbidden) no") if is_first else patched(command)

    world.shells["fedhost"].answer = fail
    world.labels = NAME
    report = by_name(world.federate())
    assert "Forbidden" in str(report["member1"].error)
    assert report["member2"].changes[-1] == "set disabledTLSValidations of its KubeFedCluster"
    assert report["member2"].state == "Ready"


def test_a_patched_credential_that_does_not_work_is_a_failure(world: World) -> None:
    """It worked before the patch."""
    world.federate()

    def forget(command: Command) -> None:
        if command.title == "wait for Ready":
            del world.members["member1"].objects["secret/kubefeds"]

    world.host.before = forget
    world.labels = NAME
    report = by_name(world.federate())
    assert "KubeFed's own credential does not work: Unauthorized" in str(report["member1"].error)
    assert report["member2"].error is None


def test_labels_are_added_to_what_is_there(world: World) -> None:
    """Only those that differ are set, and those of others stay; the report shows all."""
    world.federate()
    for one in world.host.federation.values():
        one["metadata"]["labels"] = {"region": "eu", "mine": "x", "tier": "1"}
    world.labels = ", labels: {region: us, tier: '1'}"
    asked: list[str] = []
    world.host.before = lambda one: asked.append(one.line) if one.title == "kubectl label" else None
    report = by_name(world.federate("member1"))
    assert report["member1"].changes == ("labelled region=us",)
    assert [("region=us" in one, "tier" in one, "mine" in one) for one in asked] == [(True, False, False)]
    assert report["member1"].labels == {"region": "us", "mine": "x", "tier": "1"}
    assert report["fedhost"].changes == ()


def test_entries_that_somebody_drops_are_written_again(world: World) -> None:
    """A kubectl that had read the file before writes it without them; its own change stays, each is told once."""
    dropped: list[str] = []

    def drop(command: Command) -> None:
        if command.title == "read of the kubeconfig" and world.host.writes and not dropped:
            dropped.append(world.host.kubeconfig)
            world.host.kubeconfig = HOST_KUBECONFIG + "other-hand: true\n"

    world.host.before = drop
    report = world.federate("member1")
    assert report.exit_code == 0
    assert (len(dropped), world.host.writes) == (1, 2)
    assert world.host.context("member1")[0] == f"https://{ENDPOINT}"
    assert "other-hand: true" in world.host.kubeconfig
    assert by_name(report)["member1"].changes == ("granted access", "wrote context member1", "joined")
