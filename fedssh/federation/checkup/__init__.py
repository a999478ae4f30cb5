"""The check-up: from what was found to what is to be said of it, topic by topic. Pure."""
