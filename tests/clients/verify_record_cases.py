"""Records the verification cases in `tests/fixtures/verify/`, one JSON file per scheme.

Signatures are computed here from the providers' documentation with Python's own `hmac` and the `cryptography` package,
so that the cases know nothing of the project's code. Where a provider's own library can verify, it must accept the
valid request before it is recorded: `verify_sdks.py`, `verify_sdks.mjs`.

    python tests/clients/verify_record_cases.py tests/fixtures/verify
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import sys
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

NOW = 1700000000
URL = "https://hooks.example.com/in/source"


def digest(algorithm, key, *parts):
    key = key.encode() if isinstance(key, str) else key
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return hmac.new(key, data, algorithm).digest()


def hexa(value):
    return value.hex()


def b64(value):
    return base64.b64encode(value).decode()


def iso(seconds, suffix="Z"):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + suffix


class Scheme:
    """What one provider sends. `request(secret, now)` makes a signed request."""

    def __init__(self, name, secret, wrong, make, *, needed, event=None, window=None, body_signed=True,
                 parameters=None, public_url=None, variants=None, group="", extra=(), signature=None,
                 fetched=None, tamper=None, answer=None, replay=None):
        self.__dict__.update(locals())
        del self.__dict__["self"]

    def config(self, *secrets):
        config = {"scheme": self.name, "secrets": [{"value": secret} for secret in secrets]}
        for key in ("parameters", "public_url", "variants"):
            if getattr(self, key):
                config[key] = getattr(self, key)
        return config

    def record(self):
        base = self.make(self.secret, NOW)
        verified = {"outcome": "verified", "secret": 0, **(self.event or {})}
        if self.answer is not None:
            verified["answer"] = self.answer
        if self.replay is not None:
            verified["replay"] = self.replay
        cases = []

        def case(name, expect, **changes):
            if isinstance(expect, str):
                expect = {"outcome": expect}
            cases.append({"name": name, **changes, "expect": expect})

        case("valid", verified)
        case("second key of two", {**verified, "secret": 1}, config=self.config(self.wrong, self.secret))
        case("wrong key", "rejected", config=self.config(self.wrong))
        tampered = (self.tamper or (lambda body: body + " "))(base["body"])
        case("tampered body", "rejected" if self.body_signed else "verified", body=tampered)
        for name in self.needed:
            value = base["headers"].get(name)
            if value is None:
                continue
            case(f"missing header {name}", "rejected", headers={name: None})
            case(f"empty header {name}", "rejected", headers={name: ""})
            for garbage in ("garbage", "=;,v1=,,t=", "\u00ff\u00fe" * 8, "A" * 300):
                case(f"garbage in header {name}", "rejected", headers={name: garbage})
            case(f"header {name} twice", "rejected", repeat=[[name, value]])
        if self.signature:
            name, change = self.signature if isinstance(self.signature, tuple) else (self.signature, flip)
            if name in base["headers"]:
                case("tampered signature", "rejected", headers={name: change(base["headers"][name])})
                case("truncated signature", "rejected", headers={name: base["headers"][name][:-4]})
        if self.window:
            past, future = self.window
            case("at the edge of the window", verified, now=NOW + past)
            case("stale", {"outcome": "rejected", "reason": "old"}, now=NOW + past + 1)
            if future is not None:
                case("as early as the window lets", verified, now=NOW - future)
                case("from the future", {"outcome": "rejected", "reason": "in the future"}, now=NOW - future - 1)
            else:
                case("a timestamp far ahead", verified, now=NOW - 100000)
            case("stale but in a wider window", verified, now=NOW + past + 100,
                 config={**self.config(self.secret), "past_seconds": past + 100})
        else:
            case("ten years later", "verified", now=NOW + 315360000) if not self.fetched else None
        for name, expect, changes in self.extra:
            case(name, expect, **changes)
        group = {"config": self.config(self.secret), "now": NOW, "request": base, "cases": [c for c in cases if c]}
        if self.fetched:
            group["fetched"] = self.fetched
        return group


def flip(text):
    """Another signature of the same form."""
    at = len(text) // 2
    while not text[at].isalnum():
        at += 1
    other = "0" if text[at] != "0" else "1"
    return text[:at] + other + text[at + 1:]


def post(headers, body, url=URL, method="POST", content_type="application/json"):
    headers = {"content-type": content_type, **headers}
    return {"method": method, "url": url, "headers": headers, "body": body}


def plain(name, header, algorithm, encode, prefix="", secret="a-long-random-secret", body='{"id":"e-1","type":"thing.done"}',
          more=None, **options):
    """A provider that signs the body alone and puts the signature into one header."""
    def make(key, now):
        return post({header: prefix + encode(digest(algorithm, key, body)), **(more or {})}, body)
    return Scheme(name, secret, "another-" + secret, make, needed=[header], signature=header, **options)


def timed(name, header, stamp, signed, *, encode=hexa, prefix="", write=str, body='{"id":"e-1","type":"thing.done"}',
          more=None, secret="a-long-random-secret", algorithm="sha256", **options):
    """A provider that signs a timestamp from a header of its own."""
    def make(key, now):
        ts = write(now)
        return post({header: prefix + encode(digest(algorithm, key, *signed(ts, body))), stamp: ts, **(more or {})}, body)
    return Scheme(name, secret, "another-" + secret, make, needed=[header, stamp], signature=header, **options)


def listed(name, header, *, separator, stamp, version, signed, unit=1, secret="a-long-random-secret",
           body='{"id":"e-1","type":"thing.done"}', **options):
    """A provider that puts timestamp and signatures into one list."""
    def make(key, now):
        ts = str(now * unit)
        return post({header: f"{stamp}{ts}{separator}{version}{hexa(digest('sha256', key, *signed(ts, body)))}"}, body)

    def two(now=NOW):
        ts = str(now * unit)
        good = hexa(digest("sha256", secret, *signed(ts, body)))
        return f"{stamp}{ts}{separator}{version}{'0' * 64}{separator}{version}{good}"
    extra = [("one of two signatures", "verified", {"headers": {header: two()}}),
             ("many signatures", "rejected", {"headers": {header: f"{stamp}{NOW * unit}" + f"{separator}{version}{'0' * 64}" * 20}})]
    return Scheme(name, secret, "another-" + secret, make, needed=[header], signature=header,
                  extra=extra + list(options.pop("extra", [])), **options)


def event(id=None, type=None, subject=None, time=None):
    return {"event": {"id": id, "type": type, "subject": subject, "time": time}}


def handshake(status=200, body="", content_type=None, headers=None):
    answer = {"status": status, "body": body}
    if content_type:
        answer["content_type"] = content_type
    if headers:
        answer["headers"] = headers
    return {"outcome": "answered", "answer": answer}


def token(name, header, prefix="", secret="a-long-random-token", body='{"id":"e-1","type":"thing.done"}', encode=lambda s: s, **options):
    def make(key, now):
        return post({header: prefix + encode(key)}, body)
    return Scheme(name, secret, secret[:-1] + "X", make, needed=[header], signature=header, body_signed=False, **options)


SCHEMES = []


def add(*schemes):
    SCHEMES.extend(schemes)


# Standard Webhooks and those who use it.
KEY = bytes(range(24))
WHSEC = "whsec_" + b64(KEY)
OTHER = "whsec_" + b64(bytes(range(1, 25)))
SEED = bytes(range(32))


def standard(name, group="", prefix="webhook", secret=WHSEC, **options):
    body = '{"type":"contact.created","timestamp":"2023-11-14T22:13:20Z","data":{"id":"1f81eb52"}}'

    def make(key, now):
        raw = base64.b64decode(key.removeprefix("whsec_"))
        return post({f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(now),
                     f"{prefix}-signature": "v1," + b64(digest("sha256", raw, f"msg_1.{now}.", body))}, body)
    good = make(secret, NOW)["headers"][f"{prefix}-signature"]
    extra = [
        ("any signature of the list", "verified", {"headers": {f"{prefix}-signature": f"v1,AAAA v2,{good[3:]} v1a,BBBB {good}"}}),
        ("a signature of an unknown version", "rejected", {"headers": {f"{prefix}-signature": "v2" + good[2:]}}),
        ("another id", "rejected", {"headers": {f"{prefix}-id": "msg_2"}}),
        ("another timestamp", "rejected", {"headers": {f"{prefix}-timestamp": str(NOW + 1)}}),
        ("too many signatures", "rejected", {"headers": {f"{prefix}-signature": " ".join([good] * 17)}}),
    ]
    return Scheme(name, secret, OTHER, make, group=group, window=(300, 300), extra=extra,
                  needed=[f"{prefix}-id", f"{prefix}-timestamp", f"{prefix}-signature"],
                  signature=f"{prefix}-signature", event=event("msg_1", "contact.created", None, NOW * 1000), **options)


add(standard("standard-webhooks"), standard("standard-webhooks", "svix", "svix"),
    standard("standard-webhooks", "bare", secret=b64(KEY)),
    standard("svix", prefix="svix"), standard("clerk", prefix="svix"), standard("resend", prefix="svix"),
    standard("openai"), standard("replicate"))


def asymmetric(group, secret):
    body = '{"type":"contact.created"}'
    private = ed25519.Ed25519PrivateKey.from_private_bytes(SEED)
    other = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))

    def make(_key, now):
        return post({"webhook-id": "msg_1", "webhook-timestamp": str(now),
                     "webhook-signature": "v1a," + b64(private.sign(f"msg_1.{now}.{body}".encode()))}, body)
    return Scheme("standard-webhooks", secret, "whpk_" + b64(other.public_key().public_bytes_raw()), make, group=group,
                  needed=["webhook-id", "webhook-timestamp", "webhook-signature"], signature="webhook-signature",
                  window=(300, 300), event=event("msg_1", "contact.created"))


PUBLIC = ed25519.Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
add(asymmetric("public key", "whpk_" + b64(PUBLIC)), asymmetric("private key of 32 bytes", "whsk_" + b64(SEED)),
    asymmetric("private key of 64 bytes", "whsk_" + b64(SEED + PUBLIC)))

# GitHub and those who sign the body alone.
github = '{"action":"opened","repository":{"full_name":"octo/hello"}}'
add(plain("github", "x-hub-signature-256", "sha256", hexa, "sha256=", body=github,
          more={"x-github-event": "issues", "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
          event=event("72d3162e-cc78-11e3-81ab-4c9367dc0958", "issues", "octo/hello"),
          extra=[("the older signature alone", "rejected", {"headers": {
                     "x-hub-signature-256": None,
                     "x-hub-signature": "sha1=" + hexa(digest("sha1", "a-long-random-secret", github))}}),
                 ("upper-case digits", "verified", {"headers": {
                     "x-hub-signature-256": "sha256=" + hexa(digest("sha256", "a-long-random-secret", github)).upper()}}),
                 ("without its prefix", "rejected", {"headers": {
                     "x-hub-signature-256": hexa(digest("sha256", "a-long-random-secret", github))}}),
                 ("a secret that is not yet valid", {"outcome": "rejected", "reason": "no secret is active"}, {"config": {
                     "scheme": "github", "secrets": [{"value": "a-long-random-secret", "not_before": NOW * 1000 + 1}]}}),
                 ("a secret that is no longer valid", {"outcome": "rejected", "reason": "no secret is active"}, {"config": {
                     "scheme": "github", "secrets": [{"value": "a-long-random-secret", "not_after": NOW * 1000}]}}),
                 ("a secret within its dates", {"outcome": "verified", "secret": 1}, {"config": {
                     "scheme": "github", "secrets": [
                         {"value": "a-long-random-secret", "not_after": NOW * 1000},
                         {"value": "a-long-random-secret", "label": "new", "not_before": NOW * 1000}]}}),
                 ]),
    plain("github", "x-hub-signature", "sha1", hexa, "sha1=", group="sha1", variants=["sha1"]),
    plain("bitbucket", "x-hub-signature", "sha256", hexa, "sha256=", body=github,
          more={"x-event-key": "repo:push", "x-request-uuid": "u-1"}, event=event("u-1", "repo:push", "octo/hello"),
          extra=[("the algorithm of another provider", "rejected", {"headers": {
              "x-hub-signature": "sha1=" + hexa(digest("sha1", "a-long-random-secret", github))}})]),
    plain("jira", "x-hub-signature", "sha256", hexa, "sha256=",
          body='{"timestamp":1700000000123,"webhookEvent":"jira:issue_created","issue":{"key":"AB-1"}}',
          more={"x-atlassian-webhook-identifier": "w-1"}, event=event("w-1", "jira:issue_created", "AB-1", 1700000000123)),
    plain("intercom", "x-hub-signature", "sha1", hexa, "sha1=",
          body='{"type":"notification_event","id":"notif_1","topic":"user.created","created_at":1700000000}',
          event=event("notif_1", "user.created", None, NOW * 1000)),
    plain("shopify", "x-shopify-hmac-sha256", "sha256", b64,
          more={"x-shopify-topic": "orders/create", "x-shopify-webhook-id": "w-1", "x-shopify-shop-domain": "a.myshopify.com",
                "x-shopify-triggered-at": "2023-11-14T22:13:20.123456789Z"},
          event=event("w-1", "orders/create", "a.myshopify.com", NOW * 1000 + 123)),
    plain("typeform", "typeform-signature", "sha256", b64, "sha256=",
          body='{"event_id":"E","event_type":"form_response","form_response":{"form_id":"F","submitted_at":"2023-11-14T22:13:20Z"}}',
          event=event("E", "form_response", "F", NOW * 1000)),
    plain("pagerduty", "x-pagerduty-signature", "sha256", hexa, "v1=",
          body='{"event":{"id":"01","event_type":"incident.triggered","occurred_at":"2023-11-14T22:13:20Z","data":{"id":"P1"}}}',
          event=event("01", "incident.triggered", "P1", NOW * 1000),
          extra=[("one of two signatures", "verified", {"headers": {"x-pagerduty-signature": "v1=" + "0" * 64 + ",v1=" + hexa(
              digest("sha256", "a-long-random-secret", '{"event":{"id":"01","event_type":"incident.triggered","occurred_at":"2023-11-14T22:13:20Z","data":{"id":"P1"}}}'))}})]),
    plain("circleci", "circleci-signature", "sha256", hexa, "v1=", body='{"id":"i","type":"job-completed","happened_at":"2023-11-14T22:13:20Z","project":{"slug":"gh/a/b"}}',
          event=event("i", "job-completed", "gh/a/b", NOW * 1000)),
    plain("docusign", "x-docusign-signature-1", "sha256", b64, body='{"event":"envelope-completed","data":{"envelopeId":"E"},"generatedDateTime":"2023-11-14T22:13:20Z"}',
          event=event(None, "envelope-completed", "E", NOW * 1000)),
    plain("docusign", "x-docusign-signature-3", "sha256", b64, group="third key", more={"x-docusign-signature-1": b64(bytes(32))}),
    plain("dropbox", "x-dropbox-signature", "sha256", hexa,
          extra=[("challenge", handshake(200, "abc123", "text/plain", {"x-content-type-options": "nosniff"}),
                  {"method": "GET", "url": URL + "?challenge=abc123", "body": "", "headers": {"x-dropbox-signature": None}}),
                 ("a challenge that is markup", "rejected",
                  {"method": "GET", "url": URL + "?challenge=%3Cb%3E", "body": "", "headers": {"x-dropbox-signature": None}})]),
    plain("asana", "x-hook-signature", "sha256", hexa, body='{"events":[]}',
          extra=[("handshake", handshake(200, "", None, {"x-hook-secret": "b537207f20cbfa02"}),
                  {"body": "{}", "headers": {"x-hook-secret": "b537207f20cbfa02", "x-hook-signature": None}}),
                 ("a handshake with a signature", "rejected",
                  {"body": "{}", "headers": {"x-hook-secret": "b537207f20cbfa02"}})]),
    plain("notion", "x-notion-signature", "sha256", hexa, "sha256=",
          body='{"id":"e-1","timestamp":"2023-11-14T22:13:20.000Z","type":"page.created","entity":{"id":"p-1"}}',
          event=event("e-1", "page.created", "p-1", NOW * 1000),
          extra=[("verification token", handshake(200, ""),
                  {"body": '{"verification_token":"secret_x"}', "headers": {"x-notion-signature": None}})]),
    plain("razorpay", "x-razorpay-signature", "sha256", hexa, body='{"event":"payment.captured","account_id":"acc_1","created_at":1700000000}',
          more={"x-razorpay-event-id": "ev-1"}, event=event("ev-1", "payment.captured", "acc_1", NOW * 1000)),
    plain("sentry", "sentry-hook-signature", "sha256", hexa, body='{"action":"created"}',
          more={"sentry-hook-resource": "issue", "request-id": "r-1", "sentry-hook-timestamp": "1700000000"},
          event=event("r-1", "issue.created", None, NOW * 1000)),
    plain("vercel", "x-vercel-signature", "sha1", hexa, body='{"id":"e-1","type":"deployment.created","createdAt":1700000000123}',
          event=event("e-1", "deployment.created", None, 1700000000123)),
    plain("woocommerce", "x-wc-webhook-signature", "sha256", b64, body='{"id":727}', more={"x-wc-webhook-topic": "order.updated"},
          event=event(None, "order.updated", "727"),
          extra=[("ping", handshake(200, ""), {"body": "webhook_id=12", "headers": {
              "content-type": "application/x-www-form-urlencoded", "x-wc-webhook-signature": None}})]),
    plain("paystack", "x-paystack-signature", "sha512", hexa, body='{"event":"charge.success","data":{"reference":"r-1"}}',
          event=event(None, "charge.success", "r-1")),
    plain("gitea", "x-gitea-signature", "sha256", hexa, body=github, more={"x-gitea-event": "push", "x-gitea-delivery": "d-1"},
          event=event("d-1", "push", "octo/hello")),
    plain("gitea", "x-forgejo-signature", "sha256", hexa, group="Forgejo", body=github,
          more={"x-forgejo-event": "push", "x-forgejo-delivery": "d-1"}, event=event("d-1", "push", "octo/hello")),
    plain("line", "x-line-signature", "sha256", b64, body='{"destination":"U1","events":[]}', event=event(None, None, "U1")),
    plain("lemonsqueezy", "x-signature", "sha256", hexa, body='{"data":{"id":"1"}}', more={"x-event-name": "order_created"},
          event=event(None, "order_created", "1")),
    plain("coinbase-commerce", "x-cc-webhook-signature", "sha256", hexa,
          body='{"event":{"id":"e-1","type":"charge:confirmed","created_at":"2023-11-14T22:13:20Z","data":{"code":"C"}}}',
          event=event("e-1", "charge:confirmed", "C", NOW * 1000)),
    plain("heroku", "heroku-webhook-hmac-sha256", "sha256", b64, body='{"resource":"build","action":"update","created_at":"2023-11-14T22:13:20Z"}',
          event=event(None, "build.update", None, NOW * 1000)),
    plain("launchdarkly", "x-ld-signature", "sha256", hexa, body='{"_id":"i-1","kind":"flag","name":"n","date":1700000000123}',
          event=event("i-1", "flag", "n", 1700000000123)),
    plain("snyk", "x-hub-signature", "sha256", hexa, "sha256=", more={"x-snyk-event": "ping/v0"}, event=event(None, "ping/v0")),
    plain("segment", "x-signature", "sha1", hexa, body='{"messageId":"m-1","type":"track","event":"Signed Up","timestamp":"2023-11-14T22:13:20Z"}',
          event=event("m-1", "Signed Up", None, NOW * 1000)),
    plain("xero", "x-xero-signature", "sha256", b64, body='{"events":[]}', answer={"status": 200, "body": ""}),
    plain("meta", "x-hub-signature-256", "sha256", hexa, "sha256=", body='{"object":"whatsapp_business_account","entry":[]}',
          parameters={"verify_token": "meatyhamhock"}, event=event(None, "whatsapp_business_account"),
          extra=[("subscription", handshake(200, "1158201444"),
                  {"method": "GET", "body": "", "headers": {"x-hub-signature-256": None},
                   "url": URL + "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock"}),
                 ("subscription with another token", "rejected",
                  {"method": "GET", "body": "", "headers": {"x-hub-signature-256": None},
                   "url": URL + "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=other"}),
                 ("subscription without a configured token", "rejected",
                  {"method": "GET", "body": "", "headers": {"x-hub-signature-256": None},
                   "config": {"scheme": "meta", "secrets": [{"value": "a-long-random-secret"}]},
                   "url": URL + "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="})]),
    plain("x", "x-twitter-webhooks-signature", "sha256", b64, "sha256=", body='{"for_user_id":"42","tweet_create_events":[]}',
          event=event(None, None, "42"),
          extra=[("challenge", handshake(200, json.dumps({"response_token": "sha256=" + b64(digest("sha256", "a-long-random-secret", "abc"))}, separators=(",", ":")), "application/json"),
                  {"method": "GET", "body": "", "url": URL + "?crc_token=abc", "headers": {"x-twitter-webhooks-signature": None}}),
                 ("a challenge that is an event", "rejected",
                  {"method": "GET", "body": "", "url": URL + "?crc_token=%7B%22a%22%3A1%7D", "headers": {"x-twitter-webhooks-signature": None}}),
                 ("a challenge's answer as a signature", "rejected",
                  {"body": "abc", "headers": {"x-twitter-webhooks-signature": "sha256=" + b64(digest("sha256", "a-long-random-secret", "abc"))}})]),
    Scheme("trello", "a-long-random-secret", "another-secret",
           lambda key, now: post({"x-trello-webhook": b64(digest("sha1", key, '{"action":{"id":"a-1","type":"updateCard","date":"2023-11-14T22:13:20.000Z"},"model":{"id":"m-1"}}', URL))},
                                 '{"action":{"id":"a-1","type":"updateCard","date":"2023-11-14T22:13:20.000Z"},"model":{"id":"m-1"}}'),
           needed=["x-trello-webhook"], signature="x-trello-webhook", event=event("a-1", "updateCard", "m-1", NOW * 1000),
           extra=[("creation", handshake(200, ""), {"method": "HEAD", "body": "", "headers": {"x-trello-webhook": None}}),
                  ("another URL", "rejected", {"url": "https://hooks.example.com/in/other"}),
                  ("another URL, but the public one is configured", "verified",
                   {"url": "http://10.0.0.1:8080/in/trello", "config": {"scheme": "trello", "secrets": [{"value": "a-long-random-secret"}], "public_url": URL}})]))

# A timestamp in a header of its own.
slack = '{"type":"event_callback","event_id":"Ev1","event_time":1700000000,"event":{"type":"app_mention"}}'
challenge = '{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}'


def slack_signature(now, body, key="a-long-random-secret"):
    return "v0=" + hexa(digest("sha256", key, f"v0:{now}:", body))


zoom = '{"event":"meeting.started","event_ts":1700000000123,"payload":{"object":{"uuid":"u-1"}}}'
validation = '{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1700000000123}'
twitch = '{"subscription":{"id":"s-1","type":"channel.follow"},"event":{}}'
twitch_challenge = '{"challenge":"pogchamp-kappa-360noscope-vohiyo","subscription":{"id":"s-1"}}'
add(timed("slack", "x-slack-signature", "x-slack-request-timestamp", lambda ts, body: ("v0:", ts, ":", body), prefix="v0=", body=slack,
          window=(300, 300), event=event("Ev1", "app_mention", None, NOW * 1000),
          extra=[("url verification", handshake(200, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"),
                  {"body": challenge, "headers": {"x-slack-signature": slack_signature(NOW, challenge)}}),
                 ("unsigned url verification", "rejected", {"body": challenge}),
                 ("a slash command", {"outcome": "verified", "event": {"id": None, "type": "/weather", "subject": None, "time": None}},
                  {"body": "command=%2Fweather&text=94070", "headers": {
                      "content-type": "application/x-www-form-urlencoded",
                      "x-slack-signature": slack_signature(NOW, "command=%2Fweather&text=94070")}})]),
    timed("zoom", "x-zm-signature", "x-zm-request-timestamp", lambda ts, body: ("v0:", ts, ":", body), prefix="v0=", body=zoom,
          window=(300, 300), event=event(None, "meeting.started", "u-1", 1700000000123),
          extra=[("url validation", handshake(200, json.dumps({
                      "encryptedToken": hexa(digest("sha256", "a-long-random-secret", "qgg8vlvZRS6UYooatFL8Aw")),
                      "plainToken": "qgg8vlvZRS6UYooatFL8Aw"}, separators=(",", ":")), "application/json"),
                  {"body": validation, "headers": {"x-zm-signature": slack_signature(NOW, validation)}}),
                 ("unsigned url validation", "rejected", {"body": validation})]),
    timed("customerio", "x-cio-signature", "x-cio-timestamp", lambda ts, body: ("v0:", ts, ":", body), window=(300, 300),
          body='{"event_id":"e-1","object_type":"email","metric":"opened","timestamp":1700000000}',
          event=event("e-1", "email.opened", None, NOW * 1000)),
    timed("webflow", "x-webflow-signature", "x-webflow-timestamp", lambda ts, body: (ts, ":", body), write=lambda now: str(now * 1000),
          body='{"triggerType":"form_submission"}', window=(300, 300), event=event(None, "form_submission")),
    timed("zendesk", "x-zendesk-webhook-signature", "x-zendesk-webhook-signature-timestamp", lambda ts, body: (ts, body), encode=b64,
          write=iso, body='{"type":"zen:event-type:ticket.created","subject":"zen:ticket:1","time":"2023-11-14T22:13:20Z"}',
          more={"x-zendesk-webhook-invocation-id": "i-1"}, window=(300, 300),
          event=event("i-1", "zen:event-type:ticket.created", "zen:ticket:1", NOW * 1000)),
    timed("box", "box-signature-primary", "box-delivery-timestamp", lambda ts, body: (body, ts), encode=b64,
          write=lambda now: iso(now - 8 * 3600, "-08:00"), more={"box-signature-version": "1", "box-signature-algorithm": "HmacSHA256"},
          body='{"id":"e-1","trigger":"FILE.UPLOADED","source":{"id":"f-1"},"created_at":"2023-11-14T14:13:20-08:00"}',
          window=(600, 600), event=event("e-1", "FILE.UPLOADED", "f-1", NOW * 1000),
          extra=[("another version", "rejected", {"headers": {"box-signature-version": "2"}})]),
    timed("box", "box-signature-secondary", "box-delivery-timestamp", lambda ts, body: (body, ts), encode=b64, group="secondary key",
          write=lambda now: iso(now - 8 * 3600, "-08:00"), window=(600, 600),
          more={"box-signature-version": "1", "box-signature-algorithm": "HmacSHA256", "box-signature-primary": b64(bytes(32))}),
    timed("twitch", "twitch-eventsub-message-signature", "twitch-eventsub-message-timestamp", lambda ts, body: ("m-1", ts, body),
          prefix="sha256=", write=lambda now: iso(now, ".123456789Z"), body=twitch,
          more={"twitch-eventsub-message-id": "m-1", "twitch-eventsub-message-type": "notification",
                "twitch-eventsub-subscription-type": "channel.follow"},
          window=(600, 599), event=event("m-1", "channel.follow", "s-1", NOW * 1000 + 123),
          extra=[("challenge", handshake(200, "pogchamp-kappa-360noscope-vohiyo"), {
                     "body": twitch_challenge, "headers": {
                         "twitch-eventsub-message-type": "webhook_callback_verification",
                         "twitch-eventsub-message-signature": "sha256=" + hexa(digest("sha256", "a-long-random-secret", "m-1", iso(NOW, ".123456789Z"), twitch_challenge))}}),
                 ("another id", "rejected", {"headers": {"twitch-eventsub-message-id": "m-2"}}),
                 ("missing id", "rejected", {"headers": {"twitch-eventsub-message-id": None}})]),
    timed("hubspot", "x-hubspot-signature-v3", "x-hubspot-request-timestamp", lambda ts, body: ("POST", URL, body, ts), encode=b64,
          write=lambda now: str(now * 1000), body='[{"subscriptionType":"contact.creation","occurredAt":1700000000123}]',
          window=(300, None), event=event(None, "contact.creation", None, 1700000000123),
          extra=[("escapes that are undone before signing", "verified", {
                     "url": URL + "?a=%3Ab%2Fc%20d%7E", "headers": {"x-hubspot-signature-v3": b64(digest(
                         "sha256", "a-long-random-secret", "POST", URL + "?a=:b/c%20d%7E",
                         '[{"subscriptionType":"contact.creation","occurredAt":1700000000123}]', str(NOW * 1000)))}}),
                 ("escapes that are not undone before signing", "verified", {
                     "url": URL + "?a=%3Ab", "headers": {"x-hubspot-signature-v3": b64(digest(
                         "sha256", "a-long-random-secret", "POST", URL + "?a=%3Ab",
                         '[{"subscriptionType":"contact.creation","occurredAt":1700000000123}]', str(NOW * 1000)))}}),
                 ("another URL", "rejected", {"url": URL + "x"}),
                 ("stale, with an older signature beside it", {"outcome": "rejected", "reason": "old"}, {
                     "now": NOW + 301, "headers": {
                         "x-hubspot-signature-version": "v1",
                         "x-hubspot-signature": hashlib.sha256(b'a-long-random-secret[{"subscriptionType":"contact.creation","occurredAt":1700000000123}]').hexdigest()}})]),
    timed("contentful", "x-contentful-signature", "x-contentful-timestamp",
          lambda ts, body: ("POST\n/in/source?a%253Db\n", f"x-contentful-signed-headers:x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic;x-contentful-timestamp:{ts};x-contentful-topic:ContentManagement.Entry.publish\n", body),
          write=lambda now: str(now * 1000), window=(300, 300), body='{"sys":{"id":"e-1","updatedAt":"2023-11-14T22:13:20.000Z"}}',
          more={"x-contentful-signed-headers": "x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic",
                "x-contentful-topic": "ContentManagement.Entry.publish"},
          event=event(None, "ContentManagement.Entry.publish", "e-1", NOW * 1000),
          extra=[("another topic", "rejected", {"headers": {"x-contentful-topic": "other"}}),
                 ("a signed header is missing", "rejected", {"headers": {"x-contentful-topic": None}}),
                 ("one header listed over and over", "rejected", {"headers": {"x-contentful-signed-headers": ",".join(["x-contentful-topic"] * 100)}})]))
contentful = SCHEMES[-1]
contentful_make = contentful.make
contentful.make = lambda key, now: {**contentful_make(key, now), "url": URL + "?a=b"}

hub = '{"example_field":"example_value"}'
HUB_SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
for version, text in (("v2", lambda key: f"{key}POSThttps://www.example.com/webhook_uri{hub}"), ("v1", lambda key: f"{key}{hub}")):
    def make(key, now, version=version, text=text):
        return post({"x-hubspot-signature": hashlib.sha256(text(key).encode()).hexdigest(), "x-hubspot-signature-version": version},
                    hub, "https://www.example.com/webhook_uri")
    add(Scheme("hubspot", HUB_SECRET, "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz", make, group=version, needed=["x-hubspot-signature", "x-hubspot-signature-version"],
               signature="x-hubspot-signature",
               extra=[("refused where only v3 is accepted", "rejected",
                       {"config": {"scheme": "hubspot", "secrets": [{"value": HUB_SECRET}], "variants": ["v3"]}})]))
# The provider's documentation gives this hash.
assert make("x", 0) and hashlib.sha256(f"{HUB_SECRET}POSThttps://www.example.com/webhook_uri{hub}".encode()).hexdigest() \
    == "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"

# Timestamp and signatures in one list.
dot = lambda ts, body: (ts, ".", body)
add(listed("stripe", "stripe-signature", separator=",", stamp="t=", version="v1=", signed=dot, window=(300, None), secret="whsec_test_secret",
           body='{"id":"evt_1","type":"charge.succeeded","created":1700000000,"data":{"object":{"id":"ch_1"}}}',
           event=event("evt_1", "charge.succeeded", "ch_1", NOW * 1000),
           extra=[("the older version alone", "rejected", {"headers": {"stripe-signature": f"t={NOW},v0=" + hexa(digest(
                      "sha256", "whsec_test_secret", f"{NOW}.", '{"id":"evt_1","type":"charge.succeeded","created":1700000000,"data":{"object":{"id":"ch_1"}}}'))}}),
                  ("two timestamps", "rejected", {"headers": {"stripe-signature": f"t={NOW},t={NOW},v1=" + hexa(digest(
                      "sha256", "whsec_test_secret", f"{NOW}.", '{"id":"evt_1","type":"charge.succeeded","created":1700000000,"data":{"object":{"id":"ch_1"}}}'))}})]),
    listed("paddle", "paddle-signature", separator=";", stamp="ts=", version="h1=", signed=lambda ts, body: (ts, ":", body), window=(300, 300),
           body='{"event_id":"evt_1","event_type":"transaction.completed","occurred_at":"2023-11-14T22:13:20.000000Z","data":{"id":"txn_1"}}',
           event=event("evt_1", "transaction.completed", "txn_1", NOW * 1000)),
    listed("calendly", "calendly-webhook-signature", separator=",", stamp="t=", version="v1=", signed=dot, window=(180, 180),
           body='{"event":"invitee.created","created_at":"2023-11-14T22:13:20.000000Z","payload":{"uri":"https://api.calendly.com/x"}}',
           event=event(None, "invitee.created", "https://api.calendly.com/x", NOW * 1000)),
    listed("cloudflare-stream", "webhook-signature", separator=",", stamp="time=", version="sig1=", signed=dot, window=(300, 300),
           body='{"uid":"u-1","status":{"state":"ready"},"modified":"2023-11-14T22:13:20.123456Z"}',
           event=event(None, "ready", "u-1", NOW * 1000 + 123)),
    listed("buildkite", "x-buildkite-signature", separator=",", stamp="timestamp=", version="signature=", signed=dot, window=(300, 300),
           body='{"event":"build.finished","pipeline":{"slug":"p"}}', event=event(None, "build.finished", "p")),
    listed("workos", "workos-signature", separator=", ", stamp="t=", version="v1=", signed=dot, unit=1000, window=(180, 180),
           body='{"id":"event_1","event":"dsync.user.created","created_at":"2023-11-14T22:13:20.000Z","data":{"id":"u-1"}}',
           event=event("event_1", "dsync.user.created", "u-1", NOW * 1000)),
    listed("mux", "mux-signature", separator=",", stamp="t=", version="v1=", signed=dot, window=(300, 300),
           body='{"id":"e-1","type":"video.asset.ready","created_at":"2023-11-14T22:13:20.000000Z","object":{"id":"a-1"}}',
           event=event("e-1", "video.asset.ready", "a-1", NOW * 1000)),
    listed("recurly", "recurly-signature", separator=",", stamp="", version="", signed=dot, unit=1000, window=(300, 300),
           body='{"object_type":"account","event_type":"created","event_time":"2023-11-14T22:13:20Z"}',
           event=event(None, "account.created", None, NOW * 1000)))

# Tokens.
add(token("gitlab", "x-gitlab-token", body='{"object_kind":"push","project":{"path_with_namespace":"a/b"}}',
          event=event(None, "push", "a/b")),
    token("telegram", "x-telegram-bot-api-secret-token", body='{"update_id":10000}', event=event("10000")),
    token("cloudflare", "cf-webhook-auth", body='{"alert_type":"dos_attack_l7","policy_id":"p-1","ts":1700000000}',
          event=event(None, "dos_attack_l7", "p-1", NOW * 1000)),
    token("flutterwave", "verif-hash", body='{"event":"charge.completed","data":{"tx_ref":"t-1"}}', event=event(None, "charge.completed", "t-1")),
    token("bearer", "authorization", "Bearer ", event=event("e-1", "thing.done")),
    token("basic", "authorization", "Basic ", secret="aladdin:opensesame", encode=lambda s: b64(s.encode()), event=event("e-1", "thing.done")),
    token("api-key", "x-api-key", event=event("e-1", "thing.done")),
    token("api-key", "x-token", group="another header", parameters={"header": "X-Token"}),
    token("mtls-header", "x-client-fingerprint", secret="3a7bd3e2360a3d29eea436fcfb7e44c735d117c4", parameters={"header": "x-client-fingerprint"},
          event=event("e-1", "thing.done")))
gitlab = standard("gitlab", "signing token")
gitlab.event = event("msg_1", "Push Hook")
gitlab_make = gitlab.make


def gitlab_signed(key, now):
    request = gitlab_make(key, now)
    request["headers"]["x-gitlab-event"] = "Push Hook"
    return request


gitlab.make = gitlab_signed
add(gitlab)


def figma(key, now):
    return post({}, json.dumps({"event_type": "FILE_UPDATE", "passcode": key, "timestamp": iso(now), "file_key": "k-1"}))


add(Scheme("figma", "a-long-random-passcode", "another-passcode", figma, needed=[], event=event(None, "FILE_UPDATE", "k-1", NOW * 1000),
           tamper=lambda body: body.replace("a-long", "b-long"),
           extra=[("no passcode", "rejected", {"body": '{"event_type":"FILE_UPDATE"}'}),
                  ("a passcode that is no text", "rejected", {"body": '{"passcode":null}'}),
                  ("two passcodes", "rejected", {"body": '{"passcode":"x","passcode":"a-long-random-passcode"}'}),
                  ("a body that is not JSON", "rejected", {"body": "a-long-random-passcode"})]))


def none(_key, now):
    return post({}, '{"id":7,"type":"thing.done"}')


NONE = {"config": {"scheme": "none"}, "now": NOW, "request": none("", NOW), "cases": [
    {"name": "valid", "expect": {"outcome": "verified", **event("7", "thing.done")}},
    {"name": "CloudEvents headers", "headers": {"ce-id": "c-1", "ce-type": "t", "ce-subject": "s", "ce-time": "2023-11-14T22:13:20Z"},
     "expect": {"outcome": "verified", **event("c-1", "t", "s", NOW * 1000)}},
    {"name": "a body that is not JSON", "body": "hello", "expect": {"outcome": "verified", **event()}},
    {"name": "an id that JSON cannot carry exactly", "body": '{"id":123456789012345678901234567890}', "expect": {"outcome": "verified", **event()}},
    {"name": "a nested bomb", "body": '{"id":"x","a":' + "[" * 3000, "expect": {"outcome": "verified", **event()}},
]}

# Where the signature covers more than the body, or stands in it.
FORM = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
TWILIO = "https://mycompany.com/myapp.php?foo=1&bar=2"


def twilio_text(url, pairs):
    return url + "".join(name + value for name, value in sorted(set(pairs)))


def twilio_form(key, now):
    from urllib.parse import parse_qsl
    text = twilio_text(TWILIO, parse_qsl(FORM))
    return post({"x-twilio-signature": b64(digest("sha1", key, text))}, FORM, TWILIO, content_type="application/x-www-form-urlencoded")


SETTINGS = {"x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}


def twilio_form_sha256(key, now):
    from urllib.parse import parse_qsl
    text = twilio_text(TWILIO, parse_qsl(FORM))
    return post({**SETTINGS, "x-twilio-signature": b64(digest("sha256", key, text))}, FORM, TWILIO,
                content_type="application/x-www-form-urlencoded")


def twilio_json_sha256(key, now):
    made = twilio_json(key, now)
    made["headers"].update({**SETTINGS, "x-twilio-signature": b64(digest("sha256", key, made["url"]))})
    return made


def twilio_signed(url, pairs=()):
    return {"x-twilio-signature": b64(digest("sha1", "12345", twilio_text(url, pairs)))}


def twilio_json(key, now):
    body = '{"hello":"world"}'
    url = "https://mycompany.com/in?bodySHA256=" + hashlib.sha256(body.encode()).hexdigest()
    return post({"x-twilio-signature": b64(digest("sha1", key, url))}, body, url)


add(Scheme("twilio", "12345", "54321", twilio_form, needed=["x-twilio-signature"], signature="x-twilio-signature",
           tamper=lambda body: body.replace("1234&", "1235&"),
           extra=[("signed with the default port", "verified", {"headers": twilio_signed(
                      TWILIO.replace(".com", ".com:443"), [("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("From", "+14158675309"),
                                                          ("To", "+18005551212"), ("Caller", "+14158675309")])}),
                  ("signed without the port of the URL", "verified", {"url": TWILIO.replace(".com", ".com:443")}),
                  ("another port", "rejected", {"url": TWILIO.replace(".com", ".com:8443").replace("https", "http")}),
                  ("a name twice", "verified", {"body": "a=2&a=1&a=2", "headers": twilio_signed(TWILIO, [("a", "1"), ("a", "2")])}),
                  ("no parameters", "verified", {"body": "", "headers": twilio_signed(TWILIO)}),
                  ("a body that is not covered", "rejected", {"body": '{"a":1}', "headers": {**twilio_signed(TWILIO), "content-type": "application/json"}}),
                  ("a voice call", {"outcome": "verified", "answer": {"status": 200, "body": "<Response/>", "content_type": "text/xml"},
                                    "event": {"id": None, "type": None, "subject": "CA1", "time": None}},
                   {"body": "AccountSid=AC1&CallSid=CA1", "headers": twilio_signed(TWILIO, [("AccountSid", "AC1"), ("CallSid", "CA1")])}),
                  ("behind a proxy", "verified", {"url": "http://10.0.0.1/in/twilio?foo=1&bar=2", "config": {
                      "scheme": "twilio", "secrets": [{"value": "12345"}], "public_url": "https://mycompany.com/myapp.php"}}),
                  ("behind a proxy that is not configured", "rejected", {"url": "http://10.0.0.1/in/twilio?foo=1&bar=2"})]),
    Scheme("twilio", "12345", "54321", twilio_json, group="JSON", needed=["x-twilio-signature"], signature="x-twilio-signature",
           extra=[("without the body's hash", "rejected", {"url": "https://mycompany.com/in"})]),
    Scheme("twilio", "12345", "54321", twilio_form_sha256, group="SHA-256", needed=["x-twilio-signature"], signature="x-twilio-signature",
           tamper=lambda body: body.replace("1234&", "1235&"),
           extra=[("without its settings", "rejected", {"headers": {"x-twilio-webhooks-signature-settings": None}}),
                  ("SHA-1 with settings", "verified", {"headers": twilio_form("12345", NOW)["headers"]})]),
    Scheme("twilio", "12345", "54321", twilio_json_sha256, group="JSON, SHA-256", needed=["x-twilio-signature"], signature="x-twilio-signature",
           extra=[("without the body's hash", "rejected", {"url": "https://mycompany.com/in"})]))
# Twilio publishes this example.
assert twilio_form("12345", NOW)["headers"]["x-twilio-signature"] == "RSOYDt4T1cUTdK1PDd93/VVr8B8="

def mandrill(key, now):
    text = URL + "mandrill_events" + '[{"event":"send"}]'
    return post({"x-mandrill-signature": b64(digest("sha1", key, text))}, "mandrill_events=%5B%7B%22event%22%3A%22send%22%7D%5D",
                content_type="application/x-www-form-urlencoded")


add(Scheme("mandrill", "a-long-random-secret", "another-secret", mandrill, needed=["x-mandrill-signature"], signature="x-mandrill-signature",
           tamper=lambda body: body.replace("send", "open"),
           extra=[("creation", handshake(200, ""), {"method": "HEAD", "body": "", "headers": {"x-mandrill-signature": None}}),
                  ("another URL", "rejected", {"url": URL + "x"})]))

square = '{"merchant_id":"M","type":"payment.created","event_id":"e-1","created_at":"2023-11-14T22:13:20.037339943Z","data":{"id":"d-1"}}'
add(Scheme("square", "a-long-random-secret", "another-secret",
           lambda key, now: post({"x-square-hmacsha256-signature": b64(digest("sha256", key, URL, square))}, square),
           needed=["x-square-hmacsha256-signature"], signature="x-square-hmacsha256-signature",
           event=event("e-1", "payment.created", "d-1", NOW * 1000 + 37),
           extra=[("another URL", "rejected", {"url": URL + "/x"}),
                  ("another URL, but the public one is configured", "verified", {"url": "http://10.0.0.1:8080/in/square", "config": {
                      "scheme": "square", "secrets": [{"value": "a-long-random-secret"}], "public_url": URL}})]))


def linear_body(now):
    return json.dumps({"action": "create", "type": "Issue", "data": {"id": "d-1"}, "createdAt": "2023-11-14T22:13:20.000Z",
                       "webhookTimestamp": now * 1000})


add(Scheme("linear", "a-long-random-secret", "another-secret",
           lambda key, now: post({"linear-signature": hexa(digest("sha256", key, linear_body(now))), "linear-delivery": "d-1",
                                  "linear-event": "Issue"}, linear_body(now)),
           needed=["linear-signature"], signature="linear-signature", window=(300, 300),
           event=event("d-1", "Issue.create", "d-1", NOW * 1000),
           extra=[("a fresh header does not freshen a stale body", "rejected",
                   {"now": NOW + 1000, "headers": {"linear-timestamp": str((NOW + 1000) * 1000)}}),
                  ("the header alone", "verified", {"body": "{}", "headers": {
                      "linear-timestamp": str(NOW * 1000), "linear-signature": hexa(digest("sha256", "a-long-random-secret", "{}"))}}),
                  ("no timestamp at all", "rejected", {"body": "{}", "headers": {
                      "linear-signature": hexa(digest("sha256", "a-long-random-secret", "{}"))}})]))


def mailgun(key, now, token="token1", **changes):
    signature = {"timestamp": str(now), "token": token, "signature": hexa(digest("sha256", key, str(now), token)), **changes}
    return post({}, json.dumps({"signature": signature, "event-data": {"event": "opened", "id": "e-1", "recipient": "a@example.com"}}))


def mailgun_body(**changes):
    return {"body": mailgun("a-long-random-secret", NOW, **changes)["body"]}


add(Scheme("mailgun", "a-long-random-secret", "another-secret", mailgun, needed=[], body_signed=False, window=(86400, 300),
           event=event("e-1", "opened", "a@example.com", NOW * 1000), replay=["mailgun:token1"],
           extra=[("another token", "rejected", {"body": mailgun("a-long-random-secret", NOW)["body"].replace("token1", "token2")}),
                  ("tampered signature", "rejected", mailgun_body(signature="0" * 64)),
                  ("garbage as signature", "rejected", mailgun_body(signature="garbage")),
                  ("a signature that is no text", "rejected", mailgun_body(signature=5)),
                  ("no signature", "rejected", {"body": '{"event-data":{}}'}),
                  ("a body that is not JSON", "rejected", {"body": "timestamp=1"}),
                  ("a timestamp that is none", "rejected", mailgun_body(timestamp="soon"))]))

ADYEN = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"


def adyen_item(key, psp="7914073381342284", tamper=None, **changes):
    item = {"pspReference": psp, "merchantAccountCode": "TestMerchant", "merchantReference": "TestPayment-1407325143704",
            "amount": {"value": 1130, "currency": "EUR"}, "eventCode": "AUTHORISATION", "success": "true",
            "eventDate": "2023-11-14T22:13:20+00:00", **changes}
    text = ":".join([item["pspReference"], item.get("originalReference", ""), item["merchantAccountCode"], item["merchantReference"],
                     str(item["amount"]["value"]), item["amount"]["currency"], item["eventCode"], item["success"]])
    item["additionalData"] = {"hmacSignature": b64(digest("sha256", bytes.fromhex(key), text))}
    if tamper:
        item.update(tamper)
    return {"NotificationRequestItem": item}


def adyen(*items):
    return json.dumps({"live": "false", "notificationItems": list(items)})


add(Scheme("adyen", ADYEN, "00" * 32, lambda key, now: post({}, adyen(adyen_item(key))), needed=[],
           tamper=lambda body: body.replace("1130", "1131"), answer={"status": 200, "body": "[accepted]"},
           event=event("7914073381342284:AUTHORISATION:true", "AUTHORISATION", "7914073381342284", NOW * 1000),
           extra=[("two items", "verified", {"body": adyen(adyen_item(ADYEN), adyen_item(ADYEN, "8", originalReference="7"))}),
                  ("one of two items is tampered", "rejected", {"body": adyen(adyen_item(ADYEN), adyen_item(ADYEN, "8", tamper={"success": "false"}))}),
                  ("no items", "rejected", {"body": adyen()}),
                  ("an item without a signature", "rejected", {"body": adyen(adyen_item(ADYEN, tamper={"additionalData": {}}))}),
                  ("garbage as signature", "rejected", {"body": adyen(adyen_item(ADYEN, tamper={"additionalData": {"hmacSignature": "x"}}))}),
                  ("items that are no array", "rejected", {"body": '{"notificationItems":{"a":1}}'})]),
    Scheme("adyen", ADYEN, "00" * 32,
           lambda key, now: post({"hmacsignature": b64(digest("sha256", bytes.fromhex(key), '{"type":"balancePlatform.transfer.created"}'))},
                                 '{"type":"balancePlatform.transfer.created"}'),
           group="header", needed=["hmacsignature"], signature="hmacsignature", event=event(None, "balancePlatform.transfer.created")))
# Adyen publishes this example.
assert adyen_item(ADYEN)["NotificationRequestItem"]["additionalData"]["hmacSignature"] == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="

# Keys that the provider alone has.
discord_key = ed25519.Ed25519PrivateKey.from_private_bytes(SEED)


def discord_signed(body, now=NOW):
    return {"x-signature-ed25519": discord_key.sign(f"{now}{body}".encode()).hex()}


def discord(_key, now):
    body = '{"type":2,"id":"846462639134605312","data":{"name":"cardsearch"}}'
    return post({**discord_signed(body, now), "x-signature-timestamp": str(now)}, body)


def discord_case(name, expect, body):
    return (name, expect, {"body": body, "headers": discord_signed(body)})


add(Scheme("discord", PUBLIC.hex(), ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw().hex(), discord,
           needed=["x-signature-ed25519", "x-signature-timestamp"], signature="x-signature-ed25519",
           event=event("846462639134605312", "interaction.2", "cardsearch"), answer={"status": 200, "body": '{"type":5}', "content_type": "application/json"},
           extra=[discord_case("ping", handshake(200, '{"type":1}', "application/json"), '{"type":1}'),
                  ("unsigned ping", {"outcome": "rejected", "status": 401}, {"body": '{"type":1}'}),
                  discord_case("ping of webhook events", handshake(204, ""), '{"version":1,"application_id":"1","type":0}'),
                  discord_case("a webhook event", {"outcome": "verified", "answer": {"status": 204, "body": ""},
                                                   "event": {"id": None, "type": "APPLICATION_AUTHORIZED", "subject": None, "time": NOW * 1000}},
                               '{"version":1,"type":1,"event":{"type":"APPLICATION_AUTHORIZED","timestamp":"2023-11-14T22:13:20Z"}}')]))

# A key for tests alone; a fixed one keeps the recording the same from run to run.
curve_key = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"a key for tests").digest(), "big"), ec.SECP256R1())
other_curve_key = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"another key for tests").digest(), "big"), ec.SECP256R1())


def spki(key):
    return b64(key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def ecdsa(key, data):
    return key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def sendgrid(_key, now):
    body = '[{"email":"hello@example.com","event":"dropped"}]\r\n'
    return post({"x-twilio-email-event-webhook-signature": b64(ecdsa(curve_key, f"{now}{body}".encode())),
                 "x-twilio-email-event-webhook-timestamp": str(now)}, body)


add(Scheme("sendgrid", spki(curve_key), spki(other_curve_key), sendgrid, event=event(),
           needed=["x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"],
           signature="x-twilio-email-event-webhook-signature",
           extra=[("stale in a window of one's own", "rejected", {"now": NOW + 301, "config": {
               "scheme": "sendgrid", "secrets": [{"value": spki(curve_key)}], "past_seconds": 300}})]))


def certificate(key, name, start=NOW - 86400, end=NOW + 86400 * 365):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    when = lambda seconds: datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1) \
        .not_valid_before(when(start)).not_valid_after(when(end)).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def networked():
    # Fresh ones each time: they cannot be derived from a seed with this package.
    key = rsa.generate_private_key(65537, 2048)
    wrong = rsa.generate_private_key(65537, 2048)
    groups = []

    # Amazon SNS.
    arn = "arn:aws:sns:us-east-1:123456789012:MyTopic"
    cert_url = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
    subscribe = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:123456789012:MyTopic&Token=2336412f37"
    there = [{"url": cert_url, "status": 200, "body": certificate(key, "sns.amazonaws.com")}]

    def sns(version="2", sign_with=key, tamper=None, **fields):
        message = {"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": arn,
                   "Subject": "My First Message", "Message": "Hello\nworld!", "Timestamp": "2023-11-14T22:13:20.000Z",
                   "SignatureVersion": version, "SigningCertURL": cert_url, "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe", **fields}
        message = {name: value for name, value in message.items() if value is not None}
        names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        if message["Type"] != "Notification":
            names.remove("Subject")
        text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
        algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
        message["Signature"] = b64(sign_with.sign(text.encode(), padding.PKCS1v15(), algorithm))
        message.update(tamper or {})
        return json.dumps(message)

    confirmation = {"Type": "SubscriptionConfirmation", "Subject": None, "Token": "2336412f37", "SubscribeURL": subscribe}
    expected = {"outcome": "verified", "secret": 0, **event("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "Notification", arn, NOW * 1000)}
    fetch = {"outcome": "fetch", "urls": [cert_url]}
    config = lambda *arns: {"scheme": "aws-sns", "secrets": [{"value": one} for one in arns]}
    groups.append(("aws-sns", {"config": config(arn), "now": NOW, "fetched": there, "request": post(
        {"x-amz-sns-message-type": "Notification"}, sns(), content_type="text/plain; charset=UTF-8"), "cases": [
        {"name": "valid", "expect": expected},
        {"name": "SHA-1", "body": sns("1"), "expect": expected},
        {"name": "without a subject", "body": sns(Subject=None), "expect": expected},
        {"name": "the certificate is needed first", "fetched": [], "expect": fetch},
        {"name": "second topic of two", "config": config("arn:aws:sns:us-east-1:1:Other", arn), "expect": {**expected, "secret": 1}},
        {"name": "another topic", "config": config("arn:aws:sns:us-east-1:1:Other"), "expect": {"outcome": "rejected", "reason": "TopicArn"}},
        {"name": "another topic asks for nothing", "config": config("arn:aws:sns:us-east-1:1:Other"), "fetched": [], "expect": {"outcome": "rejected"}},
        {"name": "tampered body", "body": sns(tamper={"Message": "Hello"}), "expect": {"outcome": "rejected"}},
        {"name": "tampered signature", "body": sns(tamper={"Signature": b64(bytes(256))}), "expect": {"outcome": "rejected"}},
        {"name": "garbage as signature", "body": sns(tamper={"Signature": "garbage!"}), "expect": {"outcome": "rejected"}},
        {"name": "missing signature", "body": sns(tamper={"Signature": None}), "expect": {"outcome": "rejected"}},
        {"name": "an unknown version", "body": sns(tamper={"SignatureVersion": "3"}), "expect": {"outcome": "rejected"}},
        {"name": "the version of another algorithm", "body": sns("1", tamper={"SignatureVersion": "2"}), "expect": {"outcome": "rejected"}},
        {"name": "wrong key", "body": sns(sign_with=wrong), "expect": {"outcome": "rejected"}},
        {"name": "stale", "now": NOW + 86401, "expect": {"outcome": "rejected", "reason": "old"}},
        {"name": "expired certificate", "fetched": [{"url": cert_url, "status": 200, "body": certificate(key, "sns.amazonaws.com", NOW - 200, NOW - 100)}],
         "expect": {"outcome": "rejected", "reason": "certificate"}},
        {"name": "no certificate to be had", "fetched": [{"url": cert_url, "status": 404, "body": ""}], "expect": {"outcome": "rejected", "status": 502, "reason": "404"}},
        {"name": "no answer", "fetched": [{"url": cert_url, "status": None, "body": ""}], "expect": {"outcome": "rejected", "status": 502}},
        {"name": "garbage as certificate", "fetched": [{"url": cert_url, "status": 200, "body": "garbage"}], "expect": {"outcome": "rejected"}},
        {"name": "a huge certificate", "fetched": [{"url": cert_url, "status": 200, "body": "A" * 70000}], "expect": {"outcome": "rejected", "status": 502}},
        *[{"name": f"a certificate elsewhere: {url}", "body": sns(SigningCertURL=url), "fetched": [], "expect": {"outcome": "rejected"}} for url in (
            "http://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
            "https://sns.us-east-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem",
            "https://evil.example/SimpleNotificationService-0.pem",
            "https://bucket.s3.amazonaws.com/SimpleNotificationService-0.pem",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem?x=y",
            "https://sns.us-east-1.amazonaws.com:8443/SimpleNotificationService-0.pem",
            "https://user@sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem")],
        {"name": "a confirmation must be fetched", "body": sns(**confirmation), "expect": {"outcome": "fetch", "urls": [subscribe]}},
        {"name": "a confirmed subscription", "body": sns(**confirmation), "fetched": there + [{"url": subscribe, "status": 200, "body": "<ok/>"}], "expect": handshake(200, "")},
        {"name": "a confirmation that failed", "body": sns(**confirmation), "fetched": there + [{"url": subscribe, "status": 403, "body": ""}], "expect": {"outcome": "rejected", "status": 502}},
        {"name": "a confirmation elsewhere", "body": sns(**{**confirmation, "SubscribeURL": "https://evil.example/?Action=ConfirmSubscription&"}), "expect": {"outcome": "rejected"}},
        {"name": "an unsigned confirmation", "body": sns(**confirmation, tamper={"Token": "x"}), "expect": {"outcome": "rejected"}},
        {"name": "unsubscribed", "body": sns(**{**confirmation, "Type": "UnsubscribeConfirmation"}), "expect": handshake(200, "")},
    ]}))

    # PayPal.
    paypal_url = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-ab66f33d"
    body = '{"id":"WH-1","event_type":"PAYMENT.SALE.COMPLETED","create_time":"2023-11-14T22:13:20.000Z","resource":{"id":"r-1"}}'
    text = f"t-1|2023-11-14T22:13:20Z|1JE4291016473214C|{zlib.crc32(body.encode())}"
    headers = {"paypal-auth-algo": "SHA256withRSA", "paypal-cert-url": paypal_url, "paypal-transmission-id": "t-1",
               "paypal-transmission-time": "2023-11-14T22:13:20Z",
               "paypal-transmission-sig": b64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}
    config = lambda *ids: {"scheme": "paypal", "secrets": [{"value": one} for one in ids]}
    verified = {"outcome": "verified", "secret": 0, **event("WH-1", "PAYMENT.SALE.COMPLETED", "r-1", NOW * 1000)}
    cases = [
        {"name": "valid", "expect": verified},
        {"name": "the certificate is needed first", "fetched": [], "expect": {"outcome": "fetch", "urls": [paypal_url]}},
        {"name": "second key of two", "config": config("OTHER", "1JE4291016473214C"), "expect": {**verified, "secret": 1}},
        {"name": "wrong key", "config": config("OTHER"), "expect": {"outcome": "rejected"}},
        {"name": "tampered body", "body": body + " ", "expect": {"outcome": "rejected"}},
        {"name": "tampered signature", "headers": {"paypal-transmission-sig": b64(bytes(256))}, "expect": {"outcome": "rejected"}},
        {"name": "a certificate elsewhere", "headers": {"paypal-cert-url": "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1"}, "expect": {"outcome": "rejected"}},
        {"name": "no certificate to be had", "fetched": [{"url": paypal_url, "status": None, "body": ""}], "expect": {"outcome": "rejected", "status": 502}},
        {"name": "stale in a window of one's own", "now": NOW + 301, "config": {**config("1JE4291016473214C"), "past_seconds": 300}, "expect": {"outcome": "rejected", "reason": "old"}},
    ]
    for name in headers:
        cases.append({"name": f"missing header {name}", "headers": {name: None}, "expect": {"outcome": "rejected"}})
        cases.append({"name": f"garbage in header {name}", "headers": {name: "garbage"}, "expect": {"outcome": "rejected"}})
    groups.append(("paypal", {"config": config("1JE4291016473214C"), "now": NOW, "request": post(headers, body), "cases": cases,
                              "fetched": [{"url": paypal_url, "status": 200, "body": certificate(key, "messageverificationcerts.paypal.com")}]}))

    # Plaid.
    url64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    kid = "bfbd5111-8e33-4643-8ced-b2e642a72f3c"
    body = '{\n  "webhook_code": "SYNC_UPDATES_AVAILABLE",\n  "webhook_type": "TRANSACTIONS",\n  "item_id": "i-1"\n}'

    def jwt(signer=curve_key, alg="ES256", key_id=kid, issued=NOW, covered=body, **more):
        head = url64(json.dumps({"alg": alg, "kid": key_id, "typ": "JWT"}).encode())
        claims = url64(json.dumps({"iat": issued, "request_body_sha256": hashlib.sha256(covered.encode()).hexdigest()}).encode())
        r, s = decode_dss_signature(ecdsa(signer, f"{head}.{claims}".encode()))
        return f"{head}.{claims}.{url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def jwk(signer=curve_key, **changes):
        numbers = signer.public_key().public_numbers()
        return json.dumps({"key": {"alg": "ES256", "crv": "P-256", "kid": kid, "kty": "EC", "use": "sig", "x": url64(numbers.x.to_bytes(32, "big")),
                                   "y": url64(numbers.y.to_bytes(32, "big")), "created_at": 1560466143, "expired_at": None, **changes}, "request_id": "r"})
    plaid_url = f"https://production.plaid.com/webhook_verification_key/get#{kid}"
    there = lambda **changes: [{"url": plaid_url, "status": 200, "body": jwk(**changes)}]
    config = {"scheme": "plaid", "secrets": [{"value": "api-secret"}], "parameters": {"client_id": "client-1"}}
    verified = {"outcome": "verified", "secret": 0, **event(None, "TRANSACTIONS.SYNC_UPDATES_AVAILABLE", "i-1")}
    header = lambda text: {"plaid-verification": text}
    parts = jwt().split(".")
    groups.append(("plaid", {"config": config, "now": NOW, "fetched": there(), "request": post(header(jwt()), body), "cases": [
        {"name": "valid", "expect": verified},
        {"name": "the key is needed first", "fetched": [], "expect": {"outcome": "fetch", "urls": [plaid_url], "post": {"client_id": "client-1", "key_id": kid, "secret": "api-secret"}}},
        {"name": "the sandbox", "fetched": [], "config": {**config, "parameters": {"client_id": "client-1", "environment": "sandbox"}},
         "expect": {"outcome": "fetch", "urls": [plaid_url.replace("production", "sandbox")]}},
        {"name": "tampered body", "body": body + " ", "expect": {"outcome": "rejected"}},
        {"name": "tampered signature", "headers": header(".".join([parts[0], parts[1], flip(parts[2])])), "expect": {"outcome": "rejected"}},
        {"name": "tampered claims", "headers": header(".".join([parts[0], jwt(issued=NOW + 1).split(".")[1], parts[2]])), "expect": {"outcome": "rejected"}},
        {"name": "wrong key", "headers": header(jwt(other_curve_key)), "expect": {"outcome": "rejected"}},
        {"name": "another algorithm", "headers": header(jwt(alg="none")), "expect": {"outcome": "rejected"}},
        {"name": "without a signature", "headers": header(".".join(parts[:2] + [""])), "expect": {"outcome": "rejected"}},
        {"name": "a key id that is an address", "headers": header(jwt(key_id="x#y/../z")), "fetched": [], "expect": {"outcome": "rejected"}},
        {"name": "stale", "now": NOW + 301, "expect": {"outcome": "rejected", "reason": "old"}},
        {"name": "from the future", "now": NOW - 301, "expect": {"outcome": "rejected", "reason": "in the future"}},
        {"name": "expired key", "fetched": there(expired_at=NOW - 1), "expect": {"outcome": "rejected", "reason": "expired"}},
        {"name": "no key to be had", "fetched": [{"url": plaid_url, "status": 500, "body": ""}], "expect": {"outcome": "rejected", "status": 502, "reason": "500"}},
        {"name": "another key", "fetched": there(kid="other"), "expect": {"outcome": "rejected"}},
        {"name": "a key of another curve", "fetched": there(crv="P-384"), "expect": {"outcome": "rejected"}},
        {"name": "a key that is no point", "fetched": there(x=url64(bytes(32))), "expect": {"outcome": "rejected"}},
        {"name": "missing header", "headers": {"plaid-verification": None}, "expect": {"outcome": "rejected"}},
        {"name": "header twice", "repeat": [["plaid-verification", jwt()]], "expect": {"outcome": "rejected"}},
        *[{"name": "garbage in header", "headers": header(text), "expect": {"outcome": "rejected"}} for text in ("", "garbage", "a.b.c", "....", "e30.e30.e30")],
    ]}))
    return groups


def written(group):
    """A group with one line for each of its members and cases."""
    line = lambda value: json.dumps(value, ensure_ascii=False)
    members = [f" {line(key)}: {line(value)}" for key, value in group.items() if key != "cases"]
    cases = ",\n".join(f"  {line(case)}" for case in group["cases"])
    return "{\n" + ",\n".join(members) + ",\n" + f' "cases": [\n{cases}\n ]\n' + "}"


def main(folder):
    os.makedirs(folder, exist_ok=True)
    files = {"none": [NONE]}
    for scheme in SCHEMES:
        group = scheme.record()
        if scheme.group:
            group = {"group": scheme.group, **group}
        files.setdefault(scheme.name, []).append(group)
    for name, group in networked():
        files.setdefault(name, []).append(group)
    for name, groups in files.items():
        with open(os.path.join(folder, f"{name}.json"), "w") as file:
            file.write("[\n" + ",\n".join(written(group) for group in groups) + "\n]\n")
    count = sum(len(group["cases"]) for groups in files.values() for group in groups)
    print(f"{len(files)} schemes, {count} cases")


if __name__ == "__main__":
    main(sys.argv[1])
