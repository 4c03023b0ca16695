"""Sessions written down, so that a bug report can be played back (`ftpd replay`)."""
