"""How the bundled reference model was trained: docs/bundled-model.md."""
