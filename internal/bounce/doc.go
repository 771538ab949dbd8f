// Package bounce writes the messages that this program sends of its own accord: delivery
// status notifications (RFC 3464) and notices to the administrator. It decides neither
// whether one is due nor who gets it, and it sends nothing.
package bounce
