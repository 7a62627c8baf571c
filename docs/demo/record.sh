#!/usr/bin/env bash
# Makes the pictures of the README from a devnet that really runs: the dashboard
# (docs/images/dashboard.png) and a session in a terminal (docs/demo/session.cast
# and docs/images/session.svg). Run it from anywhere:
#
#     docs/demo/record.sh
#
# It needs Go, Chromium, Node, npm and asciinema 2; playwright-core and svg-term-cli
# are installed into the cache.
set -euo pipefail
cd "$(dirname "$0")/../.."

for need in go node npm asciinema chromium curl; do
  command -v "$need" >/dev/null || { echo "record.sh: $need is missing: install it" >&2; exit 1; }
done
tools=${XDG_CACHE_HOME:-$HOME/.cache}/vigil-demo
mkdir -p "$tools"
npm install --prefix "$tools" --ignore-scripts --no-audit --no-fund --loglevel=error svg-term-cli@2.1.1 playwright-core@1.65.1 >/dev/null

work=$(mktemp -d)
devnet=
trap '[ -z "$devnet" ] || kill "$devnet"; wait; rm -rf "$work"' EXIT
go build -o "$work/vigil" ./cmd/vigil
export PATH=$work:$PATH
url=http://127.0.0.1:${VIGIL_DEMO_PORT:-18748}
vigil devnet --data "$work/devnet" --block-time 150ms --dashboard "${url#http://}" >"$work/devnet.log" 2>&1 &
devnet=$!

confirmed() { vigil duties --url "$url" --state confirmed --json 2>/dev/null | grep -c '"duty"' || true; }
echo "the devnet runs; a few minutes pass until a dozen deadlines are proven"
until [ "$(confirmed)" -ge 12 ]; do
  kill -0 "$devnet" 2>/dev/null || { cat "$work/devnet.log" >&2; exit 1; }
  sleep 2
done

node docs/demo/picture.mjs "$tools" "$(command -v chromium)" "$url/" docs/images/dashboard.png
asciinema rec --overwrite --cols 124 --rows 34 --command "bash docs/demo/session.sh $url" docs/demo/session.cast
node "$tools/node_modules/svg-term-cli/lib/cli.js" --in docs/demo/session.cast --out docs/images/session.svg --window --no-cursor
ls -l docs/images docs/demo/session.cast
