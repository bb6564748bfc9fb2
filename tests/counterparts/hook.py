"""A program that is told of alarms: says its port, then each delivery as one line of JSON, with
whether its signature is right by Python's own hmac.

hook.py SECRET FAILURES [CERTIFICATE KEY]

The first FAILURES deliveries are answered with 503.
"""

import hashlib
import hmac
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

secret = sys.argv[1].encode()
failures = int(sys.argv[2])


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        global failures
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = self.headers["x-mimamori-time"].encode() + b"." + body
        wanted = "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
        said = {
            "path": self.path,
            "signed": hmac.compare_digest(wanted, self.headers["x-mimamori-signature"]),
            "delivery": self.headers["x-mimamori-delivery"],
            "body": json.loads(body),
            "taken": failures == 0,
        }
        self.send_response(503 if failures else 204)
        self.end_headers()
        failures = max(0, failures - 1)
        print(json.dumps(said), flush=True)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Hook)
if len(sys.argv) > 3:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
print(server.server_address[1], flush=True)
server.serve_forever()
