"""The verbs: one module each, and what they share. They receive ``connect`` and ``report`` from their caller."""
