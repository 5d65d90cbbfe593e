"""How an answer is judged: one number an instance."""
