"""Public: what tests of ftpd, and of programs that extend it, are made of.

* `dialogue`: an FTP test that reads like a transcript.
* `dataports`: data connections in memory, for tests without sockets.
* `filesystem_contract`, `login_contract`, `pump_contract`: what every store, login source and pump promises; a subclass names the
  implementation.
* `fakes`: threads that do not thread, coroutines that do not wait.
"""
