"""A client that does with TLS what a mail client must not.

usage: starttls.py SCENE HOST PORT [HOST PORT]; prints what it found, a JSON object.
"""

import json
import os
import socket
import ssl
import sys


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def reply(sock):
    """One whole reply, octet by octet, so that not one is taken that belongs to what follows."""
    text = b""
    while True:
        line = b""
        while not line.endswith(b"\n"):
            octet = sock.recv(1)
            if not octet:
                return text + line
            line += octet
        text += line
        if line[3:4] == b" ":
            return text


def say(sock, line):
    sock.sendall(line + b"\r\n")
    return reply(sock)


def upgraded(host, port, made, session=None):
    raw = socket.create_connection((host, int(port)), timeout=60)
    reply(raw)
    say(raw, b"EHLO client.example")
    assert say(raw, b"STARTTLS").startswith(b"220")
    # Left open below: closing TLS is not closing the connection.
    wrapped = made.wrap_socket(raw, session=session, suppress_ragged_eofs=True)
    assert say(wrapped, b"EHLO client.example").startswith(b"250")
    return wrapped


def recipient_taken(sock):
    assert say(sock, b"MAIL FROM:<a@client.example>").startswith(b"250")
    assert say(sock, b"RCPT TO:<alice@example.org>").startswith(b"250")


def below(tls):
    """The connection below TLS."""
    raw = socket.socket(fileno=os.dup(tls.fileno()))
    raw.settimeout(60)
    return raw


def rest(sock):
    """What else comes until the server closes."""
    told = b""
    try:
        while octets := sock.recv(4096):
            told += octets
    except (ConnectionError, ssl.SSLError):
        pass
    return told


def close_notify_in_a_chunk(host, port):
    """Half a chunk, close_notify, then the other half in clear text."""
    tls = upgraded(host, port, context())
    recipient_taken(tls)
    tls.sendall(b"BDAT 40 LAST\r\nSubject: half\r\n\r\n")
    raw = below(tls)
    try:
        tls.unwrap()
    except (OSError, ssl.SSLError):
        pass
    try:
        raw.sendall(b"x" * 40 + b"\r\nNOOP\r\nQUIT\r\n")
    except OSError:
        pass
    return {"clear": rest(raw).decode("latin-1")}


def end_without_close_notify(host, port):
    """The connection ends in the middle of a message, and nobody says that TLS does."""
    tls = upgraded(host, port, context())
    recipient_taken(tls)
    assert say(tls, b"DATA").startswith(b"354")
    tls.sendall(b"Subject: half\r\n\r\nthe first half\r\n")
    raw = below(tls)
    raw.shutdown(socket.SHUT_WR)
    return {"after": len(rest(raw))}


def tickets(first_host, first_port, second_host, second_port):
    """A session of the first server, shown to the first again and to the second."""
    found = {}
    for name in ["TLSv1_2", "TLSv1_3"]:
        made = context()
        made.minimum_version = made.maximum_version = ssl.TLSVersion[name]
        tls = upgraded(first_host, first_port, made)
        assert say(tls, b"NOOP").startswith(b"250")
        session = tls.session
        say(tls, b"QUIT")
        again = upgraded(first_host, first_port, made, session)
        other = upgraded(second_host, second_port, made, session)
        found[name] = {"same": again.session_reused, "other": other.session_reused}
    return found


SCENES = {made.__name__: made for made in [close_notify_in_a_chunk, end_without_close_notify, tickets]}
print(json.dumps(SCENES[sys.argv[1]](*sys.argv[2:])))
