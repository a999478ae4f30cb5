"""What the lab is made of, besides the generations of Kubernetes."""

from pathlib import Path
from typing import Final

HELM: Final = "3.22.0"
PAUSE: Final = "3.10"
DEBIAN: Final = "bookworm"
GO: Final = (1, 26)  # what the newest of the go.mod files asks for

CHECKOUT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = CHECKOUT / "lab"
STATE: Final = CHECKOUT / ".lab"  # ignored by git
