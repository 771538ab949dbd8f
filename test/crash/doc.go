// Package crash holds the tests that kill, starve and fill up the real program: a
// sendmail or an agent is killed at one system call after another, system calls
// fail with what a full disk or a broken one gives, thousands of messages wait while the
// server is down. An in-process emulator is the server, and the oracle is always the same:
// the messages whose caller saw exit code 0 are the messages that arrive, and none is sent
// twice but by a process that was killed between the server's 250 and the mark.
//
// The tests are built with the tag "crash" and need root and strace. The test binary
// starts itself again in private mount and process namespaces, so that it may mount
// small file systems and have /run for itself. They take samples, in under 90 seconds; with
// -long every point is taken, in thousands of messages.
package crash
