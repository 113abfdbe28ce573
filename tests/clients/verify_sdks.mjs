// Holds the recorded verification cases against the providers' own JavaScript libraries.
//
// Each library must accept the recorded request and refuse it with another key and with another body. Libraries that
// are not installed are named and skipped; they are looked for from the working directory.
//
//     node tests/clients/verify_sdks.mjs tests/fixtures/verify

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const require = createRequire(join(process.cwd(), "index.js"));
const skipped = [];
const failed = [];
let checked = 0;

function group(scheme, name = "") {
  const groups = JSON.parse(readFileSync(join(resolve(folder), `${scheme}.json`), "utf8"));
  return groups.find((one) => (one.group ?? "") === name);
}

function load(name) {
  try {
    return require(name);
  } catch {
    skipped.push(name);
    return undefined;
  }
}

// The libraries that read the clock read this one.
const realNow = Date.now;

async function attempt(call) {
  try {
    return (await call()) !== false;
  } catch {
    return false;
  }
}

async function both(name, recorded, other, verify) {
  const { request, config, now } = recorded;
  const secret = config.secrets[0].value;
  const changed = request.body.replace("1", "2") + " ";
  Date.now = () => now * 1000;
  const outcomes = [
    ["valid", await attempt(() => verify(secret, request.body, request)), true],
    ["another key", await attempt(() => verify(other, request.body, request)), false],
    ["another body", await attempt(() => verify(secret, changed, request)), false],
  ];
  Date.now = realNow;
  for (const [what, outcome, expected] of outcomes) {
    checked += 1;
    if (outcome !== expected) failed.push(`${name}: ${what}`);
  }
}

// A library that can only be imported is found by what its package says.
async function loadModule(name) {
  try {
    const home = join(process.cwd(), "node_modules", name);
    const entry = JSON.parse(readFileSync(join(home, "package.json"), "utf8")).exports["."].node.import;
    return await import(pathToFileURL(join(home, entry)));
  } catch {
    skipped.push(name);
    return undefined;
  }
}

const octokit = await loadModule("@octokit/webhooks-methods");
if (octokit) {
  await both("github", group("github"), "other", (secret, body, { headers }) =>
    octokit.verify(secret, body, headers["x-hub-signature-256"]));
}

const contentful = load("@contentful/node-apps-toolkit");
if (contentful) {
  // The library wants 64 characters of secret, which the recorded one does not have: it signs, and the case's own
  // signature is made anew.
  const { createHmac } = require("node:crypto");
  const recorded = group("contentful");
  const secret = "s".repeat(64);
  const { method, url, headers, body } = recorded.request;
  const path = url.replace(/^https:\/\/[^/]+/, "");
  const stamp = headers["x-contentful-timestamp"];
  const signed = contentful.signRequest(
    secret,
    { method, path, body, headers: { "x-contentful-topic": headers["x-contentful-topic"] } },
    Number(stamp),
  );
  const text = [
    "POST",
    "/in/source?a%253Db",
    `x-contentful-signed-headers:${headers["x-contentful-signed-headers"]};x-contentful-timestamp:${stamp};x-contentful-topic:${headers["x-contentful-topic"]}`,
    body,
  ].join("\n");
  checked += 2;
  if (signed["x-contentful-signed-headers"] !== headers["x-contentful-signed-headers"]) failed.push("contentful: listed headers");
  if (signed["x-contentful-signature"] !== createHmac("sha256", secret).update(text).digest("hex")) failed.push("contentful: signature");
}

const adyen = load("@adyen/api-library");
if (adyen) {
  const validator = new adyen.hmacValidator();
  await both("adyen", group("adyen"), "00".repeat(32), (secret, body) =>
    validator.validateHMAC(JSON.parse(body.replace("1230", "1130").replace("2130", "1131")).notificationItems[0].NotificationRequestItem, secret));
}

const square = load("square");
if (square) {
  await both("square", group("square"), "other", (secret, body, { url, headers }) =>
    square.WebhooksHelper.verifySignature({
      requestBody: body,
      signatureHeader: headers["x-square-hmacsha256-signature"],
      signatureKey: secret,
      notificationUrl: url,
    }));
}

