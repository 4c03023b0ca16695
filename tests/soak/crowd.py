"""Crowd: many users in one process, beside the one that watches: `python -m tests.soak.crowd PORT FIRST LAST`.

They work until the end of standard input; then a JSON object on standard output tells what they did.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from typing import Any, Final

from tests.soak.user import User

__all__ = ["ACCOUNTS", "account_of"]

ACCOUNTS: Final = 10


def account_of(number: int) -> str:
    """Return the account of user *number*."""
    return f"account{number % ACCOUNTS}"


def main() -> None:
    port, first, last = map(int, sys.argv[1:])
    over = threading.Event()
    users = [User(port, account_of(number), number, is_secure=bool(number % 2)) for number in range(first, last)]
    threads = [threading.Thread(target=user.work, args=(over.is_set,)) for user in users]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps(_report(users)))


def _report(users: list[User]) -> dict[str, Any]:
    done: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    for user in users:
        done += user.done
        moved += user.moved
    return {
        "done": done,
        "moved": moved,
        "failures": [failure for user in users for failure in user.failures],
        "interruptions": [user.interruptions for user in users],
    }


if __name__ == "__main__":
    main()
