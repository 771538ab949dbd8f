package emulator

func (q *tokenRequest) checkAssertion(assertion string) error { return errNoCredential() }
