"""Addresses and ports as PORT, PASV, EPRT, EPSV, LPRT and LPSV write them.

Apart because the notations are all there is to know here; whether a session may use an address is decided where it connects.
Addresses are IP text in canonical form, so that two of them can be compared as they are.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from ftpd.errors import BadArgument

__all__ = ["LONG_FAMILIES", "format_epsv", "format_lpsv", "format_pasv", "parse_eprt", "parse_lprt", "parse_port", "plain_address"]

_SIX_NUMBERS: Final = re.compile(r"\s*,\s*".join([r"([0-9]{1,3})"] * 6))
_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_BYTES: Final = re.compile(r"[0-9]{1,3}(\s*,\s*[0-9]{1,3}){4,40}")  # of LPRT: IPv6 needs 21
LONG_FAMILIES: Final = {4: 4, 6: 16}
"""RFC 1639's address families, which are the versions of IP, and the bytes of an address."""


def parse_port(text: str) -> tuple[str, int]:
    """Read `h1,h2,h3,h4,p1,p2` (RFC 959 5.3.2), spaces around the numbers allowed; anything else is :class:`BadArgument`."""
    match = _SIX_NUMBERS.fullmatch(text.strip())
    numbers = [int(number) for number in match.groups()] if match else []
    if not numbers or max(numbers) > 255:
        raise BadArgument("An address is six numbers from 0 to 255, with commas between them")
    port = numbers[4] << 8 | numbers[5]
    if not port:
        raise BadArgument("Port 0 cannot be connected to")
    return ".".join(map(str, numbers[:4])), port


def format_pasv(address: str, port: int) -> str:
    """Write an IPv4 *address* and a port as `h1,h2,h3,h4,p1,p2`; a 227 puts parentheses around it."""
    return f"{address.replace('.', ',')},{port >> 8},{port & 255}"


def parse_eprt(text: str) -> tuple[int, str, int]:
    """Read `|family|address|port|` (RFC 2428 2), with any delimiter from 33 to 126.

    Families 1 (IPv4) and 2 (IPv6) have their address checked and made canonical, a v4-mapped one IPv4; of another family it is returned
    as it stands, since the answer is then 522 and not 501.  Zone ids, and whatever does not parse, are :class:`BadArgument`.
    """
    text = text.strip()
    delimiter = text[:1]
    if not "!" <= delimiter <= "~":
        raise BadArgument("An extended address starts with its delimiter")
    fields = text.split(delimiter)
    if len(fields) != 5 or fields[4]:
        raise BadArgument("An extended address is |family|address|port|")
    family, port = _number(fields[1]), _number(fields[3])
    if not 0 < port < 65536:
        raise BadArgument("A port is a number from 1 to 65535")
    return family, _checked(family, fields[2]), port


def format_epsv(port: int) -> str:
    """Write *port* as `|||port|` (RFC 2428 3); a 229 puts parentheses around it."""
    return f"|||{port}|"


def parse_lprt(text: str) -> tuple[int, str, int]:
    """Read `family,4,h1,h2,h3,h4,2,p1,p2` (RFC 1639 2.1); families 4 and 6 as in `parse_eprt`.

    Of another family address and port are "" and 0, since the answer is then 521 and not 501; what does not parse is :class:`BadArgument`.
    """
    if not _BYTES.fullmatch(text.strip()):
        raise BadArgument("A long address is numbers from 0 to 255: the family, how many, the address, how many, the port")
    family, *numbers = map(int, text.split(","))
    if family not in LONG_FAMILIES:
        return family, "", 0
    length = LONG_FAMILIES[family]
    if max(numbers) > 255 or len(numbers) != length + 4 or numbers[0] != length or numbers[length + 1] != 2:
        raise BadArgument("A long address is numbers from 0 to 255: the family, how many, the address, how many, the port")
    port = int.from_bytes(numbers[-2:])
    if not port:
        raise BadArgument("Port 0 cannot be connected to")
    return family, plain_address(str(ipaddress.ip_address(bytes(numbers[1 : length + 1])))), port


def format_lpsv(address: str, port: int) -> str:
    """Write *address* and *port* as `family,4,h1,h2,h3,h4,2,p1,p2` (RFC 1639 2.2); a 228 puts parentheses around it."""
    parsed = ipaddress.ip_address(address)
    return ",".join(map(str, (parsed.version, len(parsed.packed), *parsed.packed, 2, port >> 8, port & 255)))


def plain_address(text: str) -> str:
    """Return the address *text* of a socket without zone, a v4-mapped one as IPv4.

    What has no colon, IPv4 or the "" of a Unix socket, is returned as it stands.  Raises `ValueError` for text that is no address.
    """
    if ":" not in text:
        return text
    address = ipaddress.IPv6Address(text.partition("%")[0])
    return str(address.ipv4_mapped or address)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise BadArgument("Family and port are decimal numbers")
    return int(text)


def _checked(family: int, address: str) -> str:
    """Return *address* in canonical form if it is of *family*, untouched if the family is unknown."""
    if family not in (1, 2):
        return address
    try:
        if family == 1:
            return str(ipaddress.IPv4Address(address))
        if "%" not in address:
            return plain_address(str(ipaddress.IPv6Address(address)))
    except ValueError:
        pass
    raise BadArgument("The address cannot be read, or is not of the family that stands before it")
