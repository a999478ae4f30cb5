"""What can go wrong with the lab, in words for the person who started it."""


class LabError(Exception):
    """The lab cannot be built or started; the message says why and what was seen."""
