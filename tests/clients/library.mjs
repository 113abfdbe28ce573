// Signs and verifies with the providers' own JavaScript libraries: one task a line on stdin, one answer a line on stdout.
//
// `{"do": "sign", "library", "secret", "url", "body", "id", "timestamp"}` is answered with the header fields that the
// provider would send, `{"do": "verify", "library", "secret", "url", "body", "headers"}` with `{"verified"}`. The
// modules are looked for from the working directory.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "index.js"));

async function octokit() {
  const module = join(process.cwd(), "node_modules/@octokit/webhooks-methods");
  const entry = JSON.parse(readFileSync(join(module, "package.json"), "utf8")).exports["."];
  return import(pathToFileURL(join(module, entry.node?.import ?? entry.import ?? entry.default)));
}

const form = (body) => Object.fromEntries(new URLSearchParams(body));

function stripe() {
  const library = require("stripe");
  return new (library.default ?? library)("sk_test_x").webhooks;
}

const webhooks = (name, prefix) => ({
  sign: ({ secret, id, timestamp, body }) => ({
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: String(timestamp),
    [`${prefix}-signature`]: new (require(name).Webhook)(secret).sign(id, new Date(timestamp * 1000), body),
  }),
  verify: ({ secret, body, headers }) => {
    new (require(name).Webhook)(secret).verify(body, headers);
    return true;
  },
});

const libraries = {
  standardwebhooks: webhooks("standardwebhooks", "webhook"),
  svix: webhooks("svix", "svix"),
  octokit: {
    sign: async ({ secret, body }) => ({ "x-hub-signature-256": await (await octokit()).sign(secret, body) }),
    verify: async ({ secret, body, headers }) => (await octokit()).verify(secret, body, headers["x-hub-signature-256"]),
  },
  stripe: {
    sign: ({ secret, timestamp, body }) => ({
      "stripe-signature": stripe().generateTestHeaderString({ payload: body, secret, timestamp }),
    }),
    verify: ({ secret, body, headers }) => {
      stripe().constructEvent(body, headers["stripe-signature"], secret);
      return true;
    },
  },
  twilio: {
    sign: ({ secret, url, body }) => ({
      "content-type": "application/x-www-form-urlencoded",
      "x-twilio-signature": require("twilio/lib/webhooks/webhooks").getExpectedTwilioSignature(secret, url, form(body)),
    }),
    verify: ({ secret, url, body, headers }) =>
      require("twilio").validateRequest(secret, headers["x-twilio-signature"], url, form(body)),
  },
  paddle: {
    verify: ({ secret, body, headers }) => {
      const paddle = require("@paddle/paddle-node-sdk");
      // The validator works only when there is a client. It allows five seconds, which a busy machine may need.
      new paddle.Paddle("key");
      paddle.WebhooksValidator.MAX_VALID_TIME_DIFFERENCE = 300;
      return new paddle.WebhooksValidator().isValidSignature(body, secret, headers["paddle-signature"]);
    },
  },
  razorpay: {
    verify: ({ secret, body, headers }) =>
      require("razorpay").validateWebhookSignature(body, headers["x-razorpay-signature"], secret),
  },
  line: {
    verify: ({ secret, body, headers }) =>
      require("@line/bot-sdk").validateSignature(body, secret, headers["x-line-signature"]),
  },
  linear: {
    verify: ({ secret, body, headers }) =>
      new (require("@linear/sdk/webhooks").LinearWebhookClient)(secret).verify(
        Buffer.from(body),
        headers["linear-signature"],
        JSON.parse(body).webhookTimestamp,
      ),
  },
  sendgrid: {
    verify: ({ secret, body, headers }) => {
      const webhook = new (require("@sendgrid/eventwebhook").EventWebhook)();
      return webhook.verifySignature(
        webhook.convertPublicKeyToECDSA(secret),
        body,
        headers["x-twilio-email-event-webhook-signature"],
        headers["x-twilio-email-event-webhook-timestamp"],
      );
    },
  },
  discord: {
    verify: ({ secret, body, headers }) =>
      require("discord-interactions").verifyKey(
        body,
        headers["x-signature-ed25519"],
        headers["x-signature-timestamp"],
        secret,
      ),
  },
};

async function answer(task) {
  const library = libraries[task.library];
  if (task.do === "sign") return { headers: await library.sign(task) };
  try {
    return { verified: (await library.verify(task)) === true };
  } catch (error) {
    return { verified: false, reason: String(error) };
  }
}

const lines = readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
for (const task of lines.map((line) => JSON.parse(line))) console.log(JSON.stringify(await answer(task)));
