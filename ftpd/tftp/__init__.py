"""TFTP: RFC 1350 with every option, on the avatars and stores of the other protocols.

Parts that know no socket and no clock: `wire` (bytes and values, names), `window` (who sends what when).  `server` is the port that requests
come to, and one exchange, a download or an upload, is what each of them becomes.
"""
