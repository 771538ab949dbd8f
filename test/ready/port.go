package ready

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

var lastPort atomic.Uint32

// Port returns a TCP port that is free, of those that Linux does not give to who asks for any: one that is free now
// would soon be another test's.
func Port() int {
	for range 1000 {
		port := 20000 + (os.Getpid()*97+int(lastPort.Add(1)))%12000
		if l, err := net.Listen("tcp", fmt.Sprint("0.0.0.0:", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	panic("no free port")
}
