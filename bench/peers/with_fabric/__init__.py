"""Fabric: its scripts."""
