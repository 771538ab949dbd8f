package setup

// Keep tells what the present configuration says. Its values are offered to the person who is asked, and written again
// only when they change.
func (a *Answers) Keep(present *Answers) { a.kept = present }

// Given reports whether anything was answered, as by flags.
func (a *Answers) Given() bool {
	for _, q := range questions() {
		if !a.open(q) {
			return true
		}
	}
	return a.chooses() || a.PassphraseFile != "" || len(a.Set) > 0
}

// chooses reports whether a credential was chosen; else the present one stays.
func (a *Answers) chooses() bool {
	return a.Type != "" || a.NewCertificate || a.CertFile+a.KeyFile+a.PFXFile+a.SecretFile+a.TokenFile+
		a.IdentityID != "" ||
		!a.Secret.Empty()
}

// Fill takes what nobody has answered from the present configuration.
func (a *Answers) Fill() {
	p := a.kept
	if p == nil {
		return
	}
	if !a.chooses() {
		a.Type = p.Type
		if a.SecretExpires == "" {
			a.SecretExpires = p.SecretExpires
		}
		a.fillFiles()
	}
	fill := func(v *string, was string) {
		if *v == "" {
			*v = was
		}
	}
	if ofType(TypeSecret, TypeCertificate, TypeFederated, TypeDevice)(a) {
		fill(&a.Tenant, p.Tenant)
		fill(&a.ClientID, p.ClientID)
	}
	fill(&a.Mailbox, p.Mailbox)
	fill(&a.Cloud, p.Cloud)
	fill(&a.Kind, p.Kind)
	fill(&a.Way, p.Way)
	fill(&a.RootTo, p.RootTo)
	fill(&a.AlertTo, p.AlertTo)
}

// fillFiles keeps the files of a credential whose type stays.
func (a *Answers) fillFiles() {
	p := a.kept
	if p == nil || a.Type != p.Type {
		return
	}
	for _, f := range [...]struct {
		v   *string
		was string
	}{
		{&a.SecretFile, p.SecretFile}, {&a.CertFile, p.CertFile}, {&a.KeyFile, p.KeyFile}, {&a.PFXFile, p.PFXFile},
		{&a.PassphraseFile, p.PassphraseFile}, {&a.TokenFile, p.TokenFile}, {&a.IdentityID, p.IdentityID},
	} {
		if *f.v == "" {
			*f.v = f.was
		}
	}
}

// keepOthers keeps, of a credential whose type stays, what nobody is asked for.
func (a *Answers) keepOthers() {
	cert, key := a.CertFile, a.KeyFile
	a.fillFiles()
	a.CertFile, a.KeyFile = cert, key
}

// keepsSecret reports whether the client secret stays the one that the configuration has.
func (a *Answers) keepsSecret() bool {
	p := a.kept
	return p != nil && a.Type == TypeSecret && p.Type == TypeSecret && a.Secret.Empty() &&
		a.SecretFile == p.SecretFile &&
		(p.SecretFile != "" || !p.Secret.Empty())
}

// offered is what the present configuration says to a question. A date is the old secret's.
func (a *Answers) offered(q question) string {
	if a.kept == nil || q.secret || q.flag == "secret-expires" || q.flag == "certificate-days" {
		return ""
	}
	return *q.value(a.kept)
}
