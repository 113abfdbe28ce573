"""Signs and verifies with the providers' own Python libraries: one task a line on stdin, one answer a line on stdout."""

import datetime
import json
import sys

import standardwebhooks
import stripe


def answer(task):
    body, secret = task["body"], task["secret"]
    if task["do"] == "sign-standard":
        moment = datetime.datetime.fromtimestamp(task["timestamp"], tz=datetime.timezone.utc)
        return {"signature": standardwebhooks.Webhook(secret).sign(task["id"], moment, body)}
    if task["do"] == "sign-stripe":
        stamp = task["timestamp"]
        return {"signature": f"t={stamp},v1={stripe.WebhookSignature._compute_signature(f'{stamp}.{body}', secret)}"}
    if task["do"] == "verify-standard":
        try:
            standardwebhooks.Webhook(secret).verify(body, task["headers"])
        except standardwebhooks.WebhookVerificationError as error:
            return {"verified": False, "reason": str(error)}
        return {"verified": True}
    raise SystemExit(f"what is {task['do']}?")


for task in [json.loads(line) for line in sys.stdin]:
    print(json.dumps(answer(task)))
