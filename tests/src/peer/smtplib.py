"""Sends messages over one session of smtplib, and prints what became of each: CODE TEXT, a line each.

usage: smtplib.py HOST PORT, with a JSON object on standard input: from, to (a list), files (paths of
messages with CR LF line ends), parameters (of MAIL), starttls (true or false), lmtp (true or false).
"""

import json
import smtplib
import ssl
import sys

what = json.load(sys.stdin)
kind = smtplib.LMTP if what["lmtp"] else smtplib.SMTP


def connect():
    client = kind(sys.argv[1], int(sys.argv[2]), local_hostname="smtplib.example", timeout=60)
    if what["starttls"]:
        client.ehlo()
        client.starttls(context=ssl._create_unverified_context())
    client.ehlo_or_helo_if_needed()
    return client


def send(client, message):
    code, text = client.mail(what["from"], what["parameters"])
    if code != 250:
        return code, text
    answers = [client.rcpt(to) for to in what["to"]]
    if not any(200 <= code < 300 for code, _ in answers):
        return answers[0]
    return client.data(message)


client = connect()
for path in what["files"]:
    with open(path, "rb") as file:
        message = file.read()
    try:
        code, text = send(client, message)
        if code >= 300:
            client.rset()
    except smtplib.SMTPDataError as error:
        code, text = error.smtp_code, error.smtp_error
        client.rset()
    except (smtplib.SMTPServerDisconnected, ConnectionError, BrokenPipeError) as error:
        code, text = 0, str(error).encode()
        client.close()
        client = connect()
    print(code, text.decode("utf-8", "replace").replace("\n", " "), flush=True)
try:
    client.quit()
except smtplib.SMTPException:
    pass
