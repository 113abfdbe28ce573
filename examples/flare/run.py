"""Documents, from a producer to a page: `python3 examples/flare/run.py [path of the anglerfish binary]`.

It starts the gateway, a producer that creates, updates and deletes products from time to time, and a consumer whose page at
http://127.0.0.1:8090/ shows what it is told. Ctrl-C ends all of it.
"""

import datetime
import html
import http.client
import http.server
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
GATEWAY = ("127.0.0.1", 8083)
CONSUMER = ("127.0.0.1", 8090)
MOST_LINES = 50

told = []
held = {}
lock = threading.Lock()


class Consumer(http.server.BaseHTTPRequestHandler):
    """Takes notifications, and shows them as a page."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with lock:
            told.insert(0, (self.path.strip("/"), body))
            del told[MOST_LINES:]
            if self.path == "/catalogue":
                if body["action"] == "delete":
                    held.pop(body["id"], None)
                else:
                    held[body["id"]] = body["document"]
        self.answer(200, "text/plain", "")

    def do_GET(self):
        with lock:
            products = "".join(f"<li>{html.escape(key)}: {value['stock']}</li>" for key, value in sorted(held.items()))
            lines = "".join(
                f"<tr><td>{name}<td>{body['action']}<td>{html.escape(body['id'])}"
                f"<td>{html.escape(json.dumps(body.get('document')))}</tr>"
                for name, body in told
            )
        self.answer(
            200,
            "text/html; charset=utf-8",
            f"<meta http-equiv=refresh content=1><h1>What the catalogue has</h1><ul>{products}</ul>"
            f"<h1>What was told</h1><table>{lines}</table>",
        )

    def answer(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def ask(method, number, document=None):
    """Puts or deletes a product."""
    connection = http.client.HTTPConnection(*GATEWAY, timeout=5)
    body = json.dumps(document) if document else None
    connection.request(method, f"/documents/http://shop.example/products/{number}", body)
    status = connection.getresponse().status
    print(f"{method} product {number} {body or ''}: {status}", flush=True)
    connection.close()


def produce():
    """Creates, updates and deletes products, about one each second."""
    while True:
        number = random.randint(1, 6)
        if random.random() < 0.15:
            ask("DELETE", number)
        else:
            now = datetime.datetime.now(datetime.timezone.utc)
            stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            ask("PUT", number, {"updatedAt": stamp, "stock": random.choice([0, 0, 1, 5])})
        time.sleep(random.uniform(0.3, 1.5))


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else "anglerfish"
    consumer = http.server.ThreadingHTTPServer(CONSUMER, Consumer)
    threading.Thread(target=consumer.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory) / "anglerfish.toml"
        config.write_text((HERE / "anglerfish.toml").read_text())
        gateway = subprocess.Popen([binary, "serve", "--config", str(config)])
        try:
            while gateway.poll() is None:
                try:
                    http.client.HTTPConnection(*GATEWAY, timeout=1).connect()
                    break
                except OSError:
                    time.sleep(0.1)
            print(f"what is told: http://{CONSUMER[0]}:{CONSUMER[1]}/", flush=True)
            produce()
        except KeyboardInterrupt:
            pass
        finally:
            gateway.terminate()
            gateway.wait()


if __name__ == "__main__":
    main()
