from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.errors import RefusedError, StepError
from fedssh.federation.member import MemberState, parse_probe, probe_commands
from fedssh.inventory import Cluster, Machine
from fedssh.kubernetes.account import grant_commands
from fedssh.shell import Result
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import CA, Member
from tests.fakes.shells import Answer, LocalShell, install_tool, path_with
from tests.fakes.world import World, by_name

if TYPE_CHECKING:
    from pathlib import Path

# A kubectl that tells what the user of its kubeconfig logs in by, and notes when it is asked for anything else.
KUBECTL = """
case "$*" in
    *users*) printf %s "$LOGIN" ;;
    *"config view"*) printf '{"server": "https://m1:6443"}' ;;
    *" version --client "*) printf '{"clientVersion": {"gitVersion": "v1.33.13"}}' ;;
    *kube-system*) echo "$*" >>"$LOG"; printf uid ;;
    *) echo "$*" >>"$LOG"; printf '{"kind": "List", "items": []}' ;;
esac
"""


def cluster(**said: Any) -> Cluster:
    """Return a member as hosts.yaml says."""
    return Cluster(name="member1", machine=Machine(name="member1", address="a"), **said)


def probe(member: Member, one: Cluster, *, adopt: bool = False) -> MemberState:
    """Look at a member."""
    commands = probe_commands(one)
    answers = [member.answer(command) for command in commands]
    results = [
        Result(command=command, code=said.code, stdout=said.stdout, stderr=said.stderr)
        for command, said in zip(commands, answers, strict=True)
    ]
    return parse_probe(results, one, adopt=adopt)


@pytest.mark.parametrize("login", ["", "map[command:evil]"])
def test_a_kubeconfig_that_runs_programs_is_never_logged_in_with(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    """The real commands: kubectl only reads the file then, and the member is refused."""
    install_tool(tmp_path / "bin", "kubectl", KUBECTL)
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setenv("LOGIN", login)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    one = cluster(tls="system", kubeconfig="/etc/it's a 'file'")
    results = local.run(probe_commands(one))
    assert (tmp_path / "log").exists() == (not login)
    if not login:
        assert parse_probe(results, one).cluster_uid == "uid"
        return
    with pytest.raises(RefusedError, match=r"logs in by a program or a file \(exec, auth-provider or tokenFile\)"):
        parse_probe(results, one)


def test_the_login_is_looked_at_in_every_form_that_runs_or_reads() -> None:
    """Before each request, with the same kubeconfig."""
    _, *asks, _, _ = probe_commands(cluster(kubeconfig="/etc/config"))
    for ask in asks:
        look, _, rest = ask.line.partition("; then ")
        assert all(f"{{.users[0].user.{one}}}" in look for one in ("exec", "auth-provider", "tokenFile"))
        assert "--kubeconfig=/etc/config" in look
        assert "--kubeconfig=/etc/config" in rest
        assert "--raw" not in look


def test_a_proxy_is_refused() -> None:
    """The host need not have it."""
    member = Member("member1")
    member.broken["kubectl config"] = Answer(
        json.dumps({"server": "https://m1", "certificate-authority-data": CA, "proxy-url": "socks5://p"})
    )
    with pytest.raises(RefusedError, match="by a proxy") as caught:
        probe(member, cluster())
    assert "members.member1.kubeconfig" in caught.value.hint


def test_what_is_different_about_somebody_elses_object_is_told() -> None:
    """Only what it grants, and only what differs; safe for a terminal."""
    member = Member("member1")
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "\x1b[31mview\n"}
    account = {"kind": "ServiceAccount", "name": "member1", "namespace": "default"}
    member.objects["clusterrolebinding/member1"] = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "member1"},
        "roleRef": role,
        "subjects": [account],
    }
    with pytest.raises(RefusedError) as caught:
        probe(member, cluster())
    message = caught.value.message
    assert message.startswith("clusterrolebinding/member1 is there, and fedssh did not make it; roleRef is ")
    assert "fedssh's would be" in message
    assert "subjects" not in message
    assert message.isprintable()
    assert "--adopt" in caught.value.hint


def test_an_object_that_is_like_fedsshs_still_is_not_its_own() -> None:
    """There is nothing different to tell."""
    member = Member("member1")
    member.objects["serviceaccount/member1"] = {"kind": "ServiceAccount", "metadata": {"name": "member1"}}
    with pytest.raises(RefusedError) as caught:
        probe(member, cluster())
    assert caught.value.message == "serviceaccount/member1 is there, and fedssh did not make it"


def test_what_is_adopted_is_granted_again() -> None:
    """Its token does not count until fedssh has made it its own."""
    member = Member("member1")
    for one in grant_commands(cluster()):
        member.answer(one)
    for each in member.objects.values():
        each["metadata"]["labels"] = {}
    found = probe(member, cluster(), adopt=True)
    assert found.token is None
    assert found.present == frozenset(member.objects)
    assert found.adopted.keys() == member.objects.keys()
    assert "delete" not in str(member.applied)


@pytest.mark.parametrize(
    ("said", "ca"),
    [({}, CA), ({"tls": "system"}, ""), ({"tls": "pin"}, ""), ({"tls": "insecure"}, ""), ({"ca_file": "/x"}, "")],
)
def test_a_members_own_ca_is_needed_only_where_it_verifies(said: dict[str, Any], ca: str) -> None:
    """It is refused when it is missing, and does not matter otherwise."""
    assert probe(Member("member1"), cluster(**said)).ca == ca
    without = Member("member1", ca="")
    if said:
        assert probe(without, cluster(**said)).ca == ""
        return
    with pytest.raises(RefusedError, match="holds no CA certificate"):
        probe(without, cluster())


@pytest.mark.parametrize(
    ("printed", "clock"),
    [
        ("1700000000\n", 1_700_000_000),
        ("", 0),
        ("nan", 0),
        ("inf", 0),
        ("1e400", 0),
        ("-5", 0),
        ("9" * 400, 0),
        ("9" * 100_000, 0),
        ("\u00b2", 0),
        ("date: unknown", 0),
    ],
)
def test_a_clock_that_says_nothing_is_none(world: World, printed: str, clock: float) -> None:
    """Whatever it prints, the others are federated; the host's is read the same way."""
    world.members["member1"].broken["date +%s"] = Answer(printed)
    assert probe(world.members["member1"], cluster()).clock == clock
    report = world.federate()
    assert report.exit_code == 0
    assert ["its clock is" in str(one.notices) for one in report.clusters] == [False, bool(clock), False, False]
    world.host.broken["date +%s"] = Answer(printed)
    assert world.federate().exit_code == 0


def test_a_probe_that_is_refused_has_no_kubectl_to_blame(world: World) -> None:
    """A member whose kubeconfig logs in by a program fails alone, with exit code 6."""
    foreign = Answer(code=96)
    world.members["member1"].broken["kubectl get"] = foreign
    report = world.federate("member1")
    assert isinstance(by_name(report)["member1"].error, RefusedError)
    assert report.exit_code == 6
    assert world.host.kubeconfig == HOST_KUBECONFIG
    world.members["member1"].broken["kubectl get"] = Answer(code=95)
    assert isinstance(by_name(world.federate("member1"))["member1"].error, StepError)
