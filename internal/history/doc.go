// Package history keeps what became of mail in the last weeks: a line for each recipient that is done with, in
// files that belong to the service user. It is kept to be looked at: mail never waits for it, and what can't be written or read is left
// out. It holds addresses, ids, sizes and a server's words, never a header, a Subject, a body or a credential, and it
// opens no socket.
package history
