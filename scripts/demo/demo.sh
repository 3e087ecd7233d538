#!/bin/sh
# demo.sh DAS - what das does, on one screen: a dry run, then the same policy with --apply.
# The instance lives in memory; its sessions come from tests/samples/recording.jsonl.
set -eu
cd "$(dirname "$0")/../.."
das=$1
COLUMNS=${COLUMNS:-100}
export COLUMNS
STATE_DIRECTORY=$(mktemp -d) # the journal, which an armed run cannot do without
export STATE_DIRECTORY
trap 'rm -rf "$STATE_DIRECTORY"' EXIT

run() {
  "$das" run -i 'mem:tests/samples/recording.jsonl?snapshot=3' --config scripts/demo/das.lua "$@" \
    scripts/demo/policy.lua 2>/dev/null
}

run
printf '\n4. The same with --apply\n\n'
run --apply
printf '\nThe policy: scripts/demo/policy.lua, promoted in scripts/demo/das.lua   More: scripts/policies/   Next: README.md\n'
