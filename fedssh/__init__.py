"""Federate Kubernetes clusters over nothing but SSH."""
