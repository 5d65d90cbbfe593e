"""How an instance is put to a model, and how an answer is read out of what comes back."""
