"""Holds the recorded verification cases against the providers' own Python libraries.

Each library must accept the recorded request and refuse it with another key and with another body; where it can sign,
it must make the very signature that was recorded. Libraries that are not installed are named and skipped.

    python tests/clients/verify_sdks.py tests/fixtures/verify
"""

import datetime
import importlib.util
import json
import os
import sys

folder = sys.argv[1]
checked, skipped, failed = 0, [], []


def groups(scheme, group=""):
    with open(os.path.join(folder, f"{scheme}.json")) as file:
        for one in json.load(file):
            if one.get("group", "") == group:
                return one
    raise SystemExit(f"{scheme} {group} is not recorded")


def needs(*modules):
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    skipped.extend(missing)
    return not missing


def hold(name, condition):
    global checked
    checked += 1
    if not condition:
        failed.append(name)


def attempt(call):
    try:
        return call() is not False
    except Exception:
        return False


def both(name, verify, group, other):
    """`verify(secret, headers, body, url)` accepts what is recorded and refuses what is not."""
    request, secret = group["request"], group["config"]["secrets"][0]["value"]
    call = lambda secret, body: attempt(lambda: verify(secret, request["headers"], body, request["url"]))
    hold(f"{name}: valid", call(secret, request["body"]))
    hold(f"{name}: another key", not call(other, request["body"]))
    hold(f"{name}: another body", not call(secret, request["body"].replace("1", "2") + " "))


if needs("stripe"):
    import stripe
    stripe_group = groups("stripe")
    both("stripe", lambda secret, headers, body, url: stripe.WebhookSignature.verify_header(body, headers["stripe-signature"], secret, None),
         stripe_group, "whsec_other")

for module in ("svix", "standardwebhooks"):
    if needs(module):
        webhooks = __import__(f"{module}.webhooks", fromlist=["Webhook"])
        group = groups("standard-webhooks", "svix" if module == "svix" else "")
        request, secret = group["request"], group["config"]["secrets"][0]["value"]
        prefix = "svix" if module == "svix" else "webhook"
        when = datetime.datetime.fromtimestamp(group["now"], datetime.timezone.utc)
        made = webhooks.Webhook(secret).sign(request["headers"][f"{prefix}-id"], when, request["body"])
        hold(f"{module}: makes the recorded signature", made == request["headers"][f"{prefix}-signature"])

if needs("twilio"):
    from twilio.request_validator import RequestValidator
    from urllib.parse import parse_qsl

    def twilio(secret, headers, body, url):
        form = headers["content-type"] == "application/x-www-form-urlencoded"
        return RequestValidator(secret).validate(url, dict(parse_qsl(body)) if form else body, headers["x-twilio-signature"])
    both("twilio", twilio, groups("twilio"), "54321")
    both("twilio JSON", twilio, groups("twilio", "JSON"), "54321")

if needs("slack_sdk"):
    from slack_sdk.signature import Clock, SignatureVerifier
    group = groups("slack")

    class Then(Clock):
        def now(self):
            return group["now"]
    both("slack", lambda secret, headers, body, url: SignatureVerifier(secret, Then()).is_valid(
        body, headers["x-slack-request-timestamp"], headers["x-slack-signature"]), group, "other")

if needs("discord_interactions"):
    from discord_interactions import verify_key
    both("discord", lambda secret, headers, body, url: verify_key(
        body.encode(), headers["x-signature-ed25519"], headers["x-signature-timestamp"], secret), groups("discord"),
        "fc947730f49eb01427a66e050733294d9e520e545c7a27125a780634e0860a27")

if needs("square"):
    from square.utils.webhooks_helper import verify_signature
    both("square", lambda secret, headers, body, url: verify_signature(
        request_body=body, signature_header=headers["x-square-hmacsha256-signature"], signature_key=secret,
        notification_url=url), groups("square"), "other")

for module in skipped:
    print(f"skipped: {module} is not installed")
print(f"{checked} checks, {len(failed)} failed")
for name in failed:
    print(f"failed: {name}")
sys.exit(1 if failed else 0)
