#!/bin/sh
# demo.sh DAS - what das does, on one screen: a dry run, then the same policy with --apply.
# The instance lives in memory; its sessions come from tests/samples/recording.jsonl.
set -eu
cd "$(dirname "$0")/../.."
das=$1
COLUMNS=${COLUMNS:-100}
export COLUMNS

"$das" run -i 'mem:tests/samples/recording.jsonl?snapshot=3' scripts/demo/policy.lua 2>/dev/null
printf '\n4. The same with --apply\n\n'
"$das" run -i 'mem:tests/samples/recording.jsonl?snapshot=3' --apply scripts/demo/policy.lua 2>/dev/null
printf '\nThe policy: scripts/demo/policy.lua   More: scripts/policies/   Next: README.md\n'
