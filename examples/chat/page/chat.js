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
let connected = false;
let refused = false;
// What is being sent. It has an id of its own, so that sending it again after a connection broke off says it once.
let sending = null;

// What is no text comes in a binary message: a frame is UTF-8 up to its body.
const text = (data) => (typeof data === "string" ? data : new TextDecoder().decode(data));
const shown = (body, type) => (!type || /^text\/|[/+]json/.test(type) ? body : `(${type}, no text)`);

function connect() {
  socket = new WebSocket(`ws://${gateway}/out`, ["v12.stomp"]);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => socket.send(frame("CONNECT", { "accept-version": "1.2", host: gateway, passcode: token, "heart-beat": "0,15000" }));
  socket.onmessage = ({ data }) => {
    const came = text(data);
    if (came.trim() === "") return;
    const { command, headers, body } = read(came);
    if (command === "CONNECTED") {
      connected = true;
      get("state").textContent = "connected";
      const start = position ? { after: position } : { from: "earliest" };
      socket.send(frame("SUBSCRIBE", { id: "chat", destination: room, ...start }));
    } else if (command === "MESSAGE") {
      position = headers.position;
      show("chat", `${headers.from ?? "somebody"}: ${shown(body, headers["content-type"])}`);
    } else if (command === "RECEIPT" && headers["receipt-id"] === sending?.id) {
      // It is on disk, and only now it leaves the field.
      const field = get("say").elements.text;
      if (field.value === sending.text) field.value = "";
      sending = null;
    } else if (command === "ERROR") {
      show("chat", `(${headers.message})`);
      if (headers.oldest) position = headers.oldest;
      refused = headers.code === "unauthorized";
    }
  };
  socket.onclose = ({ code, reason }) => {
    connected = false;
    const why = `not connected (${code}${reason ? `: ${reason}` : ""})`;
    const unsent = sending ? "; what you said has not arrived, send it again" : "";
    get("state").textContent = `${why}; ${refused ? "is the token in the address right?" : "trying again"}${unsent}`;
    if (!refused) setTimeout(connect, 1000 + Math.random() * 2000);
  };
}

get("say").onsubmit = (event) => {
  event.preventDefault();
  const { from, text: field } = event.target.elements;
  if (!connected) {
    get("state").textContent = "not connected; what you typed stays here until it can be sent";
    return;
  }
  if (sending?.text !== field.value) sending = { id: crypto.randomUUID(), text: field.value };
  const headers = { destination: room, "content-type": "text/plain", from: from.value, "ce-id": sending.id, receipt: sending.id };
  socket.send(frame("SEND", headers, sending.text));
};

const feed = new EventSource(`http://${gateway}/out/feed?from=earliest&event=message&access_token=${token}`);
feed.onopen = () => { get("feed-state").textContent = "connected"; };
// After an answer that is no stream a browser does not come again.
feed.onerror = () => {
  const closed = feed.readyState === EventSource.CLOSED;
  get("feed-state").textContent = closed ? "refused; is the token in the address right? Reload the page to try again" : "not connected; trying again";
};
feed.onmessage = ({ data }) => {
  const event = JSON.parse(data);
  const said = "data" in event ? JSON.stringify(event.data) : event.data_base64 ? `(${event.datacontenttype ?? "data"}, no text)` : "";
  show("feed", `${new Date(event.time).toLocaleTimeString()} ${event.source} ${event.type} ${said}`);
};
feed.addEventListener("gap", ({ data }) => show("feed", `(some is missing: ${JSON.parse(data).detail})`));

connect();
