package emulator

import "net/http"

func (e *Emulator) identityHandler() http.Handler { return http.NotFoundHandler() }
