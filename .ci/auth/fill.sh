#!/bin/sh
# fill.sh VENV ADMIN_URL READER_URL ANSWERS: makes a database of the real Alliance Auth, fills it with a seeded population, writes what
# Auth itself says about every account to ANSWERS (JSON lines, the form of `gatecamp source accounts --json`), and creates the
# read-only user of READER_URL with exactly the grants of docs/auth.md.
#
# The URLs are mysql:// or postgres://, both with the same database name. That database is dropped and made anew.
set -eu
venv=${1:?usage: fill.sh VENV ADMIN_URL READER_URL ANSWERS}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$venv/bin/python" "$here/populate.py" --project "$work" --grants "$here" --admin "${2:?}" --reader "${3:?}" --answers "${4:?}"
