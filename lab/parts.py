"""The parts that images are made of, each built once: the base system, binaries, pod images, a website."""

import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from lab import archives
from lab.cache import cached, digest_of
from lab.errors import LabError
from lab.generations import OLD, Generation
from lab.openapi import GENERATOR, generate_definitions
from lab.steps import run_logged, step
from lab.toolchain import Program, build_program, find_module
from lab.versions import DEBIAN, HELM, PAUSE, SOURCE

PACKAGES: Final = (
    "busybox",
    "ca-certificates",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "curl",
    "dnsmasq-base",
    "docker-registry",
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
# Modules of that age reach into Go's own packages by names that newer linkers keep from them.
_OLD_LINKER: Final = ("-checklinkname=0",)
PROGRAM_HELM: Final = Program(
    title=f"Helm {HELM}",
    name="helm",
    module="go/helm",
    package="helm.sh/helm/v3/cmd/helm",
    variables=(("helm.sh/helm/v3/internal/version.version", f"v{HELM}"),),
    hint="about 2 minutes, once",
)
_KUBEFED_PATH: Final = "/hyperfed/hyperfed"
_KUBEFED_LINKS: Final = ("controller-manager", "webhook", "kubefedctl")
PROGRAM_PAUSE: Final = Program(title="the pause program", name="pause", module="go/pause", package=".")


def kubernetes(generation: Generation) -> Program:
    """Return Kubernetes's daemons and kubeadm, in one binary."""
    is_old = generation is OLD
    return Program(
        title=f"Kubernetes {generation.kubernetes}",
        name=f"kubernetes-{generation.name}",
        module=_module_of(generation),
        package=".",
        variables=_kubernetes_version(generation),
        linker=_OLD_LINKER if is_old else (),
        prepare=generate_definitions if is_old else None,
        sources=(GENERATOR, SOURCE / "openapi.py") if is_old else (),
        hint="about 6 minutes on 2 cores, once",
    )


def kubectl(generation: Generation) -> Program:
    """Return a generation's kubectl."""
    is_old = generation is OLD
    return Program(
        title=f"kubectl {generation.kubernetes}",
        name=f"kubectl-{generation.name}",
        module=_module_of(generation),
        package="k8s.io/kubernetes/cmd/kubectl" if is_old else "./kubectl",
        variables=_kubernetes_version(generation),
        linker=_OLD_LINKER if is_old else (),
    )


def kubefed(version: str) -> Program:
    """Return KubeFed in a version: its controller-manager, its webhook and kubefedctl, in one binary."""
    return Program(
        title=f"KubeFed {version}",
        name=f"kubefed-{version}",
        module=f"go/kubefed-{version}",
        package="sigs.k8s.io/kubefed/cmd/hyperfed",
        variables=(("sigs.k8s.io/kubefed/pkg/version.version", f"v{version}"),),
        linker=_OLD_LINKER if version == OLD.kubefed[0] else (),
        hint="about 2 minutes, once",
    )


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


def pod_images_digest(generation: Generation) -> str:
    """Name what the pod images are made from."""
    return digest_of(*_kubefed_digests([generation]), PROGRAM_PAUSE.digest(), SOURCE / "archives.py", Path(__file__))


def pod_images(generation: Generation) -> Path:
    """Make the images of the pods; a machine imports them, since there is nowhere to pull them from."""

    def make(directory: Path) -> None:
        archives.write_pod_image(
            directory / "pause.tar",
            f"registry.k8s.io/pause:{PAUSE}",
            build_program(PROGRAM_PAUSE),
            path="/pause",
        )
        for version in generation.kubefed:
            archives.write_pod_image(
                directory / f"kubefed-{version}.tar",
                f"quay.io/kubernetes-multicluster/kubefed:v{version}",
                build_program(kubefed(version)),
                path=_KUBEFED_PATH,
                links=_KUBEFED_LINKS,
            )

    return cached(f"images-{generation.name}", pod_images_digest(generation), make)


def website_digest(generations: Iterable[Generation]) -> str:
    """Name what the artefact server's files are made from."""
    digests = _kubefed_digests(generations)
    return digest_of(*digests, PROGRAM_HELM.digest(), SOURCE / "archives.py", Path(__file__))


def website(generations: Collection[Generation]) -> Path:
    """Make what the artefact server serves: a chart repository, kubefedctls with checksums, a registry's images."""

    def make(directory: Path) -> None:
        helm = str(build_program(PROGRAM_HELM))
        binaries = {version: build_program(kubefed(version)) for version in _kubefed_versions(generations)}
        with step("packaging KubeFed's charts and kubefedctl"):
            (directory / "charts").mkdir()
            (directory / "kubefedctl").mkdir()
            for version, hyperfed in binaries.items():
                _package_chart(directory / "charts", version, helm)
                release = directory / "kubefedctl" / f"kubefedctl-{version}-linux-amd64.tgz"
                archives.write_release(release, "kubefedctl", hyperfed)
                archives.write_registry_image(
                    directory / "registry",
                    "kubernetes-multicluster/kubefed",
                    f"v{version}",
                    hyperfed,
                    path=_KUBEFED_PATH,
                    links=_KUBEFED_LINKS,
                )
            index = [helm, "repo", "index", str(directory / "charts")]
            run_logged("indexing the chart repository", index, log="chart-index")

    name = "-".join(["www", *sorted(generation.name for generation in generations)])
    return cached(name, website_digest(generations), make)


def _kubefed_versions(generations: Iterable[Generation]) -> list[str]:
    return sorted({version for generation in generations for version in generation.kubefed})


def _kubefed_digests(generations: Iterable[Generation]) -> list[str]:
    return [kubefed(version).digest() for version in _kubefed_versions(generations)]


def _package_chart(repository: Path, version: str, helm: str) -> None:
    """Package the chart as its project released it: with its version, and the images of that version."""
    chart = repository / "kubefed"
    source = find_module(kubefed(version).module, "sigs.k8s.io/kubefed") / "charts" / "kubefed"
    shutil.copytree(source, chart, copy_function=shutil.copyfile)
    for path in [chart, *chart.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # a module's files are read-only
    values = chart / "values.yaml"
    values.write_text(values.read_text().replace("tag: canary", f"tag: v{version}"))
    argv = [helm, "package", f"--version={version}", f"--app-version=v{version}", f"-d={repository}", str(chart)]
    run_logged("packaging KubeFed's chart", argv, log="chart")
    shutil.rmtree(chart)


def _install_mmdebstrap() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError("mmdebstrap is missing: install it (on Debian: sudo apt-get install mmdebstrap)")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step("installing mmdebstrap"):
        run_logged("reading the package lists", ["apt-get", "update"], log="apt-update", environment=quiet)
        argv = ["apt-get", "install", "--yes", "--no-install-recommends", "mmdebstrap"]
        run_logged("installing mmdebstrap", argv, log="apt-install", environment=quiet)


def _module_of(generation: Generation) -> str:
    return str((generation.folder / "kubernetes").relative_to(SOURCE))


def _kubernetes_version(generation: Generation) -> tuple[tuple[str, str], ...]:
    """Return what Kubernetes answers when it is asked for its version."""
    major, minor, _ = generation.kubernetes.split(".")
    return (
        ("k8s.io/component-base/version.gitVersion", f"v{generation.kubernetes}"),
        ("k8s.io/component-base/version.gitMajor", major),
        ("k8s.io/component-base/version.gitMinor", minor),
        ("k8s.io/client-go/pkg/version.gitVersion", f"v{generation.kubernetes}"),
    )
