"""Chat templates, rendered in a child process that can do no harm: a template comes with a file of unknown origin."""
