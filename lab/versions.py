"""What the lab is made of."""

from pathlib import Path
from typing import Final

KUBERNETES: Final = "1.33.13"
KUBEFED: Final = "0.10.0"
HELM: Final = "3.22.0"
PAUSE: Final = "3.10"
DEBIAN: Final = "bookworm"
GO: Final = (1, 26)  # what the newest of the go.mod files asks for

CHECKOUT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = CHECKOUT / "lab"
STATE: Final = CHECKOUT / ".lab"  # ignored by git
