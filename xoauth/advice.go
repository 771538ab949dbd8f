package xoauth

import "strings"

const (
	scopeAdvice = "use the cloud's own scope, such as https://outlook.office365.com/.default for the worldwide " +
		"cloud, and the login host of the same cloud"
	tenantAdvice = "set the tenant to the Directory (tenant) ID from Entra admin center > App registrations > your " +
		"app > Overview, and check the cloud"
	secretAdvice = "make a new client secret: Entra admin center > App registrations > <client id> > Certificates " +
		"& secrets > " +
		"New client secret; give its Value (not its Secret ID) to: sudo o365-sendmail credential set-secret"
	signInAdvice = "sign in again with the device code"
	userAdvice   = "look in Entra admin center > Users > the mailbox's account, and in Sign-in logs"
	federation   = "compare issuer, subject and audience with Entra admin center > App registrations > <client id> > " +
		"Certificates & secrets > Federated credentials"
	bugAdvice    = "this is a fault of this program or of the token URL; report it with the trace ID"
	assignAdvice = "az vm identity assign --name <vm> --resource-group <group> (App Service: az webapp identity " +
		"assign), or check the identity's client ID"
	waitAdvice = "nothing to do: it passes by itself; if it lasts, see https://status.cloud.microsoft"
)

// diagnoseAADSTS explains the numbers of Entra's errors.
// Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.
func diagnoseAADSTS(code int) (diagnosis, bool) {
	for _, lookup := range []func(int) diagnosis{diagnoseCredential, diagnoseApplication, diagnoseRequest,
		diagnosePolicy, diagnoseService} {
		if d := lookup(code); d.cause != "" {
			return d, true
		}
	}
	return diagnosis{}, false
}

// aadAssertion is the number that Entra gives for every fault of a certificate's assertion.
const aadAssertion = 700027

const uploadAdvice = "Entra admin center > App registrations > <client id> > Certificates & secrets > Certificates > " +
	"Upload certificate"

// diagnoseCertificate tells the causes of AADSTS700027 apart by the reply's words.
func diagnoseCertificate(text string) diagnosis {
	switch text = strings.ToLower(text); {
	case strings.Contains(text, "less than the minimum"):
		return diagnosis{cause: "the certificate's RSA key is too short for Entra", quote: true,
			advice: "make a new key and certificate with 3072 bits (sudo o365-sendmail credential " +
				"new-certificate) and " +
				"upload the certificate: " + uploadAdvice}
	case strings.Contains(text, "is expired"):
		return diagnosis{cause: "the certificate has expired, or is not valid yet", quote: true,
			advice: "make a new certificate (sudo o365-sendmail credential new-certificate) and upload it: " +
				uploadAdvice +
				"; " + clockAdvice}
	case strings.Contains(text, "signature value"):
		return diagnosis{cause: "the signature does not belong to the certificate that the application has",
			quote: true,
			advice: "upload the certificate that belongs to this private key: " + uploadAdvice +
				"; or set credential.algorithm to RS256 if something between here and Entra takes that only"}
	}
	return diagnosis{cause: "the certificate is not registered for this application", quote: true,
		advice: "upload the public certificate that belongs to the private key: " + uploadAdvice}
}

// diagnoseCredential covers secrets, certificates and federated assertions.
func diagnoseCredential(code int) diagnosis {
	switch code {
	case 7000215:
		return diagnosis{cause: "the client secret is wrong, or its Secret ID was copied in place of its Value",
			advice: secretAdvice}
	case 7000222:
		return diagnosis{cause: "the client secret has expired", advice: secretAdvice}
	case 700024:
		return diagnosis{cause: "the assertion is outside its valid time", quote: true, advice: clockAdvice +
			"; with a federated token file, see that it is renewed"}
	case 50027:
		return diagnosis{cause: "the assertion is malformed", quote: true,
			advice: "check that certificate, private key and algorithm belong together, or that the token file " +
				"holds one JWT"}
	case 70021:
		return diagnosis{cause: "no federated credential of the application matches the assertion", quote: true,
			advice: federation}
	case 700211:
		return diagnosis{cause: "no federated credential of the application has the assertion's issuer", quote: true,
			advice: federation}
	case 700212:
		return diagnosis{cause: "no federated credential of the application has the assertion's audience", quote: true,
			advice: federation + "; the usual audience is api://AzureADTokenExchange"}
	case 700213:
		return diagnosis{cause: "no federated credential of the application has the assertion's subject", quote: true,
			advice: federation}
	case 7000218:
		return diagnosis{cause: "the request had no credential",
			advice: "set a client secret, a certificate or a federated token file; for sign-in by device code: App " +
				"registrations > <client id> > Authentication > Allow public client flows > Yes"}
	case 700025:
		return diagnosis{cause: "the application is a public client and takes no credential",
			advice: "use sign-in by device code without a secret, or: App registrations > <client id> > " +
				"Authentication > Allow public client flows > No"}
	}
	return diagnosis{}
}

