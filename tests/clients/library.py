"""Signs and verifies with the providers' own Python libraries: one task a line on stdin, one answer a line on stdout.

`{"do": "sign", "library", "secret", "url", "body", "id", "timestamp"}` is answered with the header fields that the
provider would send (Adyen's with the body, in which its signature stands), `{"do": "verify", "library", "secret", "url",
"body", "headers"}` with `{"verified"}`.
"""

import contextlib
import datetime
import json
import sys
from urllib.parse import parse_qs

import Adyen.util
import discord_interactions
import slack_sdk.signature
import standardwebhooks
import stripe
from square.utils.webhooks_helper import verify_signature
from twilio.request_validator import RequestValidator


class Standard:
    def sign(task):
        moment = datetime.datetime.fromtimestamp(task["timestamp"], tz=datetime.timezone.utc)
        signature = standardwebhooks.Webhook(task["secret"]).sign(task["id"], moment, task["body"])
        return {"headers": {"webhook-id": task["id"], "webhook-timestamp": str(task["timestamp"]), "webhook-signature": signature}}

    def verify(task):
        standardwebhooks.Webhook(task["secret"]).verify(task["body"], task["headers"])
        return True


class Stripe:
    def sign(task):
        stamp = task["timestamp"]
        signature = stripe.WebhookSignature._compute_signature(f"{stamp}.{task['body']}", task["secret"])
        return {"headers": {"stripe-signature": f"t={stamp},v1={signature}"}}

    def verify(task):
        return stripe.WebhookSignature.verify_header(task["body"], task["headers"]["stripe-signature"], task["secret"], 300)


class Slack:
    def sign(task):
        stamp = str(task["timestamp"])
        signature = slack_sdk.signature.SignatureVerifier(task["secret"]).generate_signature(timestamp=stamp, body=task["body"])
        return {"headers": {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}}

    def verify(task):
        return slack_sdk.signature.SignatureVerifier(task["secret"]).is_valid_request(task["body"], task["headers"])


class Form(dict):
    """The way in which the library asks for fields that occur more than once."""

    def getlist(self, name):
        return self[name]


def form(body):
    return Form(parse_qs(body, keep_blank_values=True))


class Twilio:
    def sign(task):
        signature = RequestValidator(task["secret"]).compute_signature(task["url"], form(task["body"]))
        return {"headers": {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}}

    def verify(task):
        return RequestValidator(task["secret"]).validate(task["url"], form(task["body"]), task["headers"]["x-twilio-signature"])


class AdyenItems:
    def sign(task):
        body = json.loads(task["body"])
        for item in body["notificationItems"]:
            item = item["NotificationRequestItem"]
            signature = Adyen.util.generate_notification_sig(item, task["secret"])
            item.setdefault("additionalData", {})["hmacSignature"] = signature.decode()
        return {"headers": {}, "body": json.dumps(body)}

    def verify(task):
        items = json.loads(task["body"])["notificationItems"]
        return all(Adyen.util.is_valid_hmac_notification(item["NotificationRequestItem"], task["secret"]) for item in items)


class Square:
    def verify(task):
        return verify_signature(
            request_body=task["body"],
            signature_header=task["headers"]["x-square-hmacsha256-signature"],
            signature_key=task["secret"],
            notification_url=task["url"],
        )


class Discord:
    def verify(task):
        headers = task["headers"]
        # It prints what it refuses.
        with contextlib.redirect_stdout(sys.stderr):
            return discord_interactions.verify_key(
                task["body"].encode(), headers["x-signature-ed25519"], headers["x-signature-timestamp"], task["secret"])


LIBRARIES = {
    "standardwebhooks": Standard,
    "stripe": Stripe,
    "slack_sdk": Slack,
    "twilio": Twilio,
    "Adyen": AdyenItems,
    "square": Square,
    "discord": Discord,
}


def answer(task):
    library = LIBRARIES[task["library"]]
    if task["do"] == "sign":
        return library.sign(task)
    try:
        return {"verified": library.verify(task) is True}
    except Exception as error:
        return {"verified": False, "reason": repr(error)}


for task in [json.loads(line) for line in sys.stdin]:
    print(json.dumps(answer(task)))
