"""Clients that others wrote, run against the sandbox: `make foreign`, or `python -m tests.foreign NAME…`.

The sandbox and our client come from one reading of Kalshi's papers, so a misreading could pass between them
unseen. Each client here was written by somebody else, runs in an environment of its own with an interpreter
of its own, and is never imported by our tests: a story goes in, JSON lines come out, and what the client
says is held against what the sandbox knows. README.md lists what was found.
"""
