"""TLS as a server has it: certificates and keys, parameters, and the context of each session.

Apart from `transfer`, which moves bytes through a context and does not care where it is from, and from the protocols, which decide when
TLS is wanted.
"""
