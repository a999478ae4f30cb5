"""How a script comes to KubeFed's chart, run on this machine; and with which values, and which images."""

from __future__ import annotations

import copy
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.kubefed.charts import (
    add_repository,
    chart_images,
    chart_place,
    chart_repository,
    chart_values,
)
from fedssh.engines.protocol import Uploaded
from fedssh.inventory import parse_inventory
from fedssh.inventory.sources import NUTANIX, UPSTREAM
from fedssh.shell import script
from tests.fakes.lines import argv_of
from tests.fakes.shells import install_tool, path_with

if TYPE_CHECKING:
    from fedssh.engines.kubefed.charts import ChartPlace
    from fedssh.inventory import KubeFed
    from fedssh.shell import Result
    from tests.fakes.shells import LocalShell

URL = "https://example.com/charts/kubefed-0.10.0.tgz"
CHART = b"the chart's archive"
SHA256 = hashlib.sha256(CHART).hexdigest()
WRONG = "ab" * 32
CURL = 'while [ "$1" != -o ]; do shift; done; cp {chart} "$2"'
HELM = (
    'for word; do case $word in --dest*) cp {chart} "${{word#*=}}/kubefed-v0.10.0.tgz" ;; esac; done; echo pulled; cat'
)
DEFAULTS = {"repository": "quay.io/kubernetes-multicluster", "image": "kubefed", "tag": "v0.10.0"}
CHARTS_OWN = {"controllermanager": {"controller": {**DEFAULTS, "replicaCount": 1}, "webhook": DEFAULTS}}

STRANGE = ["x", 5, ["x"], {"controller": "x"}, {"controller": ["x"], "webhook": 5}]


def kubefed(**said: Any) -> KubeFed:
    """Return what hosts.yaml says of KubeFed."""
    text = f"host: {{name: fedhost, address: h}}\nkubefed: {json.dumps(said)}\n"
    return parse_inventory(text, path=Path("hosts.yaml")).kubefed


