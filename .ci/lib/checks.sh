# What is asked of the code.

check_format() {
	local unformatted
	unformatted=$("$(tool_folder gofumpt v0.12.0)/gofumpt" -l .)
	[[ -z $unformatted ]] || {
		printf 'not formatted, run "gofumpt -w" on:\n%s\n' "$unformatted"
		return 1
	}
}

check_modules() {
	go mod verify
	go mod tidy -diff
}

check_build() {
	CGO_ENABLED=0 go build ./...
	CGO_ENABLED=0 go build -trimpath -o "$work/gatecamp" ./cmd/gatecamp
}

check_fix() {
	local diff status=0
	diff=$(go fix -diff ./...) || status=$?
	((status == 0)) && [[ -z $diff ]] || {
		printf '%s\n\ngo fix has newer forms for the lines above, run "go fix ./..."\n' "$diff"
		return 1
	}
}

check_lint() {
	local lint
	lint=$(tool_folder golangci-lint v2.15.0)/golangci-lint
	"$lint" config verify
	"$lint" run ./...
}

check_demo() { CGO_ENABLED=0 go run ./cmd/gatecamp demo; }

# run_tests is the README's test command under the race detector, and then without it the packages that open disgo's gateway: disgo
# v0.19.6 races with itself between open and close, so those tests are built without the detector only.
run_tests() {
	test_pass tests -race -shuffle=on ./...
	test_pass tests-over-disgo -shuffle=on $(packages_over_disgo)
}

packages_over_disgo() {
	git -c safe.directory="$root" grep -l '^//go:build !race' -- '*_test.go' | xargs -r -n1 dirname | sort -u | sed 's|^|./|'
}

# test_pass shows each package's closing line as it comes; a skipped test is a failure, since everything it could wait for is here.
test_pass() {
	local name=$1 status=0
	shift
	printf '\ngo test %s\n' "$*"
	go test "$@" -timeout=15m -json 2>"$logs/$name.stderr" | python3 .ci/lib/tests.py "$logs/$name" || status=$?
	((status == 0)) && return 0
	cat "$logs/$name.stderr" >>"$logs/$name"
	printf '%s\n' "$name" >"$work/failed"
	return "$status"
}

check_tree() {
	[[ -e $root/.git ]] || return 0
	local changed
	changed=$(git -c safe.directory="$root" -C "$root" status --porcelain)
	[[ $changed == "$tree_before" ]] || {
		printf 'the run changed the working tree; before:\n%s\nafter:\n%s\n' "$tree_before" "$changed"
		return 1
	}
}
