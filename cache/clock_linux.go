package cache

import (
	"bytes"
	"os"
	"syscall"
)

// systemUptime is CLOCK_BOOTTIME in whole seconds.
func systemUptime() int64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Uptime) // 32 bits wide on some machines
}

// systemBoot is the kernel's random id of this boot (proc(5)), "" without /proc.
func systemBoot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(id) > 64 {
		return ""
	}
	return string(bytes.TrimSpace(id))
}
