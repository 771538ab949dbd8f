// Package pkgtest installs the Debian package in fresh Debian systems and uses it there
// as a newcomer would. Its tests have the build tag "package" and need root, debootstrap
// and a built package: "make package" runs them.
package pkgtest
