#!/bin/bash
# chromium --headless --window-size=360,800 --screenshot writes a picture that is 360 pixels wide, but for the scripts of
# the page the window is 500 wide until the picture is taken, when they get a resize event: a page that a script lays out
# by the width it finds is cut at the right, one that CSS alone lays out is not.
# Seen with Debian 12's chromium 156.0.8078.114-1~deb12u1. Needs chromium; ends with 1 when that changes, 2 when it can't
# run.
set -euo pipefail
command -v chromium >/dev/null || { echo "it needs chromium"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chromium --version 2>/dev/null
cat >"$work/page.html" <<'E2'
<!doctype html>
<script>
const look = () => console.log(`width ${innerWidth}, narrow ${matchMedia('(max-width: 400px)').matches}`);
look();
addEventListener('resize', look);
</script>
E2
timeout 60 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --window-size=360,800 \
	--enable-logging=stderr --screenshot="$work/picture.png" "file://$work/page.html" >"$work/log" 2>&1 ||
	{ cat "$work/log"; exit 2; }
sed -n 's/.*CONSOLE[^"]*"\([^"]*\)".*/script: \1/p' "$work/log" | tee "$work/out"
echo "picture: $(od -An -tu4 --endian=big -j16 -N4 "$work/picture.png" | tr -d ' ') pixels wide" | tee -a "$work/out"
diff "$work/out" - <<'E2' || { echo "CHANGED"; exit 1; }
script: width 500, narrow false
script: width 360, narrow true
picture: 360 pixels wide
E2
