"""The parts that images are made of, each built once: the base system, binaries, pod images, a website."""

import os
import shutil
from pathlib import Path
from typing import Final

from lab import archives
from lab.cache import cached, digest_of
from lab.errors import LabError
from lab.steps import run_logged, step
from lab.toolchain import Program, build_program, find_module
from lab.versions import DEBIAN, HELM, KUBEFED, KUBERNETES, PAUSE, SOURCE

PACKAGES: Final = (
    "busybox",
    "ca-certificates",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "curl",
    "dnsmasq-base",
    "ebtables",
    "etcd-server",
    "ethtool",
    "gzip",
    "iproute2",
    "iptables",
    "kmod",
    "nginx-light",
    "openssh-server",
    "openssl",
    "procps",
    "runc",
    "socat",
    "sudo",
    "tar",
    "util-linux",
)
BOOTSTRAP: Final = (
    "mmdebstrap",
    "--variant=minbase",
    f"--include={','.join(PACKAGES)}",
    # Tens of megabytes that no machine of the lab reads.
    *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "info", "locale", "man")),
    DEBIAN,
)
# What Kubernetes answers when it is asked for its version.
_KUBERNETES_VERSION: Final = (
    ("k8s.io/component-base/version.gitVersion", f"v{KUBERNETES}"),
    ("k8s.io/component-base/version.gitMajor", KUBERNETES.split(".")[0]),
    ("k8s.io/component-base/version.gitMinor", KUBERNETES.split(".")[1]),
    ("k8s.io/client-go/pkg/version.gitVersion", f"v{KUBERNETES}"),
)
PROGRAM_KUBERNETES: Final = Program(
    title=f"Kubernetes {KUBERNETES}",
    name="kubernetes",
    module="kubernetes",
    package=".",
    variables=_KUBERNETES_VERSION,
    hint="about 6 minutes on 2 cores, once",
)
PROGRAM_KUBECTL: Final = Program(
    title=f"kubectl {KUBERNETES}",
    name="kubectl",
    module="kubernetes",
    package="./kubectl",
    variables=_KUBERNETES_VERSION,
)
PROGRAM_KUBEFED: Final = Program(
    title=f"KubeFed {KUBEFED}",
    name="kubefed",
    module="kubefed",
    package="sigs.k8s.io/kubefed/cmd/hyperfed",
    variables=(("sigs.k8s.io/kubefed/pkg/version.version", f"v{KUBEFED}"),),
    hint="about 2 minutes, once",
)
PROGRAM_HELM: Final = Program(
    title=f"Helm {HELM}",
    name="helm",
    module="helm",
    package="helm.sh/helm/v3/cmd/helm",
    variables=(("helm.sh/helm/v3/internal/version.version", f"v{HELM}"),),
    hint="about 2 minutes, once",
)
PROGRAM_PAUSE: Final = Program(title="the pause program", name="pause", module="pause", package=".")


def base_digest() -> str:
    """Name what the base system is made from."""
    return digest_of(*BOOTSTRAP)


def base_system() -> Path:
    """Make the Debian that all machines share; return its archive."""

    def make(directory: Path) -> None:
        if not shutil.which("mmdebstrap"):
            _install_mmdebstrap()
        title = f"building the base system (Debian {DEBIAN})"
        with step(title, "about a minute, once"):
            run_logged(title, [*BOOTSTRAP, str(directory / "base.tar")], log="base")

    return cached("base", base_digest(), make) / "base.tar"


def pod_images_digest() -> str:
    """Name what the pod images are made from."""
    return digest_of(PROGRAM_KUBEFED.digest(), PROGRAM_PAUSE.digest(), SOURCE / "archives.py", Path(__file__))


def pod_images() -> Path:
    """Make the images of the pods; a machine imports them, since there is nowhere to pull them from."""

    def make(directory: Path) -> None:
        archives.write_pod_image(
            directory / "pause.tar",
            f"registry.k8s.io/pause:{PAUSE}",
            build_program(PROGRAM_PAUSE),
            path="/pause",
        )
        archives.write_pod_image(
            directory / "kubefed.tar",
            f"quay.io/kubernetes-multicluster/kubefed:v{KUBEFED}",
            build_program(PROGRAM_KUBEFED),
            path="/hyperfed/hyperfed",
            links=("controller-manager", "webhook", "kubefedctl"),
        )

    return cached("images", pod_images_digest(), make)


def website_digest() -> str:
    """Name what the artefact server's files are made from."""
    return digest_of(PROGRAM_KUBEFED.digest(), PROGRAM_HELM.digest(), SOURCE / "archives.py", Path(__file__))


def website() -> Path:
    """Make what the artefact server serves: a chart repository, and kubefedctl with its checksum."""

    def make(directory: Path) -> None:
        helm, hyperfed = build_program(PROGRAM_HELM), build_program(PROGRAM_KUBEFED)
        with step("packaging KubeFed's chart and kubefedctl"):
            (directory / "charts").mkdir()
            (directory / "kubefedctl").mkdir()
            _package_chart(directory / "charts", str(helm))
            release = directory / "kubefedctl" / f"kubefedctl-{KUBEFED}-linux-amd64.tgz"
            archives.write_release(release, "kubefedctl", hyperfed)

    return cached("www", website_digest(), make)


def _package_chart(repository: Path, helm: str) -> None:
    """Package the chart as its project released it: with its version, and the images of that version."""
    chart = repository / "kubefed"
    source = find_module(PROGRAM_KUBEFED.module, "sigs.k8s.io/kubefed") / "charts" / "kubefed"
    shutil.copytree(source, chart, copy_function=shutil.copyfile)
    for path in [chart, *chart.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # a module's files are read-only
    values = chart / "values.yaml"
    values.write_text(values.read_text().replace("tag: canary", f"tag: v{KUBEFED}"))
    package = [
        helm,
        "package",
        "--version",
        KUBEFED,
        "--app-version",
        f"v{KUBEFED}",
        "-d",
        str(repository),
        str(chart),
    ]
    run_logged("packaging KubeFed's chart", package, log="chart")
    shutil.rmtree(chart)
    run_logged("indexing the chart repository", [helm, "repo", "index", str(repository)], log="chart-index")


def _install_mmdebstrap() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError("mmdebstrap is missing: install it (on Debian: sudo apt-get install mmdebstrap)")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step("installing mmdebstrap"):
        run_logged("reading the package lists", ["apt-get", "update"], log="apt-update", environment=quiet)
        argv = ["apt-get", "install", "--yes", "--no-install-recommends", "mmdebstrap"]
        run_logged("installing mmdebstrap", argv, log="apt-install", environment=quiet)
