"""Writes events as the CloudEvents SDK for Python sends them: one request a line, as JSON, in each mode."""

import json

from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent


def event(identifier):
    attributes = {"id": identifier, "source": "/sdk", "type": "order.created", "specversion": "1.0"}
    attributes.update({"datacontenttype": "application/json", "subject": "Zürich €", "team": "red"})
    return CloudEvent(attributes, {"n": 1})


def request(headers, body):
    body = body if isinstance(body, str) else body.decode()
    print(json.dumps({"headers": [[name, str(value)] for name, value in headers.items()], "body": body}))


binary = to_binary_event(event("binary"))
request(binary.headers, binary.body)
structured = to_structured_event(event("structured"))
request(structured.headers, structured.body)
batch = [to_structured_event(event(identifier)).body for identifier in ("first", "second")]
texts = [body if isinstance(body, str) else body.decode() for body in batch]
request({"content-type": "application/cloudevents-batch+json"}, f"[{','.join(texts)}]")
