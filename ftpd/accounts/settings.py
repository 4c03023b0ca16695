"""Accounts as the configuration tells them: homes, permissions and limits by name.

Apart from the login sources: a name may be proven by any of them, and what it means here is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import attrs

from ftpd.paths import VirtualPath, decode_name
from ftpd.schema import Size, setting
from ftpd.values import Account, AccountRates, Permission, Rule

__all__ = ["PERMISSIONS", "AccountSettings", "AnonymousSettings", "RuleSettings", "SettingsAccounts"]

PERMISSIONS: Final[Mapping[str, Permission]] = {
    **{str(permission.name).lower(): permission for permission in Permission},
    "view": Permission.VIEW,
    "write": Permission.WRITE,
    "all": Permission.ALL,
}
_NAMES: Final = tuple(PERMISSIONS)
_PLACEHOLDER: Final = "{name}"
_MOST_REMEMBERED: Final = 1024  # accounts without a table of their own, 0.3 KiB each


@attrs.frozen
class RuleSettings:
    """One `[[….rules]]` table: other permissions for one subtree."""

    path: str = setting("/", help="The directory, as the client sees it, that the rule is about, with everything below.")
    permissions: tuple[str, ...] = setting(("view",), help="All that is allowed there; an empty list: nothing.", choices=_NAMES)


@attrs.frozen
class AccountSettings:
    """An `[accounts.NAME]` table, or `[account]` for every name without one."""

    home: str = setting("/", help="Directory in the store that the account sees as /; {name} in it stands for the account's name.")
    permissions: tuple[str, ...] = setting(
        ("all",),
        help="What is allowed: view (list, read), write (create, overwrite, delete, rename, directories, attributes), all, or single ones.",
        choices=_NAMES,
    )
    rules: tuple[RuleSettings, ...] = setting((), help="Subtrees where something else is allowed; the longest path counts.")
    fxp: bool = setting(False, help="Whether data connections may lead to another address than the client's.")
    tls: str = setting(
        "allowed",
        help="Whether the account logs in in clear where others may; required: it is refused there like a wrong password.",
        choices=("allowed", "required"),
    )
    tls_data: str = setting(
        "allowed", help="Whether its data connections may be in clear where others' may.", choices=("allowed", "required")
    )
    who: str = setting("own", help="Whose sessions SITE WHO shows: its own, or those of all.", choices=("own", "all"))
    max_sessions: int = setting(0, help="Sessions of the account at a time; 0: any number.", unit="sessions", minimum=0)
    max_file_size: Size = setting(Size(0), help="Largest file that may be stored; 0: any size.", unit="bytes", minimum=0)
    rates: AccountRates = setting(factory=AccountRates, help="How fast it may be, where that is not as in [rates].")


@attrs.frozen
class AnonymousSettings:
    """The `[anonymous]` table."""

    enabled: bool = setting(False, help="Whether clients may log in without a password.")
    names: tuple[str, ...] = setting(("anonymous", "ftp"), help="User names that mean an anonymous login, in any case.")
    home: str = setting("/", help="Directory in the store that anonymous clients see as /.")
    permissions: tuple[str, ...] = setting(("view",), help="What is allowed, as for accounts.", choices=_NAMES)
    incoming: tuple[str, ...] = setting(
        (), help="Upload-only directories: files can be stored there, and neither seen, fetched, replaced nor removed."
    )
    max_sessions: int = setting(0, help="Anonymous sessions at a time; 0: any number.", unit="sessions", minimum=0)
    max_file_size: Size = setting(Size(0), help="Largest file that may be stored; 0: any size.", unit="bytes", minimum=0)
    rates: AccountRates = setting(
        factory=AccountRates, help="How fast anonymous clients may be, together one account, where that is not as in [rates]."
    )

    def is_anonymous(self, name: bytes) -> bool:
        """Whether a user of this name wants an anonymous login."""
        return self.enabled and decode_name(name).lower() in map(str.lower, self.names)


class SettingsAccounts:
    """The `spi.Accounts` of a configuration."""

    def __init__(
        self,
        default: AccountSettings | None = None,
        named: Mapping[str, AccountSettings] | None = None,
        anonymous: AnonymousSettings | None = None,
        host: str = "",
    ) -> None:
        """Prepare the accounts: *named* by name, *default* for other proven names (None: those have no account); *host* is theirs alone.

        Raises `ValueError` for a permission that there is not, and `BadName` for a path that there cannot be.
        """
        # Made once for each name: a user who comes again and again has one account (tests/bench: login).
        self._default = None if default is None else lru_cache(maxsize=_MOST_REMEMBERED)(_Template(default, host).account)
        self._named = {name: _Template(settings, host).account(name) for name, settings in (named or {}).items()}
        self._anonymous = None if anonymous is None or not anonymous.enabled else _anonymous(anonymous, host)

    async def account(self, avatar_id: bytes | tuple[()]) -> Account:
        """Return the account.

        Raises `LookupError` for a name without one, and for a name that cannot be a directory where its home needs that.
        """
        if isinstance(avatar_id, tuple):
            if self._anonymous is None:
                raise LookupError("there is no anonymous account")
            return self._anonymous
        name = decode_name(avatar_id)
        account = self._named.get(name)
        if account is not None:
            return account
        if self._default is None:
            raise LookupError(f"no account for {name!r}")
        return self._default(name)


class _Template:
    """An account still without a name: what can be made ready before the login is."""

    def __init__(self, settings: AccountSettings, host: str) -> None:
        self._settings = settings
        self._host = host
        self._home = VirtualPath.parse(settings.home)
        self._is_personal = _PLACEHOLDER in settings.home
        self._rules = (
            _rule("/", settings.permissions),
            *(_rule(rule.path, rule.permissions) for rule in settings.rules),
        )

    def account(self, name: str) -> Account:
        return Account(
            name=name,
            home=_filled(self._home, name) if self._is_personal else self._home,
            rules=self._rules,
            may_fxp=self._settings.fxp,
            sees_all_sessions=self._settings.who == "all",
            needs_tls=self._settings.tls == "required",
            needs_private_data=self._settings.tls_data == "required",
            max_sessions=self._settings.max_sessions or None,
            max_file_size=self._settings.max_file_size or None,
            host=self._host,
            rates=_given(self._settings.rates),
        )


def _anonymous(settings: AnonymousSettings, host: str) -> Account:
    return Account(
        name="anonymous",
        home=VirtualPath.parse(settings.home),
        rules=(_rule("/", settings.permissions), *(_rule(path, ("create",)) for path in settings.incoming)),
        is_anonymous=True,
        max_sessions=settings.max_sessions or None,
        max_file_size=settings.max_file_size or None,
        host=host,
        rates=_given(settings.rates),
    )


def _given(rates: AccountRates) -> AccountRates | None:
    return rates if any(attrs.astuple(rates)) else None


def _rule(path: str, names: Iterable[str]) -> Rule:
    allows = Permission.NONE
    for name in names:
        if name not in PERMISSIONS:
            raise ValueError(f"{name!r} is not a permission; there are {', '.join(_NAMES)}")
        allows |= PERMISSIONS[name]
    return Rule(VirtualPath.parse(path), allows)


def _filled(home: VirtualPath, name: str) -> VirtualPath:
    """Fill *name* in; the result has as many parts as the setting, so a name leads neither up nor down nor sideways."""
    parts = tuple(part.replace(_PLACEHOLDER, name) for part in home.parts)
    if any(part in ("", ".", "..") or "/" in part or "\0" in part or "\n" in part for part in parts):
        raise LookupError(f"{name!r} cannot be part of a home")
    return VirtualPath(parts)
