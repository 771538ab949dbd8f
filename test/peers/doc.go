// Package peers runs test suites that others wrote for their own mail programs against this one: their scripts as they
// are, with sendmail and the Microsoft 365 in a box behind the names that the scripts call, and their tables of
// addresses. It is built with the tag peers; `make peer-suites` fetches the suites. Nothing of them is part of this
// project.
package peers
