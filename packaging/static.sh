#!/bin/sh
# Builds the program for Linux as one static file, stripped: static.sh FILE.
# Why glibc and not musl: docs/adr/0029-one-static-binary.md.
set -eu

mkdir -p "$(dirname "$1")"
out=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/.."
target=${OPENLINE_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
# Named, so that the flags do not reach what runs while building.
RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" \
CARGO_INCREMENTAL=0 cargo build --release --locked -p openline --target "$target"
built=${CARGO_TARGET_DIR:-target}/$target/release/openline

# A program that names an interpreter is not static.
if readelf --program-headers "$built" | grep -q INTERP; then
    echo "packaging: $built needs libraries of the system" >&2
    exit 1
fi
strip --strip-all -o "$out" "$built"