// diagnoseApplication covers the application and the tenant it lives in.
func diagnoseApplication(code int) diagnosis {
	switch code {
	case 700016:
		return diagnosis{cause: "there is no application with this client ID in the tenant", quote: true,
			advice: "set the client ID to the Application (client) ID from Entra admin center > App registrations > " +
				"your app > Overview (not the Object ID, not the Secret ID), and check tenant and cloud"}
	case 7000229:
		return diagnosis{cause: "the application has no enterprise application (service principal) in the tenant",
			advice: "az ad sp create --id <client id>"}
	case 7000112:
		return diagnosis{cause: "the application is disabled",
			advice: "az ad sp update --id <client id> --set accountEnabled=true"}
	case 90002:
		return diagnosis{cause: "the tenant does not exist in this cloud", advice: tenantAdvice}
	case 900023:
		return diagnosis{cause: "the tenant is neither an ID nor a domain", advice: tenantAdvice}
	case 9001023:
		return diagnosis{cause: "the tenant may not be common, organizations or consumers", advice: tenantAdvice}
	case 90038, 900382, 900432:
		return diagnosis{cause: "the tenant belongs to another cloud",
			advice: "set the cloud to the tenant's own: global, gcc-high, dod or china"}
	case 500011:
		return diagnosis{cause: "the tenant does not know the resource in the scope, Exchange Online", quote: true,
			advice: scopeAdvice + "; see that the tenant has an Exchange Online licence"}
	case 500014:
		return diagnosis{cause: "Exchange Online is disabled in the tenant", quote: true,
			advice: "renew the Exchange Online licence, or enable it: Entra admin center > Enterprise applications > " +
				"Office 365 Exchange Online > Properties"}
	}
	return diagnosis{}
}

// diagnoseRequest covers what this program sent.
func diagnoseRequest(code int) diagnosis {
	switch code {
	case 1002012:
		return diagnosis{cause: "the scope does not end in /.default", advice: scopeAdvice}
	case 70011:
		return diagnosis{cause: "the scope is not valid", quote: true, advice: scopeAdvice}
	case 50001:
		return diagnosis{cause: "the resource is not known", quote: true, advice: scopeAdvice}
	case 900144, 90014:
		return diagnosis{cause: "the request lacks a parameter", quote: true, advice: bugAdvice}
	}
	return diagnosis{}
}

// diagnosePolicy covers what a tenant's policy forbids, and people's sign-ins.
func diagnosePolicy(code int) diagnosis {
	switch code {
	case 53003:
		return diagnosis{cause: "a Conditional Access policy blocks the sign-in",
			advice: "add this server's public IP address to a named location that the policy allows: Entra admin " +
				"center > Conditional Access > Named locations"}
	case 530035:
		return diagnosis{cause: "the tenant's security defaults block the sign-in",
			advice: "Entra admin center > Overview > Properties > Manage security defaults"}
	case 65001:
		return diagnosis{cause: "nobody has consented to the application",
			advice: "Entra admin center > App registrations > <client id> > API permissions > Grant admin consent, " +
				"then sign in again"}
	case 50034:
		return diagnosis{cause: "the account does not exist in the tenant", advice: userAdvice}
	case 50053:
		return diagnosis{cause: "the account is locked", advice: userAdvice}
	case 50126:
		return diagnosis{cause: "user name or password is wrong", advice: signInAdvice}
	case 50076, 50079:
		return diagnosis{cause: "multi-factor authentication is required", advice: signInAdvice}
	case 700082:
		return diagnosis{cause: "the refresh token was not used for 90 days and has expired", advice: signInAdvice}
	case 50173:
		return diagnosis{cause: "the refresh token was revoked, for example by a change of password",
			advice: signInAdvice}
	case 70016:
		return diagnosis{cause: "the person has not finished the sign-in yet"}
	}
	return diagnosis{}
}

// diagnoseService covers what Entra says about itself.
func diagnoseService(code int) diagnosis {
	switch code {
	case 50196:
		return diagnosis{cause: "Entra saw the same request in a loop",
			advice: "wait; keep tokens in a cache that all processes share"}
	case 90055:
		return diagnosis{cause: "Entra throttles the tenant",
			advice: "wait; see which application in the tenant asks for so many tokens"}
	case 90024, 90033, 50033:
		return diagnosis{cause: "a passing fault at Entra", advice: waitAdvice}
	}
	return diagnosis{}
}

// diagnoseIdentity explains the replies of the managed identity endpoints.
// Source: learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
func diagnoseIdentity(status int, code string) (diagnosis, bool) {
	switch {
	case code == "bad_request_102":
		return diagnosis{cause: "the Metadata header was lost",
			advice: "see that no proxy stands before the metadata endpoint"}, true
	case code == "invalid_resource":
		return diagnosis{cause: "the resource is not known", quote: true, advice: scopeAdvice}, true
	case code == "unknown_source":
		return diagnosis{cause: "the endpoint does not know this machine", quote: true, advice: assignAdvice}, true
	case status == 400 || status == 403:
		return diagnosis{cause: "this machine has no such managed identity", quote: true, advice: assignAdvice}, true
	case status == 404 || status == 410:
		return diagnosis{cause: "the identity endpoint is being updated, or there is none", quote: true,
			advice: assignAdvice}, true
	}
	return diagnosis{}, false
}
