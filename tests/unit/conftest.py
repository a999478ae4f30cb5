"""Shells for tests of the modules that use one."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from fedssh.kubernetes.kubeconfig import file
from tests.fakes.drafts import Person
from tests.fakes.kubeconfigs import OLD
from tests.fakes.programs import Run
from tests.fakes.shells import LocalShell
from tests.fakes.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Leaks


@pytest.fixture
def local() -> Iterator[LocalShell]:
    """A shell that runs the real programs on this machine."""
    with closing(LocalShell()) as shell:
        yield shell


@pytest.fixture
def world() -> World:
    """Three members that know nothing, and a host without KubeFed."""
    return World()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port at which every machine of the inventory would be; connecting to it is noticed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.fixture
def hosts(tmp_path: Path, listener: socket.socket) -> Path:
    """An inventory of two members."""
    path = tmp_path / "hosts.yaml"
    path.write_text(
        f"defaults: {{port: {listener.getsockname()[1]}}}\n"
        "host: {name: fedhost, address: 127.0.0.1}\n"
        "members:\n  member1: {address: localhost}\n  member2: {address: 127.0.0.2}\n"
    )
    return path


@pytest.fixture
def run(tmp_path: Path, leaks: Leaks) -> Run:
    """Runs programs in the test's folder."""
    return Run(tmp_path, leaks)


@pytest.fixture
def config(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kubeconfig of this machine's user, whom no kubectl config disturbs."""
    monkeypatch.setattr(file, "SETTLE_SECONDS", 0)
    path = home / ".kube" / "config"
    path.parent.mkdir()
    path.write_text(OLD)
    path.chmod(0o600)
    return path


@pytest.fixture
def person() -> Person:
    """Somebody who names everything at once, and is asked nothing."""
    return Person()
