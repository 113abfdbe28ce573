#!/usr/bin/env bash
# A chat room and a live feed in a page. Needs the binary (cargo build, or ANGLERFISH=path), curl, and python3, which serves the page.
set -euo pipefail

fail() {
  echo "error: $1" >&2
  exit 1
}

# A path is meant from where this is called, and a name without a slash is looked for as any command is.
anglerfish=${ANGLERFISH:-$(dirname "$0")/../../target/debug/anglerfish}
found=$(command -v "$anglerfish") || fail "$anglerfish cannot be run; build it with \`cargo build --bin anglerfish\`, or name it: ANGLERFISH=path"
case $found in
  /*) anglerfish=$found ;;
  *) anglerfish=$PWD/$found ;;
esac
cd "$(dirname "$0")"

# Somebody else's gateway would answer in the place of this one.
for port in 8080 8081 8082 8083 61613; do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    fail "port $port of 127.0.0.1 is in use: end what listens there, another gateway perhaps"
  fi
done

export CHAT_TOKEN=${CHAT_TOKEN:-$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')}
work=$(mktemp -d)
cp anglerfish.toml "$work/"
gateway= page=
trap 'kill $gateway $page 2>/dev/null || true; wait; rm -r "$work"' EXIT

start() {
  "$anglerfish" serve --config "$work/anglerfish.toml" &
  gateway=$!
  until curl -so /dev/null http://127.0.0.1:8081/ready; do
    kill -0 "$gateway" 2>/dev/null || fail "the gateway has ended; it says why above"
    sleep 0.1
  done
}

start
python3 -m http.server --bind 127.0.0.1 --directory page 8083 >"$work/page.log" 2>&1 &
page=$!
until curl -so /dev/null http://127.0.0.1:8083/; do
  kill -0 "$page" 2>/dev/null || fail "the page cannot be served: $(tail -n 1 "$work/page.log")"
  sleep 0.1
done
cat <<HELP

Open this in two windows:        http://127.0.0.1:8083/#$CHAT_TOKEN
Something for the feed:          curl -d '{"order":7}' -H 'content-type: application/json' http://127.0.0.1:8080/in/shop
Say something from a terminal:   curl -d 'hello from here' -H 'content-type: text/plain' -H 'ce-from: curl' \\
                                   -H 'authorization: Bearer $CHAT_TOKEN' http://127.0.0.1:8082/topic/chat.lobby
Enter ends the gateway and starts it again. Ctrl-C ends all.

HELP
while kill -0 "$gateway" 2>/dev/null; do
  if read -r -t 1 _; then
    kill "$gateway"
    wait "$gateway" || true
    start
    echo "The gateway runs again."
  elif [ $? -le 128 ]; then
    # Nobody types anything.
    break
  fi
done
wait "$gateway"
