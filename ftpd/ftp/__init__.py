"""FTP in the clear (RFC 959, 1123, 2389, 2428, 2640, 3659).

Read in the order of a command: `channel` hears bytes and decides what may overtake what; `answer` finds the row and steps its coroutine;
`command` is what a row is, `commands/` are the rows; `session` is what the client has said so far; `transfers` runs what lies between 150
and 226 over a connection from `data/`; `errors_to_replies` is where errors get their codes.  `wire/` knows bytes and values only.
`factory` is the door: `FTPFactory`.  `shell/` dresses Twisted's own avatars, `hashes/` and `traces/` are what their names say, `manual` writes the reference page.
"""
