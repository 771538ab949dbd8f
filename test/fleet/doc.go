// Package fleet has the tests of several agents that send as one mailbox: processes with spools of their own, three
// NATS servers, and the emulator, which counts what all of them do, as the judge. It has no code of its own.
package fleet
