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

# run_tests shows each package's closing line as it comes; a skipped test is a failure, since everything it could wait for is here.
run_tests() {
	local status=0
	printf '\ngo test ./... -race -shuffle=on\n'
	go test ./... -race -shuffle=on -timeout=15m -json 2>"$logs/tests.stderr" | python3 .ci/lib/tests.py "$logs/tests" || status=$?
	((status == 0)) && return 0
	cat "$logs/tests.stderr" >>"$logs/tests"
	printf 'tests\n' >"$work/failed"
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
