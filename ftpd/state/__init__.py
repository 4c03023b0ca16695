"""State: what the sessions of one server have in common: counts, failed logins, bans, who does what.

Apart from `accounts`, which decides: here is only kept, in the memory of one process or in a file that several share.
"""
