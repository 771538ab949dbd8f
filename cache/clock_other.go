//go:build !linux

package cache

func systemUptime() int64 { return 0 }
func systemBoot() string  { return "" }
