"""Passes connections on over TLS with a client's certificate, for programs that show none themselves."""

import asyncio
import ssl
import sys

host, port, certificate, key, authority = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
context.load_cert_chain(certificate, key)


async def copy(reader, writer):
    try:
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def meet(reader, writer):
    try:
        to = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=host)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, to[1]), copy(to[0], writer))


async def main():
    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
