"""Between a hub and those who ask it: mutual TLS on both sides, so that it sees each request and can spoil it.

Each request's first line goes to standard output, after the seconds of a clock. What is to be done stands in a file, read at
each request: nothing, `busy` (503 for everybody), or `lose`, `drop` or `die` and the beginning of a request, which is spoiled
once: `lose` hands it on and its answer to nobody, `drop` hands on nothing, and `die` is `lose`, and all is over.
"""

import asyncio
import os
import pathlib
import re
import ssl
import sys

here, port, hub, hub_port, tls, server, client, orders = sys.argv[1:]
tls, orders = pathlib.Path(tls), pathlib.Path(orders)
START = re.compile(rb"^[A-Z]+ /[^ ]* HTTP/1\.1\r\n")
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def context(purpose, name):
    made = ssl.create_default_context(purpose, cafile=tls / "authority.pem")
    made.load_cert_chain(tls / f"{name}.pem", tls / f"{name}.key")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


inward = context(ssl.Purpose.CLIENT_AUTH, server)
outward = context(ssl.Purpose.SERVER_AUTH, client)


def ordered(line):
    what, _, which = orders.read_text().partition(" ")
    if what != "busy" and (not which or not line.startswith(which.encode())):
        return None
    if which:
        orders.write_text("")
    return what


async def ask(reader, writer, to, spoiled):
    while octets := await reader.read(65536):
        if start := START.match(octets):
            line = start.group().rsplit(b" ", 1)[0]
            print(asyncio.get_running_loop().time(), line.decode(), flush=True)
            what = ordered(line)
            if what == "busy":
                writer.write(BUSY)
                await writer.drain()
            if what in ("busy", "drop"):
                break
            if what:
                spoiled.append(what)
        to.write(octets)
        await to.drain()


async def answer(reader, writer, spoiled):
    while octets := await reader.read(65536):
        if "die" in spoiled:
            os._exit(0)
        if spoiled:
            break
        writer.write(octets)
        await writer.drain()


async def meet(reader, writer):
    to = None
    try:
        back, to = await asyncio.open_connection(hub, int(hub_port), ssl=outward, server_hostname=hub)
        spoiled = []
        ways = [ask(reader, writer, to, spoiled), answer(back, writer, spoiled)]
        await asyncio.wait(map(asyncio.ensure_future, ways), return_when=asyncio.FIRST_COMPLETED)
    except OSError:
        # Where there is no hub, there is none here either, but for one that is said to be busy.
        if orders.read_text() == "busy":
            line = (await reader.readline()).rsplit(b" ", 1)[0]
            print(asyncio.get_running_loop().time(), line.decode(), flush=True)
            writer.write(BUSY)
    finally:
        for end in (writer, to):
            if end:
                end.close()


async def main():
    listening = await asyncio.start_server(meet, here, int(port), ssl=inward)
    print("ready", flush=True)
    await listening.serve_forever()


asyncio.run(main())
