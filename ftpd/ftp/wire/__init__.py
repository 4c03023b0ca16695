"""Bytes to values and back: what FTP looks like on the wire.

Apart from the rest of `ftp` because it knows no session, no file and no Twisted: every function here can be tried with bytes alone.

Control channel: `lines` reads commands, `replies` writes answers, `addresses` and `arguments` read what stands behind a verb.
Data channel: `facts` writes MLSD rows, `globs` matches the patterns of LIST and NLST.  `conversion` puts together what TYPE, STRU and MODE
(`form`) make of a file: `newlines` and `ebcdic` are its text; `records`, `blocks`, `compressed` and `deflate` its framing (`framing`), the
middle two with `descriptors`; `markers` are where a download can be taken up again.
"""
