// Package xoauth gets access tokens from Microsoft Entra ID for SMTP submission
// and speaks the XOAUTH2 SASL mechanism. It knows the clouds, the credentials and
// the errors of the token endpoint. It never keeps a token on disk (package cache
// does), never prints a secret, and never reads a configuration file or the
// environment unless a credential is made to.
//
// An application signs in with a Source and a Credential: ClientSecret, TwoSecrets,
// Certificate or FederatedFile. ManagedIdentity and DeviceCode are token sources of
// their own. Each gives a Token or an *Error, which says whether waiting helps
// (Temporary) or an administrator must act (Configuration), and what to do (Advice).
// InitialResponse then puts the token into an SMTP session, and ParseClaims
// shows what it grants.
package xoauth
