// Package archtest holds the rules of the tree as tests: who may import whom,
// what no package does, what no file says. Each rule carries its reason, which
// the failing test prints. The package has no code of its own.
package archtest
