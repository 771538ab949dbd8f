package emulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	replyAuthFailed    = "535 5.7.3 Authentication unsuccessful"
	replyAuthTenantOff = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information."
	replyAuthBoxOff    = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information."
	replyAuthDefaults  = "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator."
	replyAuthCriteria  = "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator."
	replyAuthOrg       = "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't allow this authentication request."
	replyBasicOff      = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."
	replyNoLogon       = "430 4.2.0 STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed; Failed to process message due to a transient exception with message [BeginDiagnosticData]Cannot open mailbox. Server = AM0PR00MB0001.eurprd00.prod.outlook.com [EndDiagnosticData]"
	replyMailboxFull   = "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded; Failed to process message due to a permanent exception with message [BeginDiagnosticData]Cannot save changes made to an item to store. [EndDiagnosticData]"
	replyQuota         = "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message due to a permanent exception with message The message can't be submitted because the sender's submission quota was exceeded"
	// The code before this text is assumed.
	replySendSize = "554 5.2.3 MapiExceptionMaxSubmissionExceeded; Message size exceeds maximum size limit.; STOREDRV.Submission.Exception:MessageSubmissionExceededException.MapiExceptionMaxSubmissionExceeded; Failed to process message due to a permanent exception with message [BeginDiagnosticData]Cannot save changes made to an item to store. [EndDiagnosticData]"
	// The per-minute limit's refusal is assumed; Microsoft's pages contradict each other.
	replyPerMinute  = "421 4.4.2 Message submission rate for this client has exceeded the configured limit"
	replyRestricted = "550 5.1.8 Access denied, bad outbound sender"
	replyFromNone   = "550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant: message was sent without a valid \"From\" email address"
	replyFromMany   = "550 5.1.20 Multiple From addresses are not allowed without Sender address"
	replySize       = "552 5.3.4 Message size exceeds fixed maximum message size"
	replyHeaderSize = "552 5.3.4 Header size exceeds fixed maximum size"
	replyBareLF     = "550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds, which cannot be sent via DATA and receiving system does not support BDAT"
)

// signIn goes down the chain that an app's sign-in must pass. It returns the refusal,
// without tag, and why; "" lets the client in.
func (e *Emulator) signIn(user, token string) (reply, why string) {
	st := e.current()
	c, err := e.open(token, e.entraNow(st))
	if err != nil {
		return replyAuthFailed, err.Error()
	}
	if why := wrongToken(st, c); why != "" {
		return replyAuthFailed, why
	}
	tenant := st.Tenants[c.TenantID]
	if tenant == nil {
		return replyAuthFailed, "the token's tenant does not exist"
	}
	address, box := tenant.mailbox(user)
	if st.Exchange.HighVolume {
		return e.volumeSignIn(c, user, box)
	}
	if !box.exists() || box.Volume != nil {
		return replyAuthFailed, fmt.Sprintf("%s is not a mailbox", user)
	}
	if reply := policy(tenant, box); reply != "" {
		return reply, "sign-in policy"
	}
	if c.IDType == "app" {
		return e.appSignIn(tenant, c, address)
	}
	if !slices.Contains(strings.Fields(c.Scopes), scopeSend) {
		return replyAuthFailed, "the token has no scope SMTP.Send"
	}
	own, _ := tenant.mailbox(c.UPN)
	if own != address && !e.granted(tenant, box.FullAccess[strings.ToLower(c.UPN)]) {
		return replyAuthFailed, fmt.Sprintf("user= is %s and the token is of %s", user, c.UPN)
	}
	return "", ""
}

// wrongToken looks at what a token is for.
func wrongToken(st *State, c *claims) string {
	for _, r := range st.Resources {
		if r.Exchange && r.Audience == c.Audience {
			return ""
		}
	}
	return "the token is for " + c.Audience
}

