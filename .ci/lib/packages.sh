# What a bare Debian 12 lacks.

install_packages() {
	local missing=()
	command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null || missing+=(mariadb-server)
	command -v redis-server >/dev/null || missing+=(redis-server)
	[[ -x $(postgres_bin)/initdb ]] || missing+=(postgresql-15)
	command -v pkg-config >/dev/null || missing+=(pkg-config)
	pkg-config --exists libmariadb 2>/dev/null || missing+=(libmariadb-dev)
	command -v git >/dev/null || missing+=(git)
	command -v gcc >/dev/null || missing+=(gcc libc6-dev)
	python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
	python3 -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' 2>/dev/null ||
		missing+=(python3-dev)
	((${#missing[@]})) || return 0
	echo "missing: ${missing[*]}"
	((EUID == 0)) || {
		echo "not root, so nothing can be installed; ask for: apt-get install ${missing[*]}"
		return 1
	}
	local policy=/usr/sbin/policy-rc.d ours=
	if [[ ! -e $policy ]]; then
		ours=yes
		printf '#!/bin/sh\nexit 101\n' >"$policy" # packages must not start their services: ours are our own
		chmod 755 "$policy"
	fi
	local status=0
	{ apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; } || status=$?
	[[ -z $ours ]] || rm -f "$policy"
	return "$status"
}

# install_tool NAME MODULE VERSION puts a program into the cache, once for each version and each Go.
install_tool() {
	local into
	into=$(tool_folder "$1" "$3")
	[[ -x $into/$1 ]] && return 0
	(cd "$work" && GOBIN=$into go install "$2@$3")
}

tool_folder() { echo "$cache/$(go env GOVERSION)/$1-$2"; }
