# name: task-spooler `tsp -m`
# package: task-spooler
# as: alice
# background: yes
# to: you@example.org
export TS_SOCKET=/tmp/ts TS_MAILTO=you@example.org
tsp -m sh -c 'echo Grüße; echo .; echo ..' >/dev/null
tsp -w
/standin/called 1
