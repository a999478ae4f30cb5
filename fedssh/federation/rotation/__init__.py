"""Replacing the credentials of clusters that have joined, while they work on: facts, rules, steps, plan, execution."""
