"""Whoever drafts a hosts.yaml, and what the draft comes to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fedssh.inventory import parse_inventory

if TYPE_CHECKING:
    from fedssh.inventory import Inventory


class Person:
    """Answers questions, and hears what is told."""

    def __init__(self, *answers: str | None) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self.told: list[str] = []

    def ask(self, question: str) -> str | None:
        """Answer the next question; at the end there is nobody any more."""
        self.asked.append(question)
        return self._answers.pop(0) if self._answers else None


def loaded(text: str) -> Inventory:
    """Return what a text comes to."""
    return parse_inventory(text, path=Path("/x/hosts.yaml"))
