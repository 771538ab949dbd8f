package xoauth

import "time"

// Token is an access token with the times that matter to whoever keeps it.
type Token struct {
	// Access is the bearer token.
	Access Secret
	// Obtained is when the request for it was sent, by the local clock.
	Obtained time.Time
	// Expiry is Obtained plus the server's expires_in.
	Expiry time.Time
	// RefreshAt is Obtained plus the server's refresh_in; zero when it sent none.
	RefreshAt time.Time
}
