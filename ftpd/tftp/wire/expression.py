r"""Expression: a regular expression of a map file, matched by the C library (regcomp(3), POSIX extended, as egrep has them).

Apart from the rules.  Python's `re` is not it, for two reasons.  What a file written for tftp-hpa means is what this library says: of the
leftmost matches the longest, classes such as `[[:alnum:]]`, and the rest of regex(7).  And the names come from anybody: `re` goes back over
what it has tried, so that one datagram could hold the process for days where an operator wrote `^(a+)+$`; the library's automaton takes a
microsecond for usual names and expressions, and 7 ms for the worst that we found for 500 characters.  Only references back into the same
expression, such as `(.+)\1`, make it try and try, seconds for such a name; docs/tftp-maps.md warns of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final

__all__ = ["Expression"]

# <regex.h>; glibc and musl have the same numbers.
_EXTENDED: Final = 1
_IGNORE_CASE: Final = 2
_NOT_BEGIN: Final = 1

_GROUPS: Final = 10  # the whole match and \1 to \9
_SIZE: Final = 16  # of regex_t in words of 8 bytes: 8 in glibc and musl

# With the interpreter's lock held, which would take longer to hand over than a match does.
_library: Final = ctypes.PyDLL(None)
_library.regcomp.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
_library.regexec.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int]
_library.regerror.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
_library.regerror.restype = ctypes.c_size_t
_library.regfree.argtypes = [ctypes.c_void_p]
_library.regfree.restype = None


class Expression:
    """One compiled expression.  Letters are those of the process's locale, nearly everywhere UTF-8.

    Raises `ValueError` in the library's words if *source*, which must have no NUL, is none.
    """

    __slots__ = ("_compiled",)

    def __init__(self, source: bytes, *, ignore_case: bool = False) -> None:
        compiled = (ctypes.c_uint64 * _SIZE)()
        code = _library.regcomp(compiled, source, _EXTENDED | (_IGNORE_CASE if ignore_case else 0))
        if code:
            text = ctypes.create_string_buffer(256)
            _library.regerror(code, compiled, text, len(text))
            raise ValueError(text.value.decode("utf-8", "replace"))
        self._compiled = compiled  # from here on it is to be freed

    def search(self, name: bytes, start: int = 0) -> Sequence[int] | None:
        """Return where *name*, which must have no NUL, matches from *start* on: first and end of the match, then of each group.

        Twenty offsets into *name*, -1 where a group has no part in the match; None: no match.  `^` is the start of *name* only.
        """
        offsets = _Offsets()
        rest = name[start:] if start else name
        if _library.regexec(self._compiled, rest, _GROUPS, offsets, _NOT_BEGIN if start else 0):
            return None
        found: list[int] = offsets[:]
        return [offset + start if offset >= 0 else -1 for offset in found] if start else found

    def __del__(self, _free: Any = _library.regfree) -> None:
        if hasattr(self, "_compiled"):
            _free(self._compiled)


def _offsets_type() -> Any:
    """Return the type of an array of regmatch_t.  Its offsets are int in glibc and long in musl, whose headers nobody can read here."""
    compiled, offsets = (ctypes.c_uint64 * _SIZE)(), (ctypes.c_int * (4 * _GROUPS))()
    _library.regcomp(compiled, b"b", _EXTENDED)
    _library.regexec(compiled, b"ab", 1, offsets, 0)
    _library.regfree(compiled)
    return (ctypes.c_int if offsets[:2] == [1, 2] else ctypes.c_long) * (2 * _GROUPS)


_Offsets: Final = _offsets_type()
