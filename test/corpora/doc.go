// Package corpora sends the test messages of other mail projects through the program, directly and by way of the
// agent, and has a parser that is not ours compare what arrives. It is built with the tag corpora; `make corpora`
// fetches the messages. Nothing of them is part of this project.
package corpora
