// Package setup asks for what a configuration needs, checks the form of each answer at
// once, writes the configuration, and prints what is to be done in the tenant: the clicks
// in the portal and the PowerShell with the tenant's own values.
//
// It connects to nothing and changes nothing in the tenant. It never shows a secret: what
// is typed for one is not echoed, and no text that it prints holds one.
package setup
