// Package cache keeps access tokens on disk, so that many processes on one host
// share one token and ask for a new one only once. Other packages keep what else such processes share
// in the same directory (see [Cache.Shared]).
//
// Everything lies in one directory (0700) in small files (0600) that are replaced by
// rename. A file that is missing, damaged, foreign or not private is the same as none. The
// cache only ever saves work: when the directory or a lock can't be used, calls go on
// without it and say so once through [Options].Warn.
//
// The files, by the SHA-256 of the key:
//
//	<key>.token             the token (JSON)
//	<key>.refused           the last failed request (JSON)
//	<key>.lock              held by the process that fetches
//	<key>.takeover          held by the process that fetches when the first does not come back
//
// It never talks to the network (the caller's fetch does), never reads
// a configuration file, and never puts a token into an error.
package cache
