// Package spool keeps accepted messages on disk until they are delivered. One
// file holds one message: an immutable text head with the envelope, a small status
// area that is overwritten in place, and the exact bytes to send. A message is
// accepted when its file was synced, renamed to its final name, and the directory was
// synced; before that nothing of it stays. Several processes may share one spool.
// docs/spool-format.md specifies the files.
//
// The package never delivers, never decides when to try again, never opens a
// socket, never trusts what it finds on disk, and never deletes a file that it can't read.
package spool
