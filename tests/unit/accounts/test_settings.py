from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.accounts.settings import PERMISSIONS, AccountSettings, AnonymousSettings, RuleSettings, SettingsAccounts
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import Size
from ftpd.testing.fakes import finish
from ftpd.values import Account, AccountRates, Permission, Rule


def account(accounts, avatar_id):
    return finish(accounts.account(avatar_id))


def test_a_name_without_a_table_has_the_default_account():
    accounts = SettingsAccounts(AccountSettings())
    assert account(accounts, b"ann") == Account("ann", ROOT, rules=(Rule(ROOT, Permission.ALL),))


def test_without_a_default_only_named_accounts_are_there():
    accounts = SettingsAccounts(None, {"ann": AccountSettings()})
    assert account(accounts, b"ann").name == "ann"
    with pytest.raises(LookupError):
        account(accounts, b"bob")


def test_every_setting_of_an_account_takes_effect():
    settings = AccountSettings(
        home="/staff/ann",
        permissions=("view", "create"),
        rules=(RuleSettings(path="/inbox", permissions=("create",)), RuleSettings(path="no/../secret", permissions=())),
        fxp=True,
        who="all",
        max_sessions=3,
        max_file_size=Size(4096),
        rates=AccountRates(session_upload=Size(1000)),
    )
    assert account(SettingsAccounts(None, {"ann": settings}), b"ann") == Account(
        "ann",
        VirtualPath(("staff", "ann")),
        rules=(
            Rule(ROOT, Permission.VIEW | Permission.CREATE),
            Rule(VirtualPath(("inbox",)), Permission.CREATE),
            Rule(VirtualPath(("secret",)), Permission.NONE),
        ),
        may_fxp=True,
        sees_all_sessions=True,
        max_sessions=3,
        max_file_size=4096,
        rates=AccountRates(session_upload=Size(1000)),
    )


def test_every_permission_has_a_word():
    assert PERMISSIONS == {
        "list": Permission.LIST,
        "read": Permission.READ,
        "create": Permission.CREATE,
        "overwrite": Permission.OVERWRITE,
        "delete": Permission.DELETE,
        "rename": Permission.RENAME,
        "directories": Permission.DIRECTORIES,
        "attributes": Permission.ATTRIBUTES,
        "view": Permission.VIEW,
        "write": Permission.WRITE,
        "all": Permission.ALL,
    }


def test_an_unknown_permission_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"^'fly' is not a permission; there are list, read, "):
        SettingsAccounts(AccountSettings(permissions=("fly",)))


@pytest.mark.parametrize(
    ("home", "name", "expected"),
    [
        ("/{name}", b"ann", ("ann",)),
        ("/homes/{name}/files", b"ann", ("homes", "ann", "files")),
        ("/u-{name}", b"..", ("u-..",)),
        ("/{name}", b"n\xff", ("n\udcff",)),
        ("/{name}", b"...", ("...",)),
        ("/{name}", b"{name}", ("{name}",)),
    ],
)
def test_the_name_is_filled_into_the_home(home, name, expected):
    assert account(SettingsAccounts(AccountSettings(home=home)), name).home == VirtualPath(expected)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"../bob", b"/", b"a\0b", b"a\nb"])
def test_a_name_that_would_lead_elsewhere_has_no_account(name):
    accounts = SettingsAccounts(AccountSettings(home="/homes/{name}"))
    with pytest.raises(LookupError):
        account(accounts, name)


def test_a_named_account_fills_its_own_home():
    accounts = SettingsAccounts(None, {"ann": AccountSettings(home="/{name}")})
    assert account(accounts, b"ann").home == VirtualPath(("ann",))


def test_anonymous_logins_are_off_by_default():
    with pytest.raises(LookupError):
        account(SettingsAccounts(AccountSettings(), anonymous=AnonymousSettings()), ())


def test_the_anonymous_account_may_look_and_leave_files_in_incoming():
    settings = AnonymousSettings(
        enabled=True,
        home="/pub",
        incoming=("/incoming",),
        max_sessions=5,
        max_file_size=Size(10),
        rates=AccountRates(account_download=Size(20)),
    )
    assert account(SettingsAccounts(anonymous=settings), ()) == Account(
        "anonymous",
        VirtualPath(("pub",)),
        rules=(Rule(ROOT, Permission.VIEW), Rule(VirtualPath(("incoming",)), Permission.CREATE)),
        is_anonymous=True,
        max_sessions=5,
        max_file_size=10,
        rates=AccountRates(account_download=Size(20)),
    )


def test_a_user_called_anonymous_is_not_the_anonymous_account():
    accounts = SettingsAccounts(AccountSettings(), anonymous=AnonymousSettings(enabled=True))
    assert account(accounts, b"anonymous").is_anonymous is False


def test_the_names_of_anonymous_logins_are_known_in_any_case():
    settings = AnonymousSettings(enabled=True)
    assert [settings.is_anonymous(name) for name in (b"anonymous", b"FTP", b"ann", b"\xff")] == [True, True, False, False]


def test_while_anonymous_logins_are_off_no_name_means_one():
    assert AnonymousSettings().is_anonymous(b"anonymous") is False


@given(st.binary(max_size=12) | st.text("./{}name\0\n", max_size=8).map(str.encode))
def test_no_name_leads_out_of_its_place(name):
    accounts = SettingsAccounts(AccountSettings(home="/homes/{name}"))
    try:
        home = account(accounts, name).home
    except LookupError:
        return
    assert home.parts[0] == "homes"
    assert len(home.parts) == 2
    assert VirtualPath.parse(str(home)) == home
