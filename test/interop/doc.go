// Package interop holds the tests that ask an independent OAuth server for
// tokens: npm's oidc-provider, a certified implementation of OpenID Connect. It
// shares no code with this project, so a mistake in our assertions that our own
// emulator makes too shows here.
//
// The script that setup writes for the tenant is parsed with npm's
// @vscode/tree-sitter-wasm, the grammar of PowerShell that Visual Studio Code
// uses. PowerShell itself is not run.
//
// The tests are built with the tag "interop" and need node 18 or later; "make
// interop" installs the server below node_modules. oidc-provider stays at 8.8.1
// as the last version that runs on Debian 12's node. The server listens on
// loopback and ends with the tests. They never reach Entra.
//
// What the server can't show: workload identity federation. There the assertion
// is a JWT of another issuer, which Entra trusts by issuer, subject and audience.
// Standard private_key_jwt (RFC 7523 section 3, OpenID Connect Core section 9)
// demands that issuer and subject are the client itself, and oidc-provider has no
// setting for anything else. Tested is what both have in common: an assertion
// out of a file, and the refusal of one from another issuer.
package interop
