"""Scenarios of a user's own: a YAML file over a table of questions."""
