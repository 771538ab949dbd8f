// Package fleet is the quota.Limiter of several hosts that send as the same mailboxes: it keeps connection slots and
// counts messages and recipients in NATS JetStream. It carries no mail and stores none: each message leaves from the
// spool of the host that accepted it.
//
// What is where, for a fleet NAME and a mailbox M (in the form of encode):
//
//	stream NAME-minute-M  a message of the last minute each; full means wait
//	stream NAME-day-M     a recipient of the last 24 hours each
//	bucket NAME           slot.M.N   who has slot N of M; expires unless it is renewed
//	                      host.H.ID  what a host says of itself; expires, too
//	                      (their subjects are NAME.minute.M.> and NAME.day.M.>)
//	subject NAME.ask.H    requests to the agent of host H, for a view of all queues
//
// No time of a client's clock goes there: servers count the ages, and a client measures by a clock that is never set
// and runs on while the machine sleeps (CLOCK_BOOTTIME). Every call has a deadline. One that is late makes the servers
// unreachable for all who ask (link), until a try in the background is answered in time.
package fleet
