"""A mail server by aiosmtpd: says its port, then each mail it took as one line of JSON, read by
Python's own parser.

mail.py plain
mail.py tls|starttls CERTIFICATE KEY USER PASSWORD
"""

import json
import socket
import ssl
import sys
import threading
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

way = sys.argv[1]


def say(line):
    print(line, flush=True)


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        say(
            json.dumps(
                {
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "subject": str(mail["subject"]),
                    "id": str(mail["message-id"]),
                    "date": str(mail["date"]),
                    "auto": str(mail["auto-submitted"]),
                    "text": mail.get_body(("plain",)).get_content(),
                    "files": [
                        {
                            "name": file.get_filename(),
                            "type": file.get_content_type(),
                            "begins": file.get_content()[:5].decode("ascii"),
                        }
                        for file in mail.iter_attachments()
                    ],
                    "secure": session.ssl is not None or way == "tls",
                }
            )
        )
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    wanted = (sys.argv[4].encode(), sys.argv[5].encode())
    is_it = (data.login, data.password) == wanted
    return AuthResult(success=is_it, handled=False)


options = {}
if way != "plain":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    options = {"authenticator": authenticate, "auth_required": True}
    if way == "tls":
        options.update(ssl_context=context, auth_require_tls=False)
    else:
        options.update(tls_context=context, require_starttls=True)
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
server = Controller(Handler(), hostname="127.0.0.1", port=port, **options)
server.start()
say("ready")
say(port)
threading.Event().wait()
