"""Processes: one parent that owns the listening sockets, and the workers that serve.

Apart from the service, which is the same in a worker as in a program that embeds it, and knows of no other process.
"""
