//go:build !linux

package rfc822

import "os"

// unnamedFile makes a file without a name, so that a crash leaves nothing behind.
func unnamedFile(dir string) (*os.File, error) { return namedThenUnlinked(dir) }
