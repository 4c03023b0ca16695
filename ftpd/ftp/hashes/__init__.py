"""Hashes of stored files: the algorithms, the reading, and the digests that are remembered."""
