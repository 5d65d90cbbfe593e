"""Between this harness and others: what they are to ask in our place, and what they found."""
