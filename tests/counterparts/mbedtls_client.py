"""A small device for tests: Mbed TLS, as chips with little memory carry it, checks the box by its authority
alone and opens an MQTT connection. Usage: mbedtls_client.py AUTHORITY ADDRESS PORT NAME TOKEN. Says the answer to CONNECT in
hexadecimal digits, or what went wrong."""

import socket
import struct
import sys

from mbedtls import x509
from mbedtls.tls import ClientContext, TLSConfiguration, TrustStore, WantReadError, WantWriteError

AUTHORITY, ADDRESS, PORT, NAME, TOKEN = sys.argv[1:]


def connect():
    """CONNECT of MQTT 3.1.1 with a name and a token."""

    def text(what):
        return struct.pack(">H", len(what)) + what.encode()

    body = text("MQTT") + b"\x04\xc2\x00\x3c" + text(NAME) + text(NAME) + text(TOKEN)
    return bytes([0x10, len(body)]) + body


def until_done(step):
    """Calls until it wants nothing more."""
    while True:
        try:
            return step()
        except (WantReadError, WantWriteError):
            pass


def main():
    """Connects once."""
    authority = x509.CRT.from_PEM(open(AUTHORITY, encoding="ascii").read())
    trusted = TrustStore()
    trusted.add(authority)
    settings = TLSConfiguration(trust_store=trusted, validate_certificates=True)
    plain = socket.create_connection((ADDRESS, int(PORT)))
    safe = ClientContext(settings).wrap_socket(plain, server_hostname="localhost")
    until_done(safe.do_handshake)
    until_done(lambda: safe.send(connect()))
    print(until_done(lambda: safe.recv(4)).hex())


main()
