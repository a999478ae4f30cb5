"""What federates: one folder an engine."""

from typing import Final

DEFAULT: Final = "kubefed"
DISPLAY_NAME: Final = "KubeFed"
