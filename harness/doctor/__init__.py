"""Is an endpoint right? Questions whose answers are known, and which clients would get wrong numbers from it."""
