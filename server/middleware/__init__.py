"""What every request passes before its route, outermost first. Pure ASGI, one class a file: nothing is buffered on its
way out, and a client that goes away is seen to go."""
