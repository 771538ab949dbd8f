package emulator

const backEndTag = " [Hostname=AM0PR00MB0001.eurprd00.prod.outlook.com]"

// refusal is a fault that is one reply at one stage.
func refusal(name, stage, reply, summary, unconfirmed string) Fault {
	tag := backEndTag
	if stage == "auth" || stage == "ehlo" {
		tag = " [AM0PR00CA0001.eurprd00.prod.outlook.com 2026-01-10T08:34:00.456Z 08DE05E7CF894786]"
	}
	return Fault{Name: name, Stage: stage, Shows: reply, Summary: summary, Unconfirmed: unconfirmed,
		rules: []Rule{{Stage: stage, Reply: reply + tag}}}
}

// passwordFaults are the refusals that a sign-in gets which the server takes for one by password.
func passwordFaults() []Fault {
	const because = "535 5.7.139 Authentication unsuccessful, "
	return []Fault{
		refusal("auth-basic-off", "auth", because+"basic authentication is disabled.",
			"the sign-in is taken for one by password", "seen with passwords only"),
		refusal("auth-basic-wrong", "auth", because+"the user credentials were incorrect.", "the same in other words",
			"seen with passwords only"),
		refusal("auth-sts-down", "auth", because+"federated STS service was unreachable.",
			"a federated sign-in by password", "seen with passwords only"),
		refusal("auth-sts-plain", "auth", because+"the federated STS URL does not support HTTPS.",
			"the same without HTTPS", "seen with passwords only"),
		refusal("auth-personal", "auth", replyAuthBoxOff, "a personal mailbox made lately: nothing switches SMTP on",
			"field reports, 2026-09"),
	}
}

// volumeSignInFaults are High Volume Email's refusals of a sign-in (learn.microsoft.com, troubleshooting of
// High Volume Email).
func volumeSignInFaults() []Fault {
	const words = "Microsoft's page has the code and its meaning, not these words"
	faults := []Fault{
		refusal("hve-token-expiring", "auth", "535 5.7.142 Authentication unsuccessful, token will expire soon",
			"High Volume Email: the token has too little time left", words),
		refusal("hve-token-expired", "auth", "535 5.7.143 Authentication unsuccessful, expired token",
			"High Volume Email: the token has expired", words),
		refusal("hve-permission", "auth", "535 5.7.144 Authentication unsuccessful, Invalid API permissions",
			"High Volume Email: Mail.Send has no consent", words),
		refusal("hve-app-access", "auth", "550 5.7.240 The application is not allowed for use with this High Volume "+
			"Email account", "Add-HVEAppAccess was not run", ""),
		refusal("hve-no-account", "auth", "550 5.2.240 The mailbox is not a High Volume Email account",
			"High Volume Email: the mailbox is an ordinary one",
			"field reports have the code; stage and words are assumed"),
	}
	for _, n := range []string{"121", "122", "123", "125", "126"} {
		faults = append(faults, refusal("hve-form-"+n, "auth", "501 5.5."+n+" Invalid XOAUTH2 auth data",
			"High Volume Email can't read the sign-in", words))
	}
	return faults
}

// accountFaults are refusals that are the account's, not the message's.
func accountFaults() []Fault {
	throttled := func(name, number, kind, unconfirmed string) Fault {
		return refusal("throttled-"+name, "dot", "550 5.2."+number+" Sender throttled due to continuous "+
			kind+" errors.",
			"the mailbox is throttled for a while: "+kind, unconfirmed)
	}
	const stage = "the stage at which it shows"
	return []Fault{
		throttled("mailbox-full", "251", "mailbox full", stage),
		throttled("send-as", "252", "send as denied", stage),
		throttled("licence", "253", "invalid license", stage),
		throttled("many-recipients", "254", "too many recipients", stage+"; a log has this number with other words"),
		throttled("recipients", "255", "invalid recipients", stage),
		throttled("recipients-seen", "254", "invalid recipients", stage),
		refusal("outside-quota", "dot",
			"550 5.7.236 Access denied, the organization has exceeded its limit of external recipients for "+
				"onmicrosoft.com senders",
			"100 outside recipients from addresses below onmicrosoft.com within the day",
			"Microsoft's page has the code and its meaning, not these words"),
		refusal("licence-invalid", "dot", "554 5.2.0 STOREDRV.Submission.Exception:InvalidLicenseException; "+
			"the mailbox has no valid licence",
			"the mailbox's licence has lapsed", "Microsoft names the error, not its code and words"),
		refusal("limit-unknown", "dot", "550 5.7.999 Access denied, a sending limit has been reached, please try "+
			"again later",
			"a limit of which nobody knows yet", "it stands for what will come"),
	}
}

