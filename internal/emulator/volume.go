package emulator

import (
	"fmt"
	"slices"
	"strings"
)

// Replies of High Volume Email (learn.microsoft.com, troubleshooting of High Volume Email; the codes from 5.7.62 on
// are field reports'). The pages have codes and meanings, and not all words.
const (
	replyVolumeUser    = "501 5.5.124 Invalid XOAUTH2 auth data"
	replyVolumeRole    = "535 5.7.144 Authentication unsuccessful, Invalid API permissions"
	replyVolumeApp     = "550 5.7.240 The application is not allowed for use with this High Volume Email account"
	replyVolumeNone    = "550 5.2.240 The mailbox is not a High Volume Email account"
	replyVolumeOutside = "550 5.5.105 External sending is not supported for High Volume Email accounts"
	replyVolumeSender  = "550 5.7.62 The sender address is not the High Volume Email account"
	replyVolumeExpired = "535 5.7.143 Authentication unsuccessful, expired token"
	replyVolumeFrom    = "550 5.6.241 The From address is not the High Volume Email account"

	roleMailSend = "Mail.Send"
)

// VolumeAccount is what makes a mail user an account of High Volume Email.
type VolumeAccount struct {
	// Apps are the object ids of the enterprise applications on the account's list (Add-HVEAppAccess).
	Apps []string `json:"apps"`
}

// HighVolume makes the front end that of High Volume Email, and the mailboxes of the default application accounts of
// it that the application may use: 50 recipients and 10 MB a message, no rate.
func HighVolume(s *State) {
	for _, t := range s.Tenants {
		for address, m := range t.Mailboxes {
			if m.FullAccess[DefaultObjectID] != nil {
				t.Mailboxes[address] = &Mailbox{Shared: true, Volume: &VolumeAccount{Apps: []string{DefaultObjectID}}}
			}
		}
		for _, a := range t.Apps {
			if a.ObjectID == DefaultObjectID {
				a.Roles = []string{roleMailSend}
			}
		}
	}
	s.Exchange.HighVolume, s.Exchange.Size = true, 10<<20
	s.Limits.Recipients, s.Limits.PerMinute, s.Limits.RecipientsPerDay = 50, 0, 0
}

// volumeSignIn goes down the chain of High Volume Email. The tenant's switches of SMTP AUTH do not touch it.
func (e *Emulator) volumeSignIn(c *claims, user string, box *Mailbox) (reply, why string) {
	switch {
	case !box.exists():
		return replyVolumeUser, fmt.Sprintf("%s is not an account", user)
	case box.Volume == nil:
		return replyVolumeNone, fmt.Sprintf("%s is an ordinary mailbox", user)
	case !c.hasRole(roleMailSend):
		return replyVolumeRole, "the token has no role " + roleMailSend
	case !slices.Contains(box.Volume.Apps, c.ObjectID):
		return replyVolumeApp, "the account's list of applications lacks the object id " + c.ObjectID
	}
	return "", ""
}

// volumeSender refuses a MAIL FROM that is not the account, and any once the session's token has expired; "" takes it.
func (s *session) volumeSender(address string) string {
	if !s.e.current().Exchange.HighVolume {
		return ""
	}
	if s.e.now().Unix() >= s.claims.Expires {
		return replyVolumeExpired + " " + s.tag()
	}
	if address != "" && !strings.EqualFold(address, s.user) {
		return replyVolumeSender + " " + s.tag()
	}
	return ""
}

// volumeRecipient refuses a recipient outside the organisation; "" takes it.
func (s *session) volumeRecipient(st *State, address string) string {
	t := st.Tenants[s.tenant]
	domain := address[strings.LastIndexByte(address, '@')+1:]
	if !st.Exchange.HighVolume || t == nil ||
		slices.ContainsFunc(t.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return ""
	}
	return replyVolumeOutside + " " + s.tag()
}
