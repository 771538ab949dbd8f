package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"o365-sendmail/internal/host"
)

// EnvPath names another configuration file. The agent never looks at it.
const EnvPath = host.ConfigVariable

// Find chooses the configuration file: explicit (-C), else what EnvPath names, else
// ~/.config/o365-sendmail.toml, else SystemPath. The first two are taken unseen, so that a
// typing error in them is told and not passed over. The path is "" when there is no file;
// tried lists where it was looked for. A file that exists but can't be read is found, except
// below home: there a file counts only when the caller owns it, because sudo and cron leave
// other people's HOME behind.
func Find(explicit string, env func(string) string, home string) (path string, tried []string) {
	return find(explicit, env, home, SystemPath)
}

func find(explicit string, env func(string) string, home, system string) (path string, tried []string) {
	if explicit != "" {
		return explicit, []string{explicit}
	}
	if env != nil {
		if named := env(EnvPath); named != "" {
			return named, []string{named}
		}
	}
	if filepath.IsAbs(home) {
		own := filepath.Join(home, ".config", filepath.Base(system))
		tried = append(tried, own)
		if ours(own) {
			return own, tried
		}
	}
	tried = append(tried, system)
	if exists(system) {
		return system, tried
	}
	return "", tried
}

// ours reports whether the caller owns path.
func ours(path string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// exists is false only when there is nothing: a directory that can't be searched may hide a file.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
}

// userHome returns the home directory whose ~/.config holds path, "" for any other place.
func userHome(path string) string {
	dir := filepath.Dir(path)
	if !filepath.IsAbs(dir) || !strings.HasSuffix(dir, "/.config") {
		return ""
	}
	return filepath.Dir(dir)
}
