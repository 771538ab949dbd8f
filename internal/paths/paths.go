// Package paths names the files and variables that programs and packages have to agree on.
// It holds constants only.
package paths

const (
	// Socket is where the agent of a package installation listens.
	Socket = "/run/o365-sendmail/submit.sock"
	// ConfigVariable is the environment variable that names another configuration file.
	ConfigVariable = "O365_SENDMAIL_CONFIG"
	// SilentVariable is set by the quick program when it turns into the whole one after it has waited in
	// vain for the agent: to its process id, which is the whole program's then.
	SilentVariable = "O365_SENDMAIL_AGENT_SILENT"
	// Program is where a package installs the whole program, for the quick one to start.
	Program = "/usr/sbin/o365-sendmail"
)
