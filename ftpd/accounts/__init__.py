"""Accounts: "who are you here?", and everything that follows from the answer, whatever the protocol.

* `realm`: from a proven name to an `avatar`: the account and its guarded files.
* `guard`: the only place where permissions and size limits are checked.
* `limits`: who may come in now; asked before any login source.
* `settings`: accounts as the configuration tells them.
* `peer`: who is at the other end.
"""

__all__ = ["avatar", "guard", "limits", "peer", "realm", "settings"]
