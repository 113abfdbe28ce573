"""Reads events with the CloudEvents SDK for Python as they come: a batch, lines, and Server-Sent Events, so many of each.

Writes a line of JSON for each event, with how it came and what the SDK made of it. The library has no batched mode of its own:
each element of the batch is read by it as an event of the structured mode.
"""

import json
import sys
import urllib.request

from cloudevents.core.bindings.http import HTTPMessage, from_structured_event

out, token, count = sys.argv[1], sys.argv[2], int(sys.argv[3])


def tell(how, text):
    body = text if isinstance(text, bytes) else text.encode()
    event = from_structured_event(HTTPMessage({"content-type": "application/cloudevents+json"}, body))
    attributes = event.get_attributes()
    told = {name: str(attributes[name]) for name in ("id", "source", "type", "specversion")}
    print(json.dumps({"how": how, "data": event.get_data(), **told}))


def ask(accept, query=""):
    request = urllib.request.Request(f"{out}?from=earliest{query}")
    request.add_header("authorization", f"Bearer {token}")
    request.add_header("accept", accept)
    return urllib.request.urlopen(request, timeout=60)


with ask("application/cloudevents-batch+json") as answer:
    assert answer.headers["content-type"] == "application/cloudevents-batch+json"
    for element in json.load(answer):
        tell("batch", json.dumps(element))

with ask("application/x-ndjson") as answer:
    found = 0
    while found < count:
        line = json.loads(answer.readline() or "null")
        if line and "event" in line:
            tell("lines", json.dumps(line["event"]))
            found += 1

with ask("text/event-stream") as answer:
    found = 0
    while found < count:
        line = answer.readline().decode()
        if line.startswith("data: "):
            tell("sse", line[len("data: ") :])
            found += 1
