# name: swatchdog, action `mail`
# package: swatch
# to: you@example.org
cat >conf <<'E'
watchfor /panic/
	mail addresses=you@example.org,subject="panic seen"
E
printf 'all well\nkernel panic, grüße\n' >log
swatchdog --config-file=conf --examine=log >/dev/null
