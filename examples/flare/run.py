"""Documents, from a producer to a page: `python3 examples/flare/run.py [path of the anglerfish binary]`.

It starts the gateway, a producer that creates, updates and deletes products from time to time, and a consumer whose page at
http://127.0.0.1:8090/ shows what it is told. Ctrl-C ends all of it. `--ports` has it use other ports than 8080, 8081, 8083 and
8090: of the gateway, its management API, its documents, and the page.
"""

import argparse
import contextlib
import datetime
import html
import http.client
import http.server
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
HOST = "127.0.0.1"
PORTS = [8080, 8081, 8083, 8090]
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
            if not told:
                products = "<li>nothing yet</li>"
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


def say(line):
    """Shows a line at once, also where it goes into a pipe."""
    print(line, flush=True)


def ask(port, method, number, document=None):
    """Puts or deletes a product."""
    body = json.dumps(document) if document else None
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=30)) as connection:
        try:
            connection.request(method, f"/documents/http://shop.example/products/{number}", body)
            outcome = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            # A gateway on a busy machine may be slow; a producer goes on.
            outcome = error
    say(f"{method} product {number} {body or ''}: {outcome}")


def produce(port, gateway):
    """Creates, updates and deletes products, about one each second, for as long as the gateway runs."""
    while gateway.poll() is None:
        number = random.randint(1, 6)
        if random.random() < 0.15:
            ask(port, "DELETE", number)
        else:
            now = datetime.datetime.now(datetime.timezone.utc)
            stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            ask(port, "PUT", number, {"updatedAt": stamp, "stock": random.choice([0, 0, 1, 5])})
        time.sleep(random.uniform(0.3, 1.5))


def is_ready(port):
    """Whether the gateway answers there. It listens long before that on a busy machine: it compiles its component first."""
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=1)) as connection:
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="?", default="anglerfish", help="the anglerfish binary")
    parser.add_argument("--ports", nargs=4, type=int, default=PORTS, metavar="PORT")
    return parser.parse_args()


def main():
    asked = arguments()
    # Also where whoever started this has signals ignored.
    for ending in signal.SIGINT, signal.SIGTERM:
        signal.signal(ending, signal.default_int_handler)
    *_, documents, page = asked.ports
    try:
        consumer = http.server.ThreadingHTTPServer((HOST, page), Consumer)
    except OSError as error:
        sys.exit(f"the page cannot be shown at {HOST}:{page}: {error}")
    threading.Thread(target=consumer.serve_forever, daemon=True).start()
    say(f"what is told: http://{HOST}:{page}/")
    text = (HERE / "anglerfish.toml").read_text()
    for usual, port in zip(PORTS, asked.ports):
        text = text.replace(f"{HOST}:{usual}", f"{HOST}:{port}")
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory) / "anglerfish.toml"
        config.write_text(text)
        say(f"the gateway starts, for some seconds on a busy machine: {asked.binary} serve")
        begun = time.monotonic()
        try:
            # In a session of its own: Ctrl-C ends this program, which ends the gateway.
            gateway = subprocess.Popen([asked.binary, "serve", "--config", str(config)], start_new_session=True)
        except OSError as error:
            sys.exit(f"{asked.binary} cannot be started: {error}; give the path of the binary, target/debug/anglerfish say")
        try:
            while gateway.poll() is None and not is_ready(documents):
                time.sleep(0.05)
            if gateway.poll() is None:
                say(f"it takes documents after {time.monotonic() - begun:.1f} s")
                produce(documents, gateway)
            sys.exit(f"the gateway has ended with the status {gateway.returncode}")
        except KeyboardInterrupt:
            pass
        finally:
            gateway.terminate()
            gateway.wait()


if __name__ == "__main__":
    main()
