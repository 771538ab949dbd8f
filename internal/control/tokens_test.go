package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// TestPeerInGroup: the kernel's word on the groups of a peer, which is this process.
func TestPeerInGroup(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	mine := append(groups, os.Getegid())
	for _, gid := range append(slices.Clone(mine), -1, unknownGroup, 1999999999) {
		want := gid >= 0 && gid != unknownGroup && slices.Contains(mine, gid)
		if in, err := peerInGroup(peer, gid); in != want || err != nil {
			t.Errorf("group %d: %v %v", gid, in, err)
		}
	}
	a, b := net.Pipe()
	defer b.Close()
	if in, err := peerInGroup(a, os.Getegid()); in || err == nil {
		t.Errorf("of a pipe: %v %v", in, err)
	}
}

// TestToken: who asks for a token is asked about by the groups that the kernel knows of, and never by a request's word.
func TestToken(t *testing.T) {
	t.Parallel()
	want := xoauth.Token{Access: xoauth.NewSecret("a.token"), Obtained: later, Expiry: later.Add(time.Hour)}
	group, got := 1999999999, time.Duration(0)
	source := func(s *Server) {
		s.Token = func(_ context.Context, _ int, may func(int) bool, most time.Duration) (xoauth.Token, error) {
			if got = most; !may(group) {
				return xoauth.Token{}, sysexits.With(sysexits.NoPerm, errors.New("not for this user"))
			}
			return want, nil
		}
	}
	r := newRig(t)
	q := r.as(alice, source)
	_, err := q.Token(t.Context(), -1)
	wantCode(t, err, sysexits.NoPerm)
	if _, err = r.as(serviceUID, source).Token(t.Context(), 0); err != nil || got != 0 {
		t.Errorf("the service user: %v, %v", err, got)
	}
	group = os.Getegid()
	for _, most := range []time.Duration{-1, 0, 5 * time.Minute} {
		if back, err := q.Token(t.Context(), most); err != nil || back != want || got != most {
			t.Errorf("%v: %v, %v", most, err, got)
		}
	}
	_, err = r.as(alice).Token(t.Context(), -1)
	wantCode(t, err, sysexits.NoInput)
	for _, age := range []string{"soon", "-1s"} {
		if _, err := q.ask(t.Context(), "POST", "/v1/token", map[string][]string{tokenQuery: {age}}); err == nil {
			t.Errorf("an age of %s is taken", age)
		}
	}
	if _, err := q.ask(t.Context(), "GET", "/v1/token", nil); err == nil || !strings.Contains(err.Error(), "POST") {
		t.Errorf("GET: %v", err)
	}
}
