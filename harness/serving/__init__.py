"""Endpoints: starting, watching and stopping a server process, and talking to it through the openai client."""
