from __future__ import annotations

import ipaddress
from types import SimpleNamespace

import attrs
import pytest

from ftpd.errors import NeedsProtection
from ftpd.ftp.protection import Policy, Protection, demand_protection, policy_for
from ftpd.ftp.settings import NetworkProtectionSettings, ProtectionSettings
from ftpd.values import Account


def networks(*texts):
    return tuple(map(ipaddress.ip_network, texts))


DEVICES = NetworkProtectionSettings(networks=networks("192.0.2.0/24", "2001:db8::/32"), login="off", data="off", eof="tolerate")
RULES = ProtectionSettings(login="required", data="required", networks=(DEVICES,))


class TestPolicy:
    def test_without_networks_the_rules_are_everybodys(self):
        assert policy_for(ProtectionSettings(), "192.0.2.1") == Policy("allowed", "allowed", tolerates_eof=False)

    @pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
    def test_a_client_of_a_network_has_its_rules(self, address):
        assert policy_for(RULES, address) == Policy("off", "off", tolerates_eof=True)

    @pytest.mark.parametrize("address", ["192.0.3.1", "::1", ""])
    def test_any_other_client_has_the_common_ones(self, address):
        assert policy_for(RULES, address) == Policy("required", "required", tolerates_eof=False)

    def test_what_a_network_leaves_out_is_as_for_all(self):
        rules = attrs.evolve(RULES, networks=(NetworkProtectionSettings(networks=networks("192.0.2.0/24"), eof="tolerate"),))
        assert policy_for(rules, "192.0.2.1") == Policy("required", "required", tolerates_eof=True)

    def test_the_first_network_that_fits_counts(self):
        inner = NetworkProtectionSettings(networks=networks("192.0.2.1/32"), login="allowed")
        rules = attrs.evolve(RULES, networks=(inner, DEVICES))
        assert policy_for(rules, "192.0.2.1").login == "allowed"
        assert policy_for(rules, "192.0.2.2").login == "off"

    def test_a_network_may_be_strict_where_all_are_tolerated(self):
        strict = NetworkProtectionSettings(networks=networks("192.0.2.0/24"), eof="strict")
        rules = ProtectionSettings(eof="tolerate", networks=(strict,))
        assert (policy_for(rules, "192.0.2.1").tolerates_eof, policy_for(rules, "192.0.3.1").tolerates_eof) == (False, True)


class TestProtection:
    def test_it_begins_with_nothing(self):
        protection = Protection()
        assert (protection.context, protection.has_size, protection.is_private, protection.was_cleared) == (
            None,
            False,
            False,
            False,
        )

    @pytest.mark.parametrize("is_private", [True, False])
    def test_reset_goes_back_to_what_auth_left(self, is_private):
        protection, context = Protection(), object()
        protection.begin(context, is_private)
        protection.has_size, protection.is_private, protection.is_tls_client = not is_private, not is_private, True
        protection.reset()
        assert (protection.has_size, protection.is_private, protection.is_tls_client) == (is_private, is_private, False)
        assert protection.context is context


def session(data="allowed", account=None, is_private=False):
    return SimpleNamespace(
        policy=Policy("allowed", data, tolerates_eof=False), account=account, protection=SimpleNamespace(is_private=is_private)
    )


class TestDemand:
    def test_clear_data_is_good_where_nobody_demands_more(self):
        demand_protection(session(account=Account("ann")))
        demand_protection(session("off"))

    def test_private_data_is_good_everywhere(self):
        demand_protection(session("required", Account("ann", needs_private_data=True), is_private=True))

    @pytest.mark.parametrize("account", [None, Account("ann")])
    def test_clear_data_is_refused_where_the_rules_demand_more(self, account):
        with pytest.raises(NeedsProtection):
            demand_protection(session("required", account))

    def test_clear_data_is_refused_where_the_account_demands_more(self):
        with pytest.raises(NeedsProtection):
            demand_protection(session("off", Account("ann", needs_private_data=True)))
