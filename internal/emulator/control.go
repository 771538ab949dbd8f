package emulator

import "net/http"

func (e *Emulator) controlHandler() http.Handler { return http.NotFoundHandler() }
