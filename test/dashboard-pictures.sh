#!/bin/bash
# Makes the pictures of docs/judges.md again: the dashboard of packaging/prometheus, drawn by Grafana's own widgets
# (npm's @grafana/ui) in headless Chromium, narrow and wide, light and dark, over a Prometheus that scraped three agents
# for five minutes. It needs root, the packages of "make packages", chromium, pngquant, node 18 and npm, which asks its
# registry the first time.
set -eu
cd "$(dirname "$0")/.."
for program in chromium pngquant prometheus curl node npm; do
	command -v "$program" >/dev/null || {
		echo "dashboard-pictures.sh: $program is missing: apt-get install $program (npm and node: nodejs npm)" >&2
		exit 1
	}
done
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
modules=$PWD/test/dashboard/node_modules
(
	cd test/dashboard
	[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund
	# Of @grafana's two builds esbuild reads the CommonJS one as it is meant.
	node_modules/.bin/esbuild view.jsx --bundle --format=esm --minify --jsx=automatic --loader:.ttf=empty \
		--define:process.env.NODE_ENV='"production"' --log-level=warning --outdir="$dir/page" \
		--alias:@grafana/ui="$modules/@grafana/ui/dist/cjs/index.cjs" \
		--alias:@grafana/data="$modules/@grafana/data/dist/cjs/index.cjs"
)
mkdir -p "$dir/page/fonts/inter" docs/pictures
cp test/dashboard/index.html packaging/prometheus/dashboard.json "$dir/page"
ln -s "$modules/@grafana/ui/dist/public/img" "$dir/page/img"
ln -s "$modules/@fontsource/inter/files/inter-latin-400-normal.woff2" "$dir/page/fonts/inter/Inter-Regular.woff2"
ln -s "$modules/@fontsource/inter/files/inter-latin-500-normal.woff2" "$dir/page/fonts/inter/Inter-Medium.woff2"

make build VERSION=1.0.0 >/dev/null
${GO:-go} test -tags system,dashboard -count=1 ./test/system -run '^TestDashboardData$' -args -data "$dir/data"
port=$(node -e 's = net.createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
echo 'global: {}' >"$dir/prometheus.yml"
prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" --web.user-assets="$dir/page" \
	--web.listen-address="127.0.0.1:$port" 2>"$dir/said" &
server=$!
curl -sf -o "$dir/ready" --retry 30 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/-/ready" ||
	{ cat "$dir/said" >&2; exit 1; }
while read -r width height theme; do
	timeout 120 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$dir/profile" \
		--virtual-time-budget=20000 --enable-logging=stderr --window-size="$width,$height" \
		--screenshot="$dir/picture.png" "http://127.0.0.1:$port/user/index.html?theme=$theme&width=$width" \
		2>"$dir/drawn" || { cat "$dir/drawn" >&2; exit 1; }
	! grep CONSOLE "$dir/drawn" >&2 || exit 1 # an error of the page
	pngquant --force --strip --output "docs/pictures/dashboard-$width-$theme.png" 128 "$dir/picture.png"
	echo "docs/pictures/dashboard-$width-$theme.png"
done <<'END'
360 4860 light
360 4860 dark
1400 2310 light
1400 2310 dark
END
