# Shared by scripts/test, scripts/fuzz and scripts/check-long: runs builds and tests, keeps the
# totals. Sourced, from the repository root. OUTER_TOTALS: the file of a script that called this one.

meson=/usr/bin/meson
[ -x $meson ] || meson=meson
totals=${OUTER_TOTALS:-}
if [ -z "$totals" ]; then
    totals=$(mktemp)
    trap 'rm -f "$totals"' EXIT
fi

step() { echo "== $* (${SECONDS}s)"; }

# count PASSED FAILED SKIPPED
count() { echo "$1 $2 $3" >>"$totals"; }

# counted COMMAND...: one test, by its exit status: 0 passed, 77 skipped, anything else failed.
counted() {
    local status=0
    "$@" || status=$?
    case $status in
    0) count 1 0 0 ;;
    77) count 0 0 1 ;;
    *)
        echo "FAILED (exit status $status): $*"
        count 0 1 0
        ;;
    esac
}

# build KIND [TARGET...]: false, and one failure counted, when it does not build.
build() {
    step "build: $1"
    scripts/build "$@" && return 0
    echo "$1: FAILED to build"
    count 0 1 0
    return 1
}

# run_tests LABEL DIR MESON-TEST-ARGUMENT...
run_tests() {
    local label=$1 dir=$2
    shift 2
    step "test: $label"
    rm -f "$dir/meson-logs/testlog.json"
    $meson test -C "$dir" --no-rebuild --print-errorlogs --quiet "$@" 2>&1 |
        grep -vE '^ninja: |^Full log written|^$|: +0 *$' || true
    python3 scripts/tally.py "$label" "$dir/meson-logs/testlog.json" "$totals"
}

# names DIR PATTERN: tests of a build folder whose suite or name matches, one a line.
names() {
    $meson introspect --tests "$1" | python3 -c '
import json, re, sys
for test in json.load(sys.stdin):
    if any(re.search(sys.argv[1], one) for one in [test["name"], *test["suite"]]):
        print(test["name"])' "$2"
}

# programs DIR PATTERN: the targets that those tests run, one a line.
programs() {
    $meson introspect --tests "$1" | python3 -c '
import json, re, sys
found = set()
for test in json.load(sys.stdin):
    if any(re.search(sys.argv[1], one) for one in [test["name"], *test["suite"]]):
        found.update(part.split("@@")[1].split("@")[0] for part in test["depends"])
print("\n".join(sorted(found)))' "$2"
}

# Prints the totals as the last line; false when anything failed.
finish() {
    local passed=0 failed=0 skipped=0 p f s
    while read -r p f s; do
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    done <"$totals"
    step "done"
    if [ $skipped -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
    [ $failed -eq 0 ]
}