const paddle = load("@paddle/paddle-node-sdk");
if (paddle) {
  // It allows five seconds and asks the clock in a way that cannot be replaced; the signature is what counts here.
  new paddle.Paddle("key");
  paddle.WebhooksValidator.MAX_VALID_TIME_DIFFERENCE = 1e9;
  const validator = new paddle.WebhooksValidator();
  await both("paddle", group("paddle"), "other", (secret, body, { headers }) =>
    validator.isValidSignature(body, secret, headers["paddle-signature"]));
}

const hubspot = load("@hubspot/api-client");
if (hubspot) {
  for (const version of ["v1", "v2", "v3"]) {
    await both(`hubspot ${version}`, group("hubspot", version === "v3" ? "" : version), "other", (secret, body, { method, url, headers }) =>
      hubspot.Signature.isValid({
        signatureVersion: version,
        signature: headers["x-hubspot-signature-v3"] ?? headers["x-hubspot-signature"],
        clientSecret: secret,
        requestBody: body,
        url,
        method,
        timestamp: headers["x-hubspot-request-timestamp"],
      }));
  }
}

const sendgrid = load("@sendgrid/eventwebhook");
if (sendgrid) {
  const webhook = new sendgrid.EventWebhook();
  const other =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
  await both("sendgrid", group("sendgrid"), other, (secret, body, { headers }) =>
    webhook.verifySignature(
      webhook.convertPublicKeyToECDSA(secret),
      body + (body.endsWith(" ") ? "x" : ""),
      headers["x-twilio-email-event-webhook-signature"],
      headers["x-twilio-email-event-webhook-timestamp"],
    ));
}

const linear = load("@linear/sdk/webhooks");
if (linear) {
  await both("linear", group("linear"), "other", (secret, body, { headers }) =>
    new linear.LinearWebhookClient(secret).verify(Buffer.from(body), headers["linear-signature"]));
}

const line = load("@line/bot-sdk");
if (line) {
  await both("line", group("line"), "other", (secret, body, { headers }) =>
    line.validateSignature(body, secret, headers["x-line-signature"]));
}

const discord = load("discord-interactions");
if (discord) {
  const other = "fc947730f49eb01427a66e050733294d9e520e545c7a27125a780634e0860a27";
  await both("discord", group("discord"), other, (secret, body, { headers }) =>
    discord.verifyKey(body, headers["x-signature-ed25519"], headers["x-signature-timestamp"], secret));
}

const razorpay = load("razorpay");
if (razorpay) {
  await both("razorpay", group("razorpay"), "other", (secret, body, { headers }) =>
    razorpay.validateWebhookSignature(body, headers["x-razorpay-signature"], secret));
}

const stripe = load("stripe");
if (stripe) {
  const client = new (stripe.default ?? stripe)("sk_test_x");
  await both("stripe", group("stripe"), "whsec_other", (secret, body, { headers }) =>
    client.webhooks.constructEvent(body, headers["stripe-signature"], secret, 0));
}

const twilio = load("twilio");
if (twilio) {
  await both("twilio", group("twilio"), "54321", (secret, body, { url, headers }) =>
    twilio.validateRequest(secret, headers["x-twilio-signature"], url, Object.fromEntries(new URLSearchParams(body))));
  await both("twilio JSON", group("twilio", "JSON"), "54321", (secret, body, { url, headers }) =>
    twilio.validateRequestWithBody(secret, headers["x-twilio-signature"], url, body));
}

for (const [name, prefix, key] of [["svix", "svix", "svix"], ["standardwebhooks", "webhook", ""]]) {
  const library = load(name);
  if (library) {
    const recorded = group("standard-webhooks", key);
    const { headers, body } = recorded.request;
    const made = new library.Webhook(recorded.config.secrets[0].value).sign(
      headers[`${prefix}-id`],
      new Date(recorded.now * 1000),
      body,
    );
    checked += 1;
    if (made !== headers[`${prefix}-signature`]) failed.push(`${name}: makes the recorded signature`);
  }
}

for (const name of skipped) console.log(`skipped: ${name} is not installed`);
console.log(`${checked} checks, ${failed.length} failed`);
for (const name of failed) console.log(`failed: ${name}`);
process.exit(failed.length === 0 ? 0 : 1);
