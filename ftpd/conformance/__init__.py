"""Conformance: judge any FTP server by RFC 959, 1123, 2228, 2389, 2428, 2640, 3659, 4217, 7151 and 8996, from outside.

Apart from the server, of which it knows the automaton's table and nothing else: `checks` has what is asked, one short function each, `probe`
what a check may do, `run` the order, `report` what is printed.
"""

from ftpd.conformance.finding import Finding, Verdict
from ftpd.conformance.run import judge
from ftpd.conformance.target import Target

__all__ = ["Finding", "Target", "Verdict", "judge"]
