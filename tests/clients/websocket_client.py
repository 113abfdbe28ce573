"""websockets against JSON messages, in fragments and compressed; what comes is read by CloudEvents' own SDK. Arguments: url, topic."""

import asyncio
import json
import sys

import websockets
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

url, topic = sys.argv[1], sys.argv[2]


async def main():
    # By default it asks for a window of 4 KiB, and is sent nothing compressed.
    deflate = ClientPerMessageDeflateFactory(client_max_window_bits=True)
    options = {"compression": None, "extensions": [deflate], "subprotocols": ["anglerfish.v1"]}
    async with websockets.connect(url, **options) as socket:
        extensions = socket.response.headers.get("Sec-WebSocket-Extensions")
        print(json.dumps({"extensions": extensions, "subprotocol": socket.subprotocol}), flush=True)
        subscribe = json.dumps({"type": "subscribe", "topic": topic, "from": "earliest"})
        # In three fragments, each compressed.
        await socket.send(part for part in (subscribe[:7], subscribe[7:20], subscribe[20:]))
        assert json.loads(await socket.recv())["type"] == "subscribed"
        for number in range(3):
            text = "é" * 10_000 + str(number)
            message = {"type": "publish", "topic": topic, "event": {"type": "said", "data": {"text": text}}}
            await socket.send(json.dumps(message))
        for number in range(3):
            message = json.loads(await socket.recv())
            event = JSONFormat().read(CloudEvent, json.dumps(message["event"]))
            text = event.get_data()["text"]
            said = {"type": event.get_type(), "source": event.get_source(), "length": len(text), "last": text[-1]}
            print(json.dumps(said), flush=True)
        pong = await socket.ping()
        await asyncio.wait_for(pong, 10)
        await socket.close(code=1000, reason="done")
        print(json.dumps({"closed": socket.close_code}), flush=True)


asyncio.run(main())
