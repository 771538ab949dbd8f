# name: mpack
# package: mpack
# as: alice
# to: you@example.org two@example.org
head -c 30000 /usr/bin/tsp >data.bin
mpack -s "a file" data.bin you@example.org two@example.org
