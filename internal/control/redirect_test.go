package control

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

// TestRedirect: root and the service user alone redirect, to addresses alone, and what they did is in the log.
func TestRedirect(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, r *rig, as func(int) Queue) {
		id := r.put(alice, "alice@example.com", "x@example.org", "y@example.org")
		var noted []string
		r.local.hooks.Note = func(id, text string) { noted = append(noted, id+": "+text) }
		ctx := context.Background()
		for _, c := range []struct {
			uid  int
			id   string
			to   []string
			code int
		}{
			{alice, id, []string{"z@example.org"}, sysexits.NoPerm}, {bob, id, []string{"z@example.org"}, sysexits.NoPerm},
			{0, id, nil, sysexits.Usage}, {0, id, []string{""}, sysexits.Usage}, {0, id, []string{"z"}, sysexits.Usage},
			{0, id, []string{"z@example.org\r\nDATA"}, sysexits.Usage}, {0, id, []string{"<z@example.org>"}, sysexits.Usage},
			{0, id, []string{"a@example.org, b@example.org"}, sysexits.Usage}, {0, id, []string{"z@ü.example"}, sysexits.Usage},
			{0, id, []string{strings.Repeat("z", 300) + "@example.org"}, sysexits.Usage},
			{0, "20260304050607-0000000000000000", []string{"z@example.org"}, sysexits.NoInput},
		} {
			_, err := as(c.uid).Redirect(ctx, c.id, c.to, false)
			wantCode(t, err, c.code)
		}
		for _, dry := range []bool{true, false} {
			got, err := as(serviceUID).Redirect(ctx, id, []string{"z@example.org"}, dry)
			if want := fmt.Sprint(Redirected{id, []string{"x@example.org", "y@example.org"}, []string{"z@example.org"}}); err != nil ||
				fmt.Sprint(got) != want {
				t.Fatalf("%v %v, want %s", got, err, want)
			}
			if n := len(noted); dry && n > 0 || !dry && n != 1 {
				t.Errorf("dry %v: %q", dry, noted)
			}
		}
		if want := id + ": redirected to z@example.org by uid 990, in place of x@example.org, y@example.org"; noted[0] != want {
			t.Errorf("%q, want %q", noted, want)
		}
		d, err := as(alice).Show(ctx, id)
		if err != nil || len(d.Recipients) != 1 || d.Recipients[0].Address != "z@example.org" ||
			!strings.Contains(d.Log, "redirected to z@example.org by uid 990") {
			t.Errorf("%+v %v", d, err)
		}
		apply(t, as(alice), Delete, queueview.Filter{IDs: []string{id}})
		if want := id + ": deleted by uid 1001"; len(noted) != 2 || noted[1] != want {
			t.Errorf("%q, want %q", noted, want)
		}
	})
}

// TestRedirectQuery: a query that the agent does not know as a whole changes nothing.
func TestRedirectQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.put(alice, "alice@example.com", "x@example.org")
	c := r.as(0)
	for _, query := range []string{"to=z@example.org&dry=0", "to=z@example.org&dri=1", "to=z@example.org&%zz", "",
		"to=z@example.org&dry=1&later=1"} {
		req, err := http.NewRequest(http.MethodPost, "http://agent/v1/queue/"+id+"/redirect?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d", query, resp.StatusCode)
		}
	}
	if d, err := c.Show(context.Background(), id); err != nil || d.Recipients[0].Address != "x@example.org" {
		t.Errorf("%+v %v", d, err)
	}
}
