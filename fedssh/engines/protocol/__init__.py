"""What ``federation`` needs of an engine: pairs of commands and parsers, and decisions. No engine calls a Shell.

An engine is a folder beside this one whose ``__init__`` has what ``Engine`` names; its module is the engine. What was
found of it on the host is an ``EngineState``. The protocol is as narrow as the engines that there are need it.
"""

from __future__ import annotations

from typing import Protocol

from fedssh.engines.protocol.checking import CheckedEngine, CheckFinding, CheckState, Topic
from fedssh.engines.protocol.joining import NOW, EngineState, JoinedCluster, JoiningEngine, Part, Uploaded
from fedssh.engines.protocol.leaving import NOT_EMPTY, HostTraces, Installation, LeavingEngine, MemberTraces, Removal
from fedssh.engines.protocol.rotating import EngineAccount, RotatingEngine

__all__ = [
    "NOT_EMPTY",
    "NOW",
    "CheckFinding",
    "CheckState",
    "Engine",
    "EngineAccount",
    "EngineState",
    "HostTraces",
    "Installation",
    "JoinedCluster",
    "MemberTraces",
    "Part",
    "Removal",
    "Topic",
    "Uploaded",
]


class Engine(JoiningEngine, LeavingEngine, RotatingEngine, CheckedEngine, Protocol):
    """An engine: what it is called, what it asks, and what it makes of the answers."""
