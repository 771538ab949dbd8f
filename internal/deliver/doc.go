// Package deliver takes messages to Exchange Online: it joins the token, the session
// and the limits of an account, tries a message, and says for each recipient what became
// of it.
//
// An Engine delivers what is in a spool, in the order that package queue decides. Each mailbox that signs in
// has its couriers, at most as many as the account allows connections, each with one session on which it
// sends messages ahead of the replies. What becomes of a try is judged by whose fault it was:
//
//   - The message's own trouble puts off or ends that message, recipient by recipient.
//   - Trouble of the account (no network, no token, a quota, a block) pauses everything that it
//     concerns. It counts for no message. After a while one message tries, and the rest follows
//     when that one passes.
//   - A fault of the configuration holds everything that it concerns in the same way, for as long as
//     it lasts: nothing is bounced, and somebody is told once, again after a day, and when
//     it is over.
//
// To its callers an Engine is an envelope.Submitter: a caller is told "delivered" when the server
// has taken the message, or "queued" when it is on stable storage, and nothing else. In a process without
// an agent the Engine is not run (Alone), and may have no spool. What became of each recipient is an Outcome,
// whichever way the message went; answers, log, spool and counters are read from it.
//
// What an account may use is given out by a quota.Limiter: the host's own, or one for many hosts. A slot that is lost
// ends its session, and while nobody can tell what other hosts have used, mail waits or goes at this host's share.
//
// Delivery is at least once. A message may arrive twice, with the same Message-ID, in two cases:
// the connection or the process ended between its last byte and the reply, or the process or the
// machine ended between the reply and the removal of its file from the spool.
//
// The package parses no configuration, rewrites no message and decides no turn.
package deliver
