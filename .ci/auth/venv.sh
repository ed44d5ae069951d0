#!/bin/sh
# venv.sh DIR: a Python environment with Alliance Auth in DIR, at the versions of requirements.txt; an existing one of the same
# versions is used again. Needs python3 (3.10 or newer) with venv, a C compiler, pkg-config and libmariadb-dev.
set -eu
dir=${1:?usage: venv.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
if [ -f "$dir/.gatecamp" ] && cmp -s "$here/requirements.txt" "$dir/.gatecamp"; then
	exit 0
fi
pkg-config --exists libmariadb || {
	echo "venv.sh: libmariadb-dev and pkg-config are needed to build Auth's database client: apt-get install libmariadb-dev pkg-config" >&2
	exit 1
}
[ -x "$dir/bin/python" ] || python3 -m venv "$dir"
"$dir/bin/pip" install --quiet --disable-pip-version-check --no-input -r "$here/requirements.txt"
cp "$here/requirements.txt" "$dir/.gatecamp"
