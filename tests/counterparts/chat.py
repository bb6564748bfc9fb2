"""Chats that are written into: says its port, then each request as one line of JSON. First it is
written to by the makers' own clients (line-bot-sdk, slack_sdk), so that what others send can be
compared with that.

Of LINE, every message is taken and the first answer to it is lost: the client is told 500, then,
when the same message comes again, 409, as LINE does.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from linebot.v3.messaging import (
    ApiClient,
    BroadcastRequest,
    Configuration,
    MessagingApi,
    PushMessageRequest,
    TextMessage,
)
from linebot.v3.messaging.exceptions import ApiException
from slack_sdk.webhook import WebhookClient

taken = set()
line_at_once = threading.Lock()


class Chat(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers["x-line-retry-key"]
        said = {
            "path": self.path,
            "authorization": self.headers["authorization"],
            "retry_key": key,
            "type": self.headers["content-type"],
            "body": body,
        }
        with line_at_once:
            print(json.dumps(said), flush=True)
        status = 200
        if self.path.startswith("/v2/"):
            if self.path.endswith("/push"):
                request = PushMessageRequest.from_dict(body)
                assert request.to
            else:
                request = BroadcastRequest.from_dict(body)
            assert isinstance(request.messages[0], TextMessage), body
            status = 409 if key in taken else 500
            taken.add(key)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}" if self.path.startswith("/v2/") else b"ok")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
threading.Thread(target=server.serve_forever, daemon=True).start()
here = f"http://127.0.0.1:{server.server_address[1]}"
print("ready", flush=True)
print(server.server_address[1], flush=True)

text = TextMessage(text="見本")
with ApiClient(Configuration(host=here, access_token="token-of-line")) as client:
    line = MessagingApi(client)
    key = "01234567-89ab-4cde-8123-456789abcdef"
    for send in (
        lambda: line.push_message(PushMessageRequest(to="U1", messages=[text]), key),
        lambda: line.broadcast(BroadcastRequest(messages=[text]), key),
    ):
        try:
            send()
        except ApiException:
            pass
WebhookClient(f"{here}/services/T/B/secret").send(text="見本")
threading.Event().wait()
