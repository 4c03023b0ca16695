"""Data connections: who connects to whom, where, under TLS or not, and what is told where none comes into being.

`ports` has the factory that a session asks; `passive` and `active` are the two ways, `protected` is either of them under TLS.
"""
