package agent

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"o365-sendmail/internal/envelope"
)

// sharerOf is sharer, with the subordinate ids of a user (subuid(5)) counted as that user.
func (a *Agent) sharerOf(caller envelope.Caller, c net.Conn) who {
	w := sharer(caller, c)
	if id, known := a.owners.of(w.uid); w.uid >= 0 && known {
		w.uid = id
	}
	return w
}

// sharer is whose share a connection counts to.
func sharer(caller envelope.Caller, c net.Conn) who {
	if caller.UID >= 0 {
		return who{uid: caller.UID}
	}
	const host6 = 64 // what one customer or host has at least of IPv6 addresses
	addr := addrPort(c.RemoteAddr()).Addr()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = host6
	}
	from, _ := addr.Prefix(bits) // of an address that is none, the zero Prefix
	return who{uid: -1, from: from}
}

// addrPort is the address of a TCP socket; IPv4 is never in the form of IPv6.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// tcpUID asks the kernel which user of this host has the socket at local that is connected with remote.
func tcpUID(local, remote netip.AddrPort) (uid int, ok bool) {
	if !local.Addr().IsLoopback() {
		return -1, false
	}
	for _, path := range [...]string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		uid, ok := socketUID(f, path[len(path)-1] == '6', local, remote)
		_ = f.Close()
		if ok {
			return uid, true
		}
	}
	return -1, false
}

// socketUID finds an established connection in the kernel's table (proc(5), /proc/net/tcp). A socket that
// its process has closed belongs to nobody, and the table shows it as root's, without an inode.
func socketUID(table io.Reader, six bool, local, remote netip.AddrPort) (uid int, ok bool) {
	const uidField, inodeField = 7, 9
	mark := ": " + tableAddr(local, six) + " " + tableAddr(remote, six) + " 01 "
	for lines := bufio.NewScanner(table); lines.Scan(); {
		line := lines.Text()
		if !strings.Contains(line, mark) {
			continue
		}
		f := strings.Fields(line)
		if len(f) <= inodeField || f[inodeField] == "0" {
			return -1, false
		}
		n, err := strconv.ParseUint(f[uidField], 10, 31)
		return int(n), err == nil
	}
	return -1, false
}

// tableAddr writes an address as the table does: words of 32 bits as this machine stores them.
func tableAddr(a netip.AddrPort, six bool) string {
	b := a.Addr().AsSlice()
	if full := a.Addr().As16(); six {
		b = full[:]
	}
	var s strings.Builder
	for ; len(b) >= 4; b = b[4:] {
		fmt.Fprintf(&s, "%08X", binary.NativeEndian.Uint32(b))
	}
	return fmt.Sprintf("%s:%04X", s.String(), a.Port())
}
