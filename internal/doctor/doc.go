// Package doctor goes along the way that a message takes, from the configuration file to
// Exchange Online's reply, and says of each step whether it is in order and, if not, what
// to do. A step that needs a broken one is skipped, so that only the broken one is named.
//
// It sends no message unless Options.Send is set, changes nothing but the token cache,
// and never shows a secret or a token. What the caller may not see is reported as unseen,
// not as broken.
package doctor
