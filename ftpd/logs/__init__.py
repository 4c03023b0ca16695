"""Logs: what is written about sessions, logins and transfers, and where.

`journal` turns events into log lines, `xferlog` into the lines that statistics programs read; `targets` writes lines to a terminal, a
file or syslog; `visible` keeps names from forging lines.  Nothing in here decides what an event is: that is `ftpd.events`.
"""

__all__ = ["journal", "settings", "targets", "visible", "xferlog"]
