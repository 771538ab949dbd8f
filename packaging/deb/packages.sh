#!/bin/sh
# Sees to the Debian packages that build and test the package. FULL=1 takes piuparts too.
set -eu
exec "$(dirname "$0")/../../test/packages.sh" deb ${FULL:+full}
