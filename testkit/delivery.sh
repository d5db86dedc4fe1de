#!/usr/bin/env bash
# Runs the delivery checker for each seed that is given, on all brokers at the same time, and shows what each came to.
#
#   testkit/delivery.sh <folder of the programs> <folder for the reports> <seed>...
#
# SECONDS_EACH (60) is how long a run is, BROKERS which there are, FAULTS (all) what is broken.
set -uo pipefail
cd "$(dirname "$0")/.."

programs=$1
out=$2
shift 2
failed=0
for seed in "$@"; do
  declare -A runs=()
  for broker in ${BROKERS:-embedded redis nats}; do
    folder="$out/$broker-$seed"
    rm -rf "$folder"
    mkdir -p "$folder"
    nodes=$([ "$broker" = embedded ] && echo 1 || echo 3)
    "$programs/openline-check" run --broker "$broker" --nodes "$nodes" --seed "$seed" --seconds "${SECONDS_EACH:-60}" \
      --faults "${FAULTS:-all}" --bin "$programs/openline" --sdk sdk/typescript --out "$folder" \
      >"$folder/verdict.txt" 2>&1 &
    runs[$broker]=$!
  done
  for broker in "${!runs[@]}"; do
    wait "${runs[$broker]}" || failed=1
    printf '\n'
    cat "$out/$broker-$seed/verdict.txt"
  done
done
exit "$failed"
