package cache

import (
	"errors"
	"time"

	"o365-sendmail/xoauth"
)

// retryAfter is the pause that the server asked for; 0 when it asked for none.
func retryAfter(err error) time.Duration {
	var e *xoauth.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	var r interface{ RetryAfterDuration() time.Duration }
	if errors.As(err, &r) {
		return r.RetryAfterDuration()
	}
	return 0
}
