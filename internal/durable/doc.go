// Package durable changes files so that a crash leaves either the old state or
// the new one: write, fsync, rename, fsync of the directory. It also holds the
// locks between processes. It is the only package that renames or removes files
// that matter. It never interprets what it writes, and never tries a failed fsync
// again: after a failure the kernel may have dropped the very pages it is about.
package durable
