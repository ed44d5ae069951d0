"""Reads `go test -json`, shows each package's closing line, and writes to the file named first why the run fails.

A skipped test fails the run. The one reason that is let through: a test of file permissions cannot run as root.
"""

import collections
import json
import sys

ALLOWED = "as root"  # part of the reason of a skip that is let through


def main():
    report = open(sys.argv[1], "w", encoding="utf-8")
    said = collections.defaultdict(list)  # output by (package, test)
    failed, skipped, builds, count = [], [], [], 0
    for line in sys.stdin:
        try:
            event = json.loads(line)
        except ValueError:
            report.write(line)
            continue
        action, package, test = event.get("Action"), event.get("Package", ""), event.get("Test", "")
        key, output = (package, test), event.get("Output", "")
        if action == "build-output":
            builds.append(output)
        elif action == "output":
            if not test and output.startswith(("ok  \t", "FAIL\t", "?   \t")):
                print(output, end="", flush=True)
            said[key].append(output)
        elif action == "pass" and test:
            count += 1
            said.pop(key, None)
        elif action == "fail":
            failed.append(key)
        elif action == "skip" and test and ALLOWED not in "".join(said[key]):
            skipped.append(key)
    report.writelines(builds)
    for package, test in failed:
        report.write(f"\n--- FAIL: {package} {test}\n")
        report.writelines(said[package, test][-60:])
    for package, test in skipped:
        reason = " ".join(part.strip() for part in said[package, test] if not part.startswith(("=== ", "--- ")))
        report.write(f"skipped, which fails here: {package} {test}: {reason}\n")
    if failed:
        report.write("failed: " + ", ".join(f"{p} {t}".strip() for p, t in failed) + "\n")
    if not count:
        report.write("no test passed\n")
    print(f"{count} tests passed, {len([t for _, t in failed if t])} failed, {len(skipped)} skipped")
    sys.exit(bool(failed or skipped or builds or not count))


main()
