"""Machines of clusters that are not there: tools that take a fixed time, and answer as if the clusters were."""
