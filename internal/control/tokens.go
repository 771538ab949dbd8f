package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// TokenSource gives the token of the agent's account to a user for whom may is true, of root, of the service user and
// of members of a group by its id. most is the age from which on a token is replaced, negative for none.
type TokenSource func(ctx context.Context, uid int, may func(gid int) bool, most time.Duration) (xoauth.Token, error)

// tokenQuery names the age in a request; without it each token of the cache will do.
const tokenQuery = "refresh_if_older"

// tokenReply is an answer with a token.
type tokenReply struct {
	Access    string    `json:"access_token"`
	Obtained  time.Time `json:"obtained"`
	Expiry    time.Time `json:"expires"`
	RefreshAt time.Time `json:"refresh_at,omitzero"`
}

func (a *answer) token(r *http.Request, _ []string) error {
	most := time.Duration(-1)
	if age := r.URL.Query().Get(tokenQuery); age != "" {
		d, err := time.ParseDuration(age)
		if err != nil || d < 0 {
			return usage(errors.New(tokenQuery + " is no duration"))
		}
		most = d
	}
	if a.s.Token == nil {
		return sysexits.With(sysexits.NoInput, errors.New("the agent has no tokens"))
	}
	a.patience()
	t, err := a.s.Token(r.Context(), a.viewer.UID, func(gid int) bool { return a.viewer.All || a.inGroup(r, gid) }, most)
	if err != nil {
		return err
	}
	return a.reply(tokenReply{t.Access.Reveal(), t.Obtained, t.Expiry, t.RefreshAt})
}

// inGroup reports whether the process that asks was in a group when it connected.
func (a *answer) inGroup(r *http.Request, gid int) bool {
	c, ok := r.Context().Value(connKey{}).(*guarded)
	if !ok {
		return false
	}
	in, err := peerInGroup(c.Conn, gid)
	return in && err == nil
}

// Token returns an access token of the agent's account, a new one if that in its cache is as old as most; negative
// takes each. The agent bounds how often.
func (c *Client) Token(ctx context.Context, most time.Duration) (t xoauth.Token, err error) {
	q := url.Values{}
	if most >= 0 {
		q.Set(tokenQuery, most.String())
	}
	body, err := c.ask(ctx, http.MethodPost, "/v1/token", q)
	if err != nil {
		return t, err
	}
	defer body.Close()
	var r tokenReply
	if err := json.NewDecoder(body).Decode(&r); err != nil || r.Access == "" {
		return t, c.broken(errors.Join(err, errors.New("no token came")))
	}
	return xoauth.Token{Access: xoauth.NewSecret(r.Access), Obtained: r.Obtained, Expiry: r.Expiry,
		RefreshAt: r.RefreshAt}, nil
}
