"""Requests, responses and errors as they travel on the wire; nothing here knows of llama.cpp or FastAPI."""
