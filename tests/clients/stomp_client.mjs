// @stomp/stompjs against STOMP over WebSocket: says in JSON lines what comes. Arguments: url, token, destination, count, and what to send.
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { Client } = require("@stomp/stompjs");
globalThis.WebSocket = require("ws");

const [url, token, destination, count, ...texts] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));
let seen = 0;
const client = new Client({
  brokerURL: url,
  connectHeaders: { login: "me", passcode: token },
  heartbeatIncoming: 2000,
  heartbeatOutgoing: 2000,
  reconnectDelay: 0,
});
client.onConnect = (frame) => {
  say({ connected: frame.headers.version });
  client.subscribe(
    destination,
    (message) => {
      say({ body: message.body, type: message.headers["ce-type"], position: message.headers.position });
      seen += 1;
      if (seen === Number(count)) client.deactivate();
    },
    { from: "earliest" },
  );
  for (const body of texts) client.publish({ destination, body, headers: { "content-type": "text/plain", "ce-type": "said" } });
};
client.onStompError = (frame) => {
  say({ error: frame.headers.message });
  client.deactivate();
};
client.onWebSocketError = (error) => say({ error: String(error.message) });
setTimeout(() => { say({ error: "nothing came in time" }); process.exit(1); }, 30000).unref();
client.activate();
