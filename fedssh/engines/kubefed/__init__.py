"""KubeFed: everything that bears its names."""