// policy are the switches that refuse a sign-in whoever it is.
func policy(t *Tenant, m *Mailbox) string {
	switch {
	case m.SMTPAuthDisabled != nil && *m.SMTPAuthDisabled:
		return replyAuthBoxOff
	case m.SMTPAuthDisabled == nil && t.SMTPAuthDisabled:
		return replyAuthTenantOff
	case t.SecurityDefaults:
		return replyAuthDefaults
	case t.AuthBlock == "organization":
		return replyAuthOrg
	case t.AuthBlock != "":
		return replyAuthCriteria
	}
	return ""
}

// appSignIn checks Exchange's own record of the application and its permission.
func (e *Emulator) appSignIn(t *Tenant, c *claims, address string) (reply, why string) {
	sp := t.ServicePrincipals[c.AppID]
	switch {
	case sp == nil:
		return replyAuthFailed, "no service principal in Exchange Online for " + c.AppID
	case sp.ObjectID != c.ObjectID:
		return replyAuthFailed, fmt.Sprintf("the service principal in Exchange Online has object id %s, the token %s", sp.ObjectID, c.ObjectID)
	case !e.effective(t, sp.Since):
		return replyAuthFailed, "the service principal is too new (propagation)"
	case c.hasRole(roleSendAsApp) || e.inScope(t, c.AppID, address):
		return "", ""
	}
	return replyAuthFailed, "neither role SMTP.SendAsApp in the token nor " + address + " in the scope of a role assignment"
}

// inScope reports whether App RBAC lets an application send as a mailbox.
func (e *Emulator) inScope(t *Tenant, appID, address string) bool {
	a := t.RoleAssignments[appID]
	if a == nil || !e.effective(t, a.Since) {
		return false
	}
	return a.All || slices.ContainsFunc(a.Mailboxes, func(m string) bool { return strings.EqualFold(m, address) })
}

func (e *Emulator) granted(t *Tenant, g *Grant) bool { return g != nil && e.effective(t, g.Since) }

// effective reports whether a change made then works now.
func (e *Emulator) effective(t *Tenant, since time.Time) bool {
	if since.IsZero() || !e.now().Before(since.Add(time.Duration(t.Propagation))) {
		return true
	}
	return t.Flapping && e.flap()
}

// verdict judges a whole message and returns its refusal, without tag; "" takes it.
func (s *session) verdict(c *content) string {
	st := s.e.current()
	t := st.Tenants[s.tenant]
	if t == nil {
		return replyNoLogon
	}
	box := t.Mailboxes[s.user]
	if !s.e.hold(s, s.user, st.Limits.Connections) {
		return strings.TrimSuffix(s.tooManyConnections(), " "+s.hostTag())
	}
	for _, check := range []func() string{
		func() string { return s.form(st, c) },
		func() string { return s.mailboxAccess(t, box) },
		func() string { return s.senders(st, t, c) },
		func() string { return mailboxLimits(t, box, c) },
		func() string { return s.book(st) },
	} {
		if reply := check(); reply != "" {
			return reply
		}
	}
	return ""
}

// form refuses messages that can't be passed on as they are. The refusals marked
// [strict] are this emulator's own, each can be switched off in State.Strict.
func (s *session) form(st *State, c *content) string {
	m := s.mail
	switch {
	case c.err != nil:
		return "451 4.3.0 emulator: storing the message: " + printable(c.err.Error())
	case st.Exchange.Size > 0 && c.size > st.Exchange.Size:
		return replySize
	case st.Limits.HeaderSize > 0 && c.headerSize > st.Limits.HeaderSize:
		return replyHeaderSize
	case st.Strict.LineEnds && (c.bareLF || c.bareCR):
		return replyBareLF
	case st.Strict.NUL && c.nul:
		return "554 5.6.0 Message contains NUL [strict]"
	case st.Strict.LineLength && c.longest > 998:
		return fmt.Sprintf("554 5.6.0 Line of %d octets is longer than 998 [strict]", c.longest)
	case st.Strict.EightBit && c.eightHead && !m.env.SMTPUTF8:
		return "554 5.6.7 Header has octets over 127 without SMTPUTF8 [strict]"
	case st.Strict.EightBit && c.eightBody && m.env.Body != "8BITMIME" && m.env.Body != "BINARYMIME":
		return "554 5.6.1 Body has octets over 127 without BODY=8BITMIME [strict]"
	}
	return ""
}