// messageFaults are refusals that a message brings on itself, or its envelope.
func messageFaults() []Fault {
	return []Fault{
		refusal("ehlo-name", "ehlo", "501 5.5.4 Invalid domain name", "the name of EHLO is not taken",
			"seen on the MX host"),
		refusal("mail-starttls", "mail", "451 5.7.3 STARTTLS is required to send mail",
			"the server has seen no STARTTLS", ""),
		refusal("mail-not-signed-in", "mail", "530 5.7.57 Client not authenticated to send mail.",
			"the server has seen no AUTH", ""),
		refusal("recipient-rate", "rcpt", "550 5.2.121 The recipient's hourly message receive limit from this sender "+
			"is exceeded", "a recipient gets too much mail from here", "seen in reports, after 250"),
		refusal("recipient-busy", "rcpt",
			"550 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour",
			"a recipient gets too much mail", "seen in reports, after 250"),
		refusal("header-field-size", "dot",
			"554 5.6.211 Single text value size (33061) exceeded allowed maximum (32768) for the 'References' header",
			"a header field has more than 32,768 octets", ""),
		refusal("from-several", "dot", replyFromMany, "several From addresses and no Sender",
			"seen in reports, after 250"),
		refusal("from-none", "dot", replyFromNone, "no valid From", "seen in reports, after 250"),
		refusal("bare-lf", "dot", replyBareLF, "a server behind takes no bare line feeds",
			"seen in reports, after 250"),
	}
}

// chunkFaults are what BDAT has met (MailKit 904 and 921, hMailServer 261): a server that offers it and
// fails at it. DATA works.
func chunkFaults() []Fault {
	refused := func(name, reply, unconfirmed string, unread bool) Fault {
		return Fault{Name: name, Stage: "bdat", Shows: reply, Summary: "CHUNKING is offered, and BDAT is refused",
			Unconfirmed: unconfirmed,
			change:      setting(func(s *State) { s.Exchange.BDAT, s.Exchange.BDATUnread = reply, unread })}
	}
	return []Fault{
		refused("bdat-500", "500 5.3.3 Unrecognized command 'BDAT'", "the words are those for other verbs", true),
		refused("bdat-502", "502 5.5.1 Command not implemented", "assumed", false),
		refused("bdat-503", "503 5.5.2 Bad sequence of commands", "assumed", false),
		refused("bdat-552", "552 5.3.4 Header size exceeds fixed maximum size", "", false),
		{Name: "bdat-silent", Stage: "bdat", Summary: "CHUNKING is offered, and BDAT gets no answer",
			change: setting(func(s *State) { s.Exchange.BDAT = "silent" })},
		{Name: "8bit-damaged", Stage: "kept", Summary: "8-bit text in a multipart arrives damaged (MailKit 1999)",
			Unconfirmed: "how it is damaged",
			change:      setting(func(s *State) { s.Exchange.Mangle8Bit = true })},
	}
}

// volumeFaults are High Volume Email's refusals of a message.
func volumeFaults() []Fault {
	const words = "field reports have the code; stage and words are assumed"
	return []Fault{
		refusal("hve-mail-from", "mail", "550 5.7.62 The sender address is not the High Volume Email account",
			"High Volume Email: another MAIL FROM than the account", words),
		refusal("hve-from", "dot", "550 5.6.241 The From address is not the High Volume Email account",
			"High Volume Email: another From than the account", words),
		refusal("hve-outside", "rcpt", "550 5.5.105 External sending is not supported for High Volume Email accounts",
			"High Volume Email: a recipient outside the organisation", "the stage at which it shows"),
		{Name: "session-token-expired", Stage: "mail", Shows: "535 5.7.143 Authentication unsuccessful, expired token",
			Unconfirmed: "stage and words are assumed",
			Summary:     "High Volume Email: the token expires in the session (once)",
			rules: []Rule{{Stage: "mail", Reply: "535 5.7.143 Authentication unsuccessful, expired token",
				First: 1}}},
	}
}
