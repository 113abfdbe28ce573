#!/usr/bin/env bash
# A chat room and a live feed in a page. Needs the binary (cargo build, or ANGLERFISH=path) and python3, which serves the page.
set -euo pipefail
cd "$(dirname "$0")"
anglerfish=${ANGLERFISH:-../../target/debug/anglerfish}
export CHAT_TOKEN=${CHAT_TOKEN:-$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')}
work=$(mktemp -d)
cp anglerfish.toml "$work/"
gateway= page=
trap 'kill $gateway $page 2>/dev/null || true; wait; rm -r "$work"' EXIT
"$anglerfish" serve --config "$work/anglerfish.toml" &
gateway=$!
python3 -m http.server --bind 127.0.0.1 --directory page 8083 >/dev/null 2>&1 &
page=$!
until curl -so /dev/null http://127.0.0.1:8081/ready; do sleep 0.1; done
cat <<HELP

Open this in two windows:        http://127.0.0.1:8083/#$CHAT_TOKEN
Something for the feed:          curl -d '{"order":7}' -H 'content-type: application/json' http://127.0.0.1:8080/in/shop
Say something from a terminal:   curl -d 'hello from here' -H 'content-type: text/plain' -H 'ce-from: curl' \\
                                   -H 'authorization: Bearer $CHAT_TOKEN' http://127.0.0.1:8082/topic/chat.lobby
End it with Ctrl-C.

HELP
wait "$gateway"
