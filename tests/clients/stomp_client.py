"""stomp.py against STOMP over TCP: says in JSON lines what comes. Arguments: host, port, token, destination, count, and what to send."""

import json
import sys
import threading

import stomp

host, port, token, destination, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
texts = sys.argv[6:]
done = threading.Event()


class Listener(stomp.ConnectionListener):
    def __init__(self, connection):
        self.connection = connection
        self.seen = 0

    def on_connected(self, frame):
        say({"connected": frame.headers.get("version"), "heart-beat": frame.headers.get("heart-beat")})

    def on_message(self, frame):
        headers = frame.headers
        say({"body": frame.body, "type": headers["ce-type"], "position": headers.get("position")})
        self.connection.ack(headers["ack"], receipt=f"ack-{self.seen}")
        self.seen += 1

    def on_receipt(self, frame):
        say({"receipt": frame.headers["receipt-id"]})
        if frame.headers["receipt-id"] == f"ack-{count - 1}":
            done.set()

    def on_error(self, frame):
        say({"error": frame.headers["message"]})
        done.set()


def say(line):
    print(json.dumps(line), flush=True)


connection = stomp.Connection12([(host, port)], heartbeats=(2000, 2000), auto_content_length=True)
connection.set_listener("", Listener(connection))
connection.connect("me", token, wait=True)
connection.subscribe(destination, id="1", ack="client-individual", headers={"from": "earliest"})
for text in texts:
    connection.send(destination, text, content_type="text/plain", headers={"ce-type": "said"})
if not done.wait(30):
    say({"error": "nothing came in time"})
connection.disconnect()
