package emulator_test

import (
	"encoding/base64"
	"testing"

	"o365-sendmail/internal/emulator"
)

func TestPassword(t *testing.T) {
	t.Parallel()
	const (
		off    = `^535 5\.7\.139 Authentication unsuccessful, basic authentication is disabled\.` + tagPattern
		wrong  = `^535 5\.7\.3 Authentication unsuccessful` + tagPattern
		noAuth = `^535 5\.7\.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox\.`
		good   = `^235 2\.7\.0 Authentication successful$`
	)
	disabled := true
	for _, tc := range []struct {
		name, user, password string
		set                  string
		change               func(*emulator.Mailbox)
		want                 string
	}{
		{"none set", emulator.DefaultMailbox, "", "", nil, off},
		{"good", emulator.DefaultMailbox, "let me in", "let me in", nil, good},
		{"wrong", emulator.DefaultMailbox, "let me", "let me in", nil, wrong},
		{"empty", emulator.DefaultMailbox, "", "let me in", nil, wrong},
		{"no mailbox", "nobody@contoso.test", "let me in", "let me in", nil, off},
		{"another mailbox", "alerts@contoso.test", "let me in", "let me in", nil, off},
		{"switched off", emulator.DefaultMailbox, "let me in", "let me in",
			func(m *emulator.Mailbox) { m.SMTPAuthDisabled = &disabled }, noAuth},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := emulator.New(t, func(o *emulator.Options) {
				o.State = func(st *emulator.State) {
					m := st.Mailbox(emulator.DefaultMailbox)
					m.Password = tc.set
					if tc.change != nil {
						tc.change(m)
					}
				}
			})
			c := secure(t, e)
			c.want("334 VXNlcm5hbWU6", "AUTH LOGIN")
			c.want("334 UGFzc3dvcmQ6", "%s", base64.StdEncoding.EncodeToString([]byte(tc.user)))
			match(t, tc.want, c.cmd("%s", base64.StdEncoding.EncodeToString([]byte(tc.password))))
			if tc.want == good {
				match(t, `^250 2\.0\.0 OK <1@example\.test> `, c.send(message(e)))
			}
		})
	}
}

// TestPasswordInitial is the form of RFC 4954's initial response.
func TestPasswordInitial(t *testing.T) {
	t.Parallel()
	e := emulator.New(t, func(o *emulator.Options) {
		o.State = func(st *emulator.State) { st.Mailbox(emulator.DefaultMailbox).Password = "p" }
	})
	c := secure(t, e)
	c.want("334 UGFzc3dvcmQ6", "AUTH LOGIN %s", base64.StdEncoding.EncodeToString([]byte(e.Mailbox)))
	c.want("235 2.7.0 Authentication successful", "cA==")
}
