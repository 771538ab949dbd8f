// Package xoauth gets access tokens from Microsoft Entra ID for SMTP submission
// and speaks the XOAUTH2 SASL mechanism. It knows the clouds, the credentials and
// the errors of the token endpoint. It never keeps a token on disk (package cache
// does), never prints a secret, and never reads a configuration file or the
// environment unless a credential is made to.
package xoauth
