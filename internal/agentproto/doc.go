// Package agentproto is what the agent and this program's own client tell each other in
// plain SMTP: the per-call options that travel in a private header field, and how exit
// codes and refused recipients are written into replies so that the client gets them
// back. It opens nothing, and a client that knows nothing of it still speaks correct SMTP.
package agentproto
