// Command attack runs package attack as a process, so that it can have a user of its own, until its
// standard input ends.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"o365-sendmail/test/attack"
)

func main() {
	socket := flag.String("socket", "", "the agent's socket")
	form := flag.String("form", "idle", "where a connection stands still")
	size := flag.Int("size", 1<<20, "how much it sends, in bytes")
	n := flag.Int("n", 512, "connections")
	flag.Parse()
	a := attack.Start(*socket, *form, *size, *n)
	fmt.Println("started")
	_, _ = io.Copy(io.Discard, os.Stdin)
	a.Stop()
}