@dataclass
class Bench:
    """A machine with a curl and a helm that only note how they are called, and have the chart.

    Attributes:
        folder: The test's folder.
        shell: Runs its programs.
        temporary: Where temporary files lie.
    """

    folder: Path
    shell: LocalShell
    temporary: Path

    def run(self, place: ChartPlace) -> Result:
        """Run the lines, and then one that shows the chart and what is left on stdin."""
        text = place.lines + """printf '<%s>' "$@"; echo; cat "$1" 2>/dev/null || :; echo; cat"""
        return self.shell.run(script(text, title="x", stdin="values"))[0]

    @property
    def called(self) -> list[list[str]]:
        """The words of each call, but what is in a temporary folder's name."""
        log = self.folder / "log"
        return [shlex.split(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def bench(tmp_path: Path, local: LocalShell, home: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A machine that reaches everything."""
    chart = tmp_path / "chart"
    chart.write_bytes(CHART)
    for name, does in {"curl": CURL, "helm": HELM}.items():
        install_tool(tmp_path / "bin", name, f'echo "{name} $*" >>{tmp_path}/log\n{does.format(chart=chart)}')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    return Bench(folder=tmp_path, shell=local, temporary=home / "tmp")


def test_a_repository_is_added_under_the_name_that_its_users_know(bench: Bench) -> None:
    """Helm takes the chart from there, of the wanted version; nothing is fetched before."""
    place = chart_place(kubefed(), "0.10.0", None)
    done = bench.run(place)
    assert (place.is_added, done.code) == (True, 0)
    assert done.stdout.startswith("<kubefed-charts/kubefed><--version=0.10.0>\n")
    assert done.stdout.endswith("values")
    assert (bench.called, list(bench.temporary.iterdir())) == ([], [])
    words = ["helm", "repo", "add", "kubefed-charts", UPSTREAM.chart_repository, "--force-update"]
    assert argv_of(add_repository(kubefed())) == words


def test_the_repository_is_hosts_yamls_or_that_of_the_source() -> None:
    """Whoever releases it."""
    assert chart_repository(kubefed()) == UPSTREAM.chart_repository
    assert chart_repository(kubefed(source="nutanix")) == NUTANIX.chart_repository
    assert chart_repository(kubefed(source="nutanix", chart_repository="http://here/x")) == "http://here/x"


@pytest.mark.parametrize("sha256", ["", SHA256])
def test_an_archive_at_an_address_is_downloaded(bench: Bench, sha256: str) -> None:
    """And compared, where its checksum is known; it is gone at the end, and what the script reads is untouched."""
    place = chart_place(kubefed(chart_url=URL, **({"chart_sha256": sha256} if sha256 else {})), "0.10.0", None)
    done = bench.run(place)
    chart, content, stdin = done.stdout.split("\n")
    assert (place.is_added, done.code, content, stdin) == (False, 0, CHART.decode(), "values")
    assert chart.endswith("/kubefed.tgz>")
    ((tool, *words),) = bench.called
    assert (tool, words[-1], words[-3:-1]) == ("curl", URL, ["-o", chart.strip("<>")])
    assert list(bench.temporary.iterdir()) == []


def test_a_repositorys_chart_with_a_checksum_is_pulled_first(bench: Bench) -> None:
    """From where it lies, without adding a repository; whatever its archive is called there."""
    place = chart_place(kubefed(chart_repository="http://here/x", chart_sha256=SHA256), "0.10.0", None)
    done = bench.run(place)
    chart, content, stdin = done.stdout.split("\n")
    assert (place.is_added, done.code, content, stdin) == (False, 0, CHART.decode(), "values")
    ((tool, *words),) = bench.called
    assert [tool, *words[:4]] == ["helm", "pull", "kubefed", "--repo=http://here/x", "--version=0.10.0"]
    assert words[4].startswith(f"--destination={Path(chart.strip('<>')).parent}/")
    assert list(bench.temporary.iterdir()) == []


def test_an_archive_that_was_uploaded_is_taken_as_it_is(bench: Bench) -> None:
    """Whatever hosts.yaml says of addresses: the machine asks nobody. It stays for the commands that follow."""
    uploaded = Uploaded(path=str(bench.folder / "chart"), sha256=SHA256)
    place = chart_place(kubefed(chart_url=URL, chart_sha256=WRONG), "0.10.0", uploaded)
    done = bench.run(place)
    assert (place.is_added, done.code) == (False, 0)
    assert done.stdout == f"<{uploaded.path}>\n{CHART.decode()}\nvalues"
    assert (bench.called, list(bench.temporary.iterdir())) == ([], [])
    assert (bench.folder / "chart").read_bytes() == CHART


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"chart_url": URL}, f"{URL} has the SHA-256 checksum {SHA256}, but hosts.yaml says {WRONG}"),
        (
            {"chart_repository": "http://here/x"},
            f"kubefed-0.10.0 of http://here/x has the SHA-256 checksum {SHA256}, but hosts.yaml says {WRONG}",
        ),
    ],
)
def test_a_chart_with_another_checksum_ends_the_script(bench: Bench, said: dict[str, str], says: str) -> None:
    """Both checksums are told, and whose they are; nothing is done with the chart, and nothing of it is left."""
    done = bench.run(chart_place(kubefed(**said, chart_sha256=WRONG), "0.10.0", None))
    assert (done.code, done.stdout, done.stderr.strip()) == (1, "", says)
    assert list(bench.temporary.iterdir()) == []


def test_an_upload_with_another_checksum_ends_the_script(bench: Bench) -> None:
    """Its name is its checksum. It is removed, so that it is uploaded anew."""
    path = bench.folder / "chart"
    done = bench.run(chart_place(kubefed(), "0.10.0", Uploaded(path=str(path), sha256=WRONG)))
    says = f"{path} has the SHA-256 checksum {SHA256}, but its name says {WRONG}"
    assert (done.code, done.stdout, done.stderr.strip()) == (1, "", says)
    assert not path.exists()


@pytest.mark.parametrize(
    "said",
    [
        {"chart_url": URL},
        {"chart_url": URL, "chart_sha256": SHA256},
        {"chart_repository": "http://here/x", "chart_sha256": SHA256},
    ],
)
def test_a_chart_that_is_not_got_ends_the_script(bench: Bench, said: dict[str, str]) -> None:
    """With the tool's words, and the address where it does not tell that itself; nothing is left."""
    for tool in ("curl", "helm"):
        install_tool(bench.folder / "bin", tool, "echo no route >&2; exit 22")
    done = bench.run(chart_place(kubefed(**said), "0.10.0", None))
    assert done.code != 0
    assert "no route" in done.stderr
    assert (f"cannot download {URL}" in done.stderr) == ("chart_url" in said)
    assert (done.stdout, list(bench.temporary.iterdir())) == ("", [])


def test_without_an_image_the_values_are_hosts_yamls() -> None:
    """As they stand there."""
    values = {"controllermanager": {"controller": {"tag": "v1"}}, "global": {"scope": "Cluster"}}
    assert chart_values(kubefed()) == {}
    assert chart_values(kubefed(values=values)) == values


@pytest.mark.parametrize("manager", STRANGE)
def test_values_that_are_no_mappings_are_left_to_helm(manager: Any) -> None:
    """It has its own words for them, and is given them as they are; the images are the chart's then."""
    values = {"controllermanager": manager}
    assert chart_values(kubefed(values=values)) == values
    default = "quay.io/kubernetes-multicluster/kubefed:v0.10.0"
    assert chart_images(CHARTS_OWN, values) == [default]
    tagged = chart_values(kubefed(values=values, image_tag="v1"))["controllermanager"]
    strange = {part: said for part, said in manager.items() if said} if isinstance(manager, dict) else manager
    assert tagged == (
        {"controller": {"tag": "v1"}, "webhook": {"tag": "v1"}} | strange if isinstance(manager, dict) else manager
    )


@pytest.mark.parametrize("manager", [None, {}, {"controller": None}])
def test_an_image_is_that_of_both_deployments(manager: Any) -> None:
    """Its path and its name stand apart in the chart; its tag is a key of its own."""
    wanted = kubefed(image="10.0.0.1:5000/mirror/kubefed", image_tag="v1", values={"controllermanager": manager})
    image = {"repository": "10.0.0.1:5000/mirror", "image": "kubefed", "tag": "v1"}
    assert chart_values(wanted) == {"controllermanager": {"controller": image, "webhook": image}}
    wanted = kubefed(image_tag="v1")
    assert chart_values(wanted) == {"controllermanager": {"controller": {"tag": "v1"}, "webhook": {"tag": "v1"}}}
    wanted = kubefed(image="a.b/kubefed")
    assert chart_values(wanted)["controllermanager"]["webhook"] == {"repository": "a.b", "image": "kubefed"}


def test_what_the_values_say_of_an_image_wins() -> None:
    """For the Deployment of which they say it; all else in them stays, and they are not changed."""
    values = {
        "controllermanager": {"webhook": {"tag": "own", "resources": {}}, "featureGates": {"PushReconciler": "x"}},
        "global": {"scope": "Cluster"},
    }
    wanted = kubefed(image="a.b/c/kubefed", image_tag="v1", values=values)
    before = copy.deepcopy(dict(wanted.values))
    assert chart_values(wanted) == {
        "controllermanager": {
            "controller": {"repository": "a.b/c", "image": "kubefed", "tag": "v1"},
            "webhook": {"repository": "a.b/c", "image": "kubefed", "tag": "own", "resources": {}},
            "featureGates": {"PushReconciler": "x"},
        },
        "global": {"scope": "Cluster"},
    }
    assert wanted.values == before


def test_the_images_of_the_pods_are_the_charts_with_the_values_over_them() -> None:
    """Each once, as it stands in a Deployment."""
    default = "quay.io/kubernetes-multicluster/kubefed:v0.10.0"
    assert chart_images(CHARTS_OWN, {}) == [default]
    assert chart_images(CHARTS_OWN, {"controllermanager": None}) == [default]
    assert chart_images(CHARTS_OWN, chart_values(kubefed(image="a.b/c/d", image_tag="v1"))) == ["a.b/c/d:v1"]
    only = {"controllermanager": {"webhook": {"tag": "own"}}}
    assert chart_images(CHARTS_OWN, only) == [default, "quay.io/kubernetes-multicluster/kubefed:own"]
    assert chart_images(CHARTS_OWN, {"controllermanager": {"controller": None}}) == [default]


def test_the_values_of_an_installation_stay_under_those_of_hosts_yaml() -> None:
    """But for the image's tag, which is that of another version; what is nested is merged as Helm does it."""
    deployment = {"repository": "10.0.0.1:5000/mirror", "tag": "v0.7.0"}
    installed = {
        "global": {"scope": "Namespaced"},
        "controllermanager": {"controller": deployment, "webhook": 5, "featureGates": {"PushReconciler": "Disabled"}},
    }
    asked = kubefed(values={"controllermanager": {"replicaCount": 3, "featureGates": {"SchedulerPreferences": "x"}}})
    assert chart_values(asked, installed) == {
        "global": {"scope": "Namespaced"},
        "controllermanager": {
            "controller": {"repository": "10.0.0.1:5000/mirror"},
            "webhook": 5,
            "featureGates": {"PushReconciler": "Disabled", "SchedulerPreferences": "x"},
            "replicaCount": 3,
        },
    }
    tagged = chart_values(kubefed(image_tag="v1"), installed)["controllermanager"]
    assert (tagged["controller"]["tag"], tagged["webhook"]) == ("v1", {"tag": "v1"})
    for strange in ({}, {"controllermanager": None}, {"controllermanager": "x"}):
        assert chart_values(kubefed(), strange) == strange
