"""Login sources: "is it you?", apart from "who are you here?" (`ftpd.accounts`).

Each is a cred `ICredentialsChecker` and its kind object (`interfaces.ILoginKind`), one file each; any other cred checker works as well.

* `credentials`: what protocols build, bytes and the peer, and the refusals they can tell apart.
* `password_file`: htpasswd lines with bcrypt hashes; on top of `htpasswd` (the format) and `hashing` (the work, in threads).
* `memory`: passwords in memory, for a generated account.
* `anonymous`: everybody.
* `twisted_plugins`: whatever `twistd --auth` can name.
* `certificate`: the client's certificate, alone or beside the password.
* `calls`: those that the end of the interpreter waits for.
* `turn`: a check that is left out where its client has gone meanwhile.
* `chain`: several of them asked in turn.
"""

__all__ = [
    "anonymous",
    "calls",
    "certificate",
    "chain",
    "credentials",
    "hashing",
    "htpasswd",
    "memory",
    "password_file",
    "turn",
    "twisted_plugins",
]
