from __future__ import annotations

import pytest

from ftpd.schema import ConfigError, Problem
from ftpd.testing.tls_client import MemoryContexts
from ftpd.tls.late import LateContexts


class Maker:
    def __init__(self, *results):
        self.results = list(results)
        self.made = 0

    def __call__(self):
        self.made += 1
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


def test_nothing_is_made_before_it_is_wanted():
    maker = Maker()
    LateContexts(maker)
    assert maker.made == 0


def test_it_is_made_once_for_all_sessions_and_roles():
    maker, contexts = Maker(made := MemoryContexts()), []
    late = LateContexts(maker)
    contexts += [late.for_session("a.example.com"), late.for_session(), late.for_client_role()]
    assert maker.made == 1
    assert made.hosts == ["a.example.com", ""]
    assert contexts[0] is not contexts[1]
    assert contexts[2] is made.for_client_role()


def test_what_fails_is_told_to_whoever_asks_and_tried_again_by_the_next():
    late = LateContexts(Maker(ConfigError([Problem("", "tls", "no file", "")]), MemoryContexts()))
    with pytest.raises(ConfigError):
        late.for_session()
    assert late.for_session() is not None
