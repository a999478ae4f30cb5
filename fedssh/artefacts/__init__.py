"""What is fetched on the laptop for machines that reach no internet: charts, tools, images.

Everything lies in the user's cache afterwards (``~/.cache/fedssh``, or where the system keeps caches), whole and with
its checksum: what is there is not fetched again. No other room of fedssh speaks HTTP.
"""

from __future__ import annotations

from fedssh.artefacts.cache import Fetched
from fedssh.artefacts.charts import Chart
from fedssh.artefacts.downloads import Download
from fedssh.artefacts.fetching import Artefact, fetch, find
from fedssh.artefacts.images import Image

__all__ = ["Artefact", "Chart", "Download", "Fetched", "Image", "fetch", "find"]
