"""All that is printed: progress, warnings and errors on stderr, results on stdout.

Each kind of thing that is shown has a file. Of the federation only ``report`` is known here: whatever a verb wants to
say stands in its ``Report`` and its ``Progress``.
"""

from __future__ import annotations

from fedssh.output.closing import closing_lines, count, show_troubles, spent
from fedssh.output.console import write_result
from fedssh.output.messages import Messages
from fedssh.output.progress import ProgressView
from fedssh.output.reports import Format, show_plan, show_result

__all__ = [
    "Format",
    "Messages",
    "ProgressView",
    "closing_lines",
    "count",
    "show_plan",
    "show_result",
    "show_troubles",
    "spent",
    "write_result",
]
