#!/bin/sh
# Makes the pictures of docs/history.md again: the page of "o365-sendmail stats --html" for a made-up host, in headless
# Chromium, narrow and wide, light and dark. It needs Debian's packages chromium and pngquant, and no network.
set -eu
cd "$(dirname "$0")/.."
for program in chromium pngquant; do
	command -v "$program" >/dev/null || {
		echo "history-pictures.sh: $program is missing: apt-get install chromium pngquant" >&2
		exit 1
	}
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
${GO:-go} test -count=1 ./internal/historyview -run '^TestPage$' -args -page "$dir/page.html"
mkdir -p docs/pictures
# Width, height, and the colours that the page is told to prefer: Blink's 0 is dark, 1 is light.
while read -r width height name colours; do
	timeout 60 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$dir/profile" \
		--blink-settings="preferredColorScheme=$colours" --window-size="$width,$height" \
		--screenshot="$dir/picture.png" "file://$dir/page.html" 2>"$dir/said" ||
		{ cat "$dir/said" >&2; exit 1; }
	pngquant --force --strip --output "docs/pictures/stats-$width-$name.png" 32 "$dir/picture.png"
	echo "docs/pictures/stats-$width-$name.png"
done <<'END'
360 1750 light 1
360 1750 dark 0
1400 1420 light 1
1400 1420 dark 0
END