// mailboxAccess is the logon to the mailbox, which the sign-in did not try. App RBAC
// needs none, unless the token carries the role: then it is checked nevertheless.
func (s *session) mailboxAccess(t *Tenant, m *Mailbox) string {
	if !m.exists() {
		return replyNoLogon
	}
	c := s.claims
	switch {
	case m.Volume != nil:
		return "" // checked at sign-in
	case c.IDType == "app" && !c.hasRole(roleSendAsApp) && s.e.inScope(t, c.AppID, s.user):
		return ""
	case c.IDType == "app" && s.e.granted(t, m.FullAccess[c.ObjectID]):
		return ""
	case c.IDType != "app":
		return "" // checked at sign-in
	}
	return replyNoLogon
}

// senders checks the header's From and Sender, and MAIL FROM if State.Strict says so.
func (s *session) senders(st *State, t *Tenant, c *content) string {
	fields := headerFields(c.header)
	from := values(fields, "From")
	if len(from) != 1 {
		return replyFromNone
	}
	list, err := addresses(from[0])
	if err != nil || len(list) == 0 {
		s.note("why: From: " + fmt.Sprint(err))
		return replyFromNone
	}
	sender := values(fields, "Sender")
	if len(list) > 1 && len(sender) == 0 {
		return replyFromMany
	}
	for _, v := range sender {
		more, err := addresses(v)
		if err != nil || len(more) != 1 {
			return replyFromNone
		}
		list = append(list, more...)
	}
	if st.Strict.Sender && s.mail.env.From != "" {
		list = append(list, strings.ToLower(s.mail.env.From))
	}
	for _, a := range list {
		if st.Exchange.HighVolume && !strings.EqualFold(a, s.user) {
			return replyVolumeFrom
		}
		if !s.maySendAs(t, a) {
			return s.sendAsDenied(st, a)
		}
	}
	return ""
}

// maySendAs: the subject is the mailbox that signed in, not the application.
func (s *session) maySendAs(t *Tenant, address string) bool {
	primary, m := t.mailbox(address)
	if m == nil {
		return false
	}
	return primary == s.user || s.e.granted(t, m.SendAs[s.user])
}

func (s *session) sendAsDenied(st *State, address string) string {
	const tail = "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent exception with message [BeginDiagnosticData]Cannot submit message. [EndDiagnosticData]"
	if st.Exchange.ShortSendAsDenied {
		return "554 5.2.0 " + tail
	}
	return fmt.Sprintf("554 5.2.252 SendAsDenied; %s not allowed to send as %s; %s", s.user, address, tail)
}

// mailboxLimits are the refusals that depend on mailbox and tenant alone.
func mailboxLimits(t *Tenant, m *Mailbox, c *content) string {
	switch {
	case t.OutboundBlock != "":
		return t.OutboundBlock
	case m.Restricted:
		return replyRestricted
	case m.Full:
		return replyMailboxFull
	case m.MaxSendSize > 0 && c.size > m.MaxSendSize:
		return replySendSize
	}
	return ""
}

// book enters the message in the mailbox's account, below the limits per minute and day.
func (s *session) book(st *State) string {
	for {
		wait, full := s.e.book(s.user, len(s.mail.env.To), st.Limits.PerMinute, st.Limits.RecipientsPerDay, s.e.now())
		switch {
		case full:
			return replyQuota
		case wait <= 0:
			return ""
		case !st.Limits.DelayPerMinute:
			return replyPerMinute
		}
		s.note(fmt.Sprintf("held back for %v (messages per minute)", wait))
		if s.wait(wait) != nil {
			return replyPerMinute
		}
	}
}
