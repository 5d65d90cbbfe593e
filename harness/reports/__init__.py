"""DataFrames into something to read: a terminal table, a Markdown page, files on disk."""
