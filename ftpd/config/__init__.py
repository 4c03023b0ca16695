"""Configuration: TOML becomes one frozen tree of settings, and every mistake in it one list.

`tree` is what there is to set, `load` reads it, `kinds` finds the stores and login sources it can name, `tables` turns single tables into objects, `rules` checks settings against each other,
`reference` writes the sample file, the reference page and the effective settings.
"""

__all__ = ["kinds", "load", "reference", "rules", "tables", "tree"]
