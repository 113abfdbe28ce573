// The chat is STOMP over WebSocket, the feed is Server-Sent Events. A page of yours would use @stomp/stompjs for the first;
// here it is written out, so that the example needs nothing from elsewhere.
"use strict";

const token = location.hash.slice(1);
const gateway = "127.0.0.1:8082";
const room = "/topic/chat.lobby";
const get = (id) => document.getElementById(id);

function show(list, text) {
  const line = document.createElement("li");
  line.textContent = text;
  get(list).append(line);
  line.scrollIntoView();
}

const escapes = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c" };
const escape = (text) => text.replace(/[\\\n\r:]/g, (character) => escapes[character]);
const unescape = (text) => text.replace(/\\[\\nrc]/g, (pair) => ({ "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\c": ":" })[pair]);

function frame(command, headers, body = "") {
  // Nothing is escaped in CONNECT.
  const write = command === "CONNECT" ? (text) => text : escape;
  const lines = Object.entries(headers).map(([name, value]) => `${write(name)}:${write(value)}\n`);
  return `${command}\n${lines.join("")}\n${body}\0`;
}

function read(text) {
  const end = text.indexOf("\n\n");
  const [command, ...lines] = text.slice(0, end).split("\n");
  const headers = Object.fromEntries(lines.map((line) => line.split(":").map(unescape)));
  return { command, headers, body: text.slice(end + 2, text.lastIndexOf("\0")) };
}

// The position of the last message: whoever comes again goes on behind it, and misses nothing.
let position = null;
let socket = null;

function connect() {
  socket = new WebSocket(`ws://${gateway}/out`, ["v12.stomp"]);
  socket.onopen = () => socket.send(frame("CONNECT", { "accept-version": "1.2", host: gateway, passcode: token, "heart-beat": "0,15000" }));
  socket.onmessage = ({ data }) => {
    if (data.trim() === "") return;
    const { command, headers, body } = read(data);
    if (command === "CONNECTED") {
      get("state").textContent = "connected";
      const start = position ? { after: position } : { from: "earliest" };
      socket.send(frame("SUBSCRIBE", { id: "chat", destination: room, ...start }));
    } else if (command === "MESSAGE") {
      position = headers.position;
      show("chat", `${headers.from ?? "somebody"}: ${body}`);
    } else if (command === "ERROR") {
      show("chat", `(${headers.message})`);
      if (headers.oldest) position = headers.oldest;
    }
  };
  socket.onclose = ({ code, reason }) => {
    get("state").textContent = `not connected (${code}${reason ? `: ${reason}` : ""}); trying again`;
    setTimeout(connect, 1000 + Math.random() * 2000);
  };
}

get("say").onsubmit = (event) => {
  event.preventDefault();
  const { from, text } = event.target.elements;
  socket.send(frame("SEND", { destination: room, "content-type": "text/plain", from: from.value }, text.value));
  text.value = "";
};

const feed = new EventSource(`http://${gateway}/out/feed?from=earliest&event=message&access_token=${token}`);
feed.onopen = () => { get("feed-state").textContent = "connected"; };
feed.onerror = () => { get("feed-state").textContent = "not connected; trying again"; };
feed.onmessage = ({ data }) => {
  const event = JSON.parse(data);
  show("feed", `${new Date(event.time).toLocaleTimeString()} ${event.source} ${event.type} ${JSON.stringify(event.data)}`);
};
feed.addEventListener("gap", ({ data }) => show("feed", `(some is missing: ${JSON.parse(data).detail})`));

connect();
