package emulator

type device struct{}
type refreshT struct{}

func (q *tokenRequest) deviceCode() (any, error)   { return nil, errGrant("device") }
func (q *tokenRequest) redeemDevice() (any, error) { return nil, errGrant("device") }
func (q *tokenRequest) refresh() (any, error)      { return nil, errGrant("refresh_token") }
