#!/bin/sh
# Proves OpenID Connect logins, expiry and key rotation against a real provider. Usage: run.sh BINARY
set -eu
binary=$(realpath "${1:?name the secondline binary}")
cd "$(dirname "$0")"
[ -d node_modules ] || npm install --no-audit --no-fund --silent
exec node run.mjs "$binary"
