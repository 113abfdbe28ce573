"""Makes a client of the management API's description and works with it: the argument is the gateway's address.

Whatever is answered is read by the generated code, which fails on a member that is missing or of another type.
"""

import importlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

address = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp())

with urllib.request.urlopen(f"{address}/openapi.json") as answer:
    description = json.load(answer)
# Of a body that may be a list or not the generator makes code that does not run (`isinstance(body, list[…])`).
publishing = description["paths"]["/v1/events"]["post"]["requestBody"]["content"]
del publishing["application/cloudevents-batch+json"]
# It knows no type of content that may be any.
del description["paths"]["/v1/events/{id}/data"]
(folder / "openapi.json").write_text(json.dumps(description))
(folder / "config.yml").write_text("post_hooks: []\nliteral_enums: true\n")

generate = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none"]
generate += ["--output-path", "anglerfish_client", "--config", "config.yml", "--fail-on-warning"]
made = subprocess.run(generate, cwd=folder, capture_output=True, text=True)
assert made.returncode == 0, made.stdout + made.stderr

sys.path.insert(0, str(folder))
models = importlib.import_module("anglerfish_client.models")
Client = importlib.import_module("anglerfish_client.client").Client
client = Client(base_url=address)


def call(operation, *arguments, **named):
    """Calls an operation by its place in the package; gives its status and what was read from its answer."""
    module = importlib.import_module(f"anglerfish_client.api.{operation}")
    response = module.sync_detailed(*arguments, client=client, **named)
    assert response.parsed is not None, (operation, response.status_code, response.content)
    return int(response.status_code), response.parsed


receiver = sys.argv[2]
document = models.SubscriptionDocument(
    endpoint=models.Endpoint(url=receiver, allow_networks=["127.0.0.0/8"]),
    filter_='event.type == "order.created"',
    delivery=models.DeliveryPolicy(timeout="5s", retry=models.RetryPolicy(delays=["1s"])),
    when_removed="wait",
)
status, written = call("subscriptions.replace_subscription", "generated", body=document)
assert (status, written.id, written.state, written.origin) == (201, "generated", "active", "api"), written
assert call("subscriptions.replace_subscription", "generated", body=document)[0] == 200
status, shown = call("subscriptions.show_subscription", "generated")
assert isinstance(shown.subscription, models.SubscriptionDocument), shown
assert shown.subscription.endpoint.url == receiver, shown
_, listing = call("subscriptions.list_subscriptions")
assert all(isinstance(one, models.Subscription) for one in listing.items), listing
assert "generated" in [one.id for one in listing.items]

event = models.CloudEvent(specversion="1.0", id="made-1", source="/generated", type_="order.created")
event.additional_properties["data"] = {"n": 1}
status, published = call("events.publish_events", body=event)
assert (status, published.status, published.deliveries) == (202, "accepted", 1), published
assert call("events.publish_events", body=event)[1].status == "duplicate"

seen, cursor = [], {}
while True:
    _, page = call("events.list_events", limit=1, **cursor)
    seen += [one.id for one in page.items]
    if page.next_ is None:
        break
    cursor = {"cursor": page.next_}
assert seen[0] == "made-1" and len(seen) == len(set(seen)) > 1, seen
_, detail = call("events.show_event", "made-1")
assert (detail.event.source, detail.origin) == ("/generated", "published"), detail
assert isinstance(detail.deliveries.items[0], models.Delivery), detail
_, delivery = call("deliveries.show_delivery", str(detail.deliveries.items[0].id))
assert delivery.delivery.subscription == "generated", delivery
for operation in ["sources.list_sources", "rejections.list_rejections", "configuration.configuration", "health.ready"]:
    assert call(operation)[0] == 200, operation

status, problem = call("events.show_event", "none-such")
assert (status, problem.code) == (404, "unknown-event"), problem
wrong = models.SubscriptionDocument(endpoint=models.Endpoint(url="ftp://example.com/"), filter_="1 +")
status, problem = call("subscriptions.replace_subscription", "wrong", body=wrong)
assert (status, problem.code) == (422, "invalid-document"), problem
assert {one.path for one in problem.problems} == {"endpoint.url", "filter"}, problem

deadline = time.monotonic() + 20
while call("deliveries.show_delivery", str(delivery.delivery.id))[1].delivery.status == "pending":
    assert time.monotonic() < deadline, "it is not delivered"
    time.sleep(0.05)
status, deleted = call("subscriptions.delete_subscription", "generated")
assert status == 200 and deleted.abandoned == 0, deleted
print("a generated client works")
