"""pyinfra: its inventory and deploys."""
