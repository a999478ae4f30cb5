"""The verbs: one file each, whose ``run`` turns wishes into a report. The command line has a line for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh import engines
from fedssh.errors import ConfigurationError
from fedssh.federation.report import Report

if TYPE_CHECKING:
    from fedssh.errors import FedsshError
    from fedssh.federation.wishes import Wishes


def ended_early(verb: str, wishes: Wishes, error: FedsshError) -> Report:
    """Return the report of a run that ended as a whole, before there was anything to tell of the clusters."""
    return Report(
        verb=verb,
        engine=engines.DEFAULT,
        exit_code=error.exit_code,
        dry_run=wishes.dry_run,
        has_table=False,
        error=error,
    )


def refuse_dry_run(wishes: Wishes) -> None:
    """Refuse what cannot be done yet.

    Raises:
        ConfigurationError: A dry run is wished for.
    """
    if wishes.dry_run:
        raise ConfigurationError("there is no dry run yet: nothing was done")
