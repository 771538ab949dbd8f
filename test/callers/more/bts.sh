# name: devscripts `bts`
# package: devscripts
# as: alice
# to: control@bugs.debian.org
DEBEMAIL=alice@web1.example DEBFULLNAME='Alice Ärger' bts --no-interactive --no-include-resolved --no-cache tags 1 + patch
