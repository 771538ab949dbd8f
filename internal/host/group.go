package host

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// GroupID returns the id of a group, given by its name in /etc/group or by its number; -1 when it is not known.
func GroupID(name string) (gid int, ok bool) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), true
	}
	f, err := open("/etc/group")
	if err != nil || name == "" {
		return -1, false
	}
	defer f.Close()
	return groupID(f, name)
}

// groupID finds a name in lines "name:password:gid:members" (group(5)).
func groupID(r io.Reader, name string) (gid int, ok bool) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20) // a group may have thousands of members
	for sc.Scan() {
		fields := strings.Split(sc.Text(), ":")
		if len(fields) < 3 || fields[0] != name {
			continue
		}
		if n, err := strconv.ParseUint(fields[2], 10, 31); err == nil {
			return int(n), true
		}
	}
	return -1, false
}
