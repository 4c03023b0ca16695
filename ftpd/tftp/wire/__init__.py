"""Datagrams and names of TFTP as values: pure functions, no Twisted, no socket."""
