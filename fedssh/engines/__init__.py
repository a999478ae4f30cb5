"""What federates: one folder an engine."""
