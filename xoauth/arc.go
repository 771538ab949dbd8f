package xoauth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxArcKey bounds the file that Azure Arc's challenge names.
const maxArcKey = 4096

// arcKey reads the file that a challenge names: proof that this process may read
// what only members of a group may. Any local process could pose as the endpoint, so
// a file is read only if it is one of the agent's.
// Source: learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication.
func (m *ManagedIdentity) arcKey(challenge string) (string, error) {
	path, found := strings.CutPrefix(challenge, "Basic realm=")
	if !found {
		return "", errors.New("the challenge of Azure Arc's agent names no file")
	}
	path = strings.Trim(path, `"`)
	if filepath.Dir(path) != filepath.Clean(m.keyDir) || filepath.Clean(path) != path || filepath.Ext(path) != ".key" {
		return "", fmt.Errorf("the challenge of Azure Arc's agent names the file %q, which is not in %s",
			clean(path, 100), m.keyDir)
	}
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("azure arc's key file %q is not a regular file", clean(path, 100))
	}
	var data []byte
	if err == nil {
		data, err = readSmall(path, maxArcKey)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("azure arc's key file may not be read: add this program's user to the group himds: %w",
			err)
	case err != nil:
		return "", fmt.Errorf("azure arc's key file can't be read: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
