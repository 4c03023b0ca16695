"""The doctor: why data connections fail between a server and its clients, and what to change.

`machine` is what this machine says of itself, `inspection` judges a configuration by that, `examination` tries a running server as its
client, and each writes `finding`s.  Apart from the server, which notices a fault only once a client has met it (`ftpd.ftp.data.faults`).
"""

__all__ = ["examination", "finding", "inspection", "machine"]
