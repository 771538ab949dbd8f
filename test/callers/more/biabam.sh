# name: biabam
# package: biabam
# as: alice
# to: you@example.org two@example.org
head -c 30000 /usr/bin/tsp >data.bin
echo "the text" | biabam data.bin -s "a file" you@example.org,two@example.org
