"""HELM's scenarios that are made up by rule: the same rules and distributions, but other draws and our own words."""
