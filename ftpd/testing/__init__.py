"""Public: what tests of ftpd, and of programs that extend it, are made of.

* `dialogue`: an FTP test that reads like a transcript; `server`: what several of them share.
* `dataports`: data connections in memory, for tests without sockets; `tls_client`, `certificates`: TLS in memory.
* `filesystem_contract`, `filesystem_abilities`, `login_contract`, `pump_contract`, `state_contract`: what every store, login source, pump and
  shared state promises; a subclass names the implementation.
* `lines`, `gate`, `paces`: what pumps are tried with: connections on loopback, a call that takes as long as a test wants, a rate by the book.
* `reactors`: reactors of a test's own, with real descriptors.
* `fakes`: threads that do not thread, coroutines that do not wait, a clock that threads may call.

`docs/testing.md` is the page about it, with an example of each.
"""
