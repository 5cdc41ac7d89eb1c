"""Keeps every byte of every message: FOLDER/NUMBER.eml, and its envelope in FOLDER/NUMBER.json beside it.

usage: aiosmtpd.py smtp|lmtp FOLDER OPTIONS
OPTIONS is a JSON object: certificate, key (paths); refuse (recipients that get 550); defer (451).
Prints the port once it listens.
"""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

KIND, FOLDER, OPTIONS = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
SMTP.line_length_limit = 1 << 24


class Keep:
    taken = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in OPTIONS.get("refuse", []):
            return "550 5.1.1 no such user here"
        if address in OPTIONS.get("defer", []):
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, server, session, envelope):
        Keep.taken += 1
        name = os.path.join(FOLDER, "%06d" % Keep.taken)
        facts = {
            "reverse_path": "" if envelope.mail_from == "<>" else envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "parameters": envelope.mail_options,
            "tls": session.ssl is not None,
        }
        with open(name + ".part", "wb") as file:
            file.write(envelope.content)
        with open(name + ".json", "w") as file:
            json.dump(facts, file)
        # The message appears last and whole.
        os.rename(name + ".part", name + ".eml")
        if KIND == "lmtp":
            return "\r\n".join("250 2.0.0 kept for <%s>" % to for to in envelope.rcpt_tos)
        return "250 2.0.0 kept"


def session():
    context = None
    if "certificate" in OPTIONS:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(OPTIONS["certificate"], OPTIONS["key"])
    return (LMTP if KIND == "lmtp" else SMTP)(
        Keep(),
        data_size_limit=1 << 30,
        enable_SMTPUTF8=True,
        hostname="aiosmtpd.example",
        tls_context=context,
    )


async def main():
    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
