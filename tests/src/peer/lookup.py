"""A table in the network: socketmap_table(5) or tcp_table(5), from a JSON object of key to value on stdin.

Says its port, then serves until it is killed. Both protocols are written after Postfix's manual pages.
"""

import json
import socketserver
import sys
from urllib.parse import quote_from_bytes, unquote_to_bytes

TABLE = {key.encode(): value.encode() for key, value in json.load(sys.stdin).items()}
# These keys have no answer for now.
AWAY = b"away"


def netstring(stream):
    length = b""
    while (octet := stream.read(1)) != b":":
        if not octet:
            return None
        length += octet
    body = stream.read(int(length))
    assert stream.read(1) == b","
    return body


class Socketmap(socketserver.StreamRequestHandler):
    def handle(self):
        while (request := netstring(self.rfile)) is not None:
            _, _, key = request.partition(b" ")
            if key.startswith(AWAY):
                reply = b"TEMP come back later"
            elif key in TABLE:
                reply = b"OK " + TABLE[key]
            else:
                reply = b"NOTFOUND "
            self.wfile.write(b"%d:%s," % (len(reply), reply))


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            verb, _, key = line.rstrip(b"\n").partition(b" ")
            key = unquote_to_bytes(key)
            if verb != b"get" or key.startswith(AWAY):
                reply = b"400 " + quote_from_bytes(b"come back later").encode()
            elif key in TABLE:
                reply = b"200 " + quote_from_bytes(TABLE[key], safe="/:@,$").encode()
            else:
                reply = b"500 not-found"
            self.wfile.write(reply + b"\n")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


HANDLERS = {"socketmap": Socketmap, "tcp": Tcp}

with Server(("127.0.0.1", 0), HANDLERS[sys.argv[1]]) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
