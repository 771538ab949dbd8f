// Package callers runs programs of Debian that send mail by sendmail, each in a fresh Debian system of its own: once
// with a recording stand-in for sendmail, for the truth, and once with this program. It is built with the tag callers;
// `make callers-more` and `make callers-web` make the systems. The machine's own mailer is not touched.
package callers
