#!/usr/bin/env bash
# Makes terminal.png and temporal-ui.png from a real run: starts a local stack, rolls version 2 of the node agent, and
# looks at the command line and at the Temporal UI while production moves. Needs `make build`, Chromium and util-linux's
# script. CHROMIUM names another browser.
set -euo pipefail
cd "$(dirname "$0")/../.."

browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$browser" ] || { echo "make.sh: there is no Chromium; name one with CHROMIUM=" >&2; exit 1; }
[ -x bin/sluice ] && [ -x bin/sluice-local ] || { echo "make.sh: run make build first" >&2; exit 1; }

work=$(mktemp -d)
dir=$work/.sluice
worker=
finish() {
  if [ -n "$worker" ]; then
    kill "$worker" 2>/dev/null || true
    wait "$worker" 2>/dev/null || true
  fi
  bin/sluice-local down --purge --dir "$dir" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

sluice() { bin/sluice --dir "$dir" --init "$@"; }
shot() { # URL FILE WIDTH HEIGHT SECONDS
  "$work/shot" "$browser" "$@"
  echo "made $2"
}

go build -o "$work/shot" docs/images/shot.go
go build -o "$work/ansi" docs/images/ansi.go

unset KUBECONFIG TEMPORAL_ADDRESS TEMPORAL_NAMESPACE TEMPORAL_PROFILE SLUICE_LEDGER
# Who asks is in the pictures.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=user.email GIT_CONFIG_VALUE_0=sre@example.com
bin/sluice-local up --dir "$dir" --detach --nodes 40 --pools canary=4 --names e2e-1,canary-1,prod-eu-1,prod-eu-2,prod-us-1
bin/sluice --dir "$dir" worker 2>"$work/worker.log" &
worker=$!
for component in node-agent controller; do
  sluice run "$component" --to 1.0.0 --pipeline install -f examples --go --wait --timeout 2m >/dev/null
done
sluice run node-agent --to 2.0.0 -f examples --go >/dev/null

echo "waiting until production moves"
for _ in $(seq 300); do
  # The second cluster's canary pool is done and its other nodes move: there is something to see.
  if sluice get node-agent-2 -o json | grep -q '"path": "production/[a-z0-9-]*/other-nodes/2"'; then break; fi
  sleep 1
done

ui=$(sed -n 's/.*"ui": *"\([^"]*\)".*/\1/p' "$dir/stack.json" | head -1)
script -qec "stty cols 112 rows 60; bin/sluice --dir $dir get node-agent-2" /dev/null >"$work/frame"
shot "$ui/namespaces/default/workflows/node-agent-2" docs/images/temporal-ui.png 1400 860 8
"$work/ansi" '$ sluice get node-agent-2' <"$work/frame" >"$work/terminal.html"
shot "file://$work/terminal.html" docs/images/terminal.png 1020 680 2
