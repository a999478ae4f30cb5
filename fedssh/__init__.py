"""Federate Kubernetes clusters with KubeFed over nothing but SSH."""
