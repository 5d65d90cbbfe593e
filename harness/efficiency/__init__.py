"""How fast models are and how much memory they take, measured in the run beside their quality."""
