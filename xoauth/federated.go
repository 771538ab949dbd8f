package xoauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

type federatedFile struct{ path string }

// FederatedFile is a credential in a file that somebody else renews: the JWT of
// another identity provider, such as Kubernetes, that the application trusts
// (workload identity federation). It is read again for each request.
// Source: learn.microsoft.com/entra/workload-id/workload-identity-federation.
func FederatedFile(path string) Credential { return federatedFile{path} }

// Fingerprint depends on the path: the contents change by the hour.
func (f federatedFile) Fingerprint() string { return fingerprint("federated", f.path) }

func (f federatedFile) Params(context.Context, string, string, time.Time) (url.Values, error) {
	data, err := readSmall(f.path, maxToken)
	if err != nil {
		return nil, fmt.Errorf("the federated token can't be read: %w", err)
	}
	if utf16Name(data) != "" {
		return nil, fmt.Errorf("the federated token file %s is in UTF-16: save it as UTF-8", clean(f.path, 200))
	}
	token := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
	if checkToken("token", token) != nil || strings.Count(token, ".") != 2 {
		return nil, fmt.Errorf("the federated token file %s does not hold one JWT", clean(f.path, 200))
	}
	return assertionParams(token), nil
}

// readSmall reads a regular file of at most max bytes.
func readSmall(path string, max int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO would block
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(data)) > max {
		err = fmt.Errorf("%s has more than %d bytes", path, max)
	}
	return data, err
}

// Federation is what Azure's workload identity webhook puts into a container.
type Federation struct {
	Tenant, ClientID, TokenFile string
	// LoginHost is empty when the environment names none.
	LoginHost string
}

// FederationFromEnvironment reads AZURE_TENANT_ID, AZURE_CLIENT_ID,
// AZURE_FEDERATED_TOKEN_FILE and AZURE_AUTHORITY_HOST. Tenant and ClientID may be
// missing there and be known from elsewhere; a token file may not.
// Source: azure.github.io/azure-workload-identity.
func FederationFromEnvironment(getenv func(string) string) (Federation, error) {
	f := Federation{Tenant: getenv("AZURE_TENANT_ID"), ClientID: getenv("AZURE_CLIENT_ID"),
		TokenFile: getenv("AZURE_FEDERATED_TOKEN_FILE")}
	if f.TokenFile == "" {
		return Federation{}, errors.New("AZURE_FEDERATED_TOKEN_FILE is not set: is the pod labelled " +
			"azure.workload.identity/use: \"true\"?")
	}
	authority := getenv("AZURE_AUTHORITY_HOST")
	if authority == "" {
		return f, nil
	}
	u, err := url.Parse(authority)
	if err != nil || u.Scheme != "https" || u.User != nil || !isDomain(u.Host) || strings.Trim(u.Path, "/") != "" {
		return Federation{}, fmt.Errorf("AZURE_AUTHORITY_HOST is %q: it must be like "+
			"https://login.microsoftonline.com/", clean(redactURL(authority), 100))
	}
	f.LoginHost = u.Host
	return f, nil
}

// Credential returns the token file as a credential.
func (f Federation) Credential() Credential { return FederatedFile(f.TokenFile) }
