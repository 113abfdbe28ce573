#!/usr/bin/env bash
# Calls to a brittle API, across a crash of the gateway. Needs the binary: cargo build, or ANGLERFISH=path.
set -euo pipefail
cd "$(dirname "$0")"
anglerfish=${ANGLERFISH:-../../target/debug/anglerfish}
work=$(mktemp -d)
cp anglerfish.toml "$work/"
gateway= sink=
trap 'kill $gateway $sink 2>/dev/null || true; rm -r "$work"' EXIT
calls() { echo "\$ anglerfish calls $*" >&2; "$anglerfish" calls "$@" --api http://127.0.0.1:8091; }
start() {
  "$anglerfish" serve --config "$work/anglerfish.toml" 2>>"$work/log" &
  gateway=$!
  until "$anglerfish" events list --api http://127.0.0.1:8091 >/dev/null 2>&1; do
    # It may not start at all: another program may have its port.
    kill -0 "$gateway" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
  done
}

"$anglerfish" sink --listen 127.0.0.1:9090 --failure-rate 0.5 --silent-failure-rate 0.3 \
  --min-latency 0.2 --max-latency 1 >"$work/seen" 2>/dev/null &
sink=$!
start
calls configure brittle --retries 5
for word in one two three; do calls insert brittle "$word" --external-uuid "word-$word"; done
sleep 0.5
echo "# the gateway is killed in the middle" >&2
kill -9 "$gateway"; wait "$gateway" 2>/dev/null || true
start
for word in one two three; do calls show "$(calls resolve brittle "word-$word")" --wait || true; echo; done
calls list
