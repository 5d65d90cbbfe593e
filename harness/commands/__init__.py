"""Commands of `harness`, one file each; thin: options into arguments, results into lines and exit codes."""
