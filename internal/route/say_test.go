package route

import (
	"os"
	"strings"
	"testing"
)

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal can be opened here: %v", err)
	}
	defer terminal.Close()
	if !isTerminal(terminal) || isTerminal(&strings.Builder{}) {
		t.Error("what is a terminal is not known")
	}
}
