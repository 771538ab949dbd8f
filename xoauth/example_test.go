package xoauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"o365-sendmail/xoauth"
)

func ExampleSource_Token() {
	cloud, _ := xoauth.LookupCloud("global")
	source, err := xoauth.New(xoauth.Options{
		Tenant:     "contoso.onmicrosoft.com",
		ClientID:   "11112222-bbbb-3333-cccc-4444dddd5555",
		Scope:      cloud.Scope,
		LoginHost:  cloud.LoginHost,
		Credential: xoauth.ClientSecret(xoauth.NewSecret("the secret's Value")),
	})
	if err != nil {
		log.Fatal(err)
	}
	token, err := source.Token(context.Background())
	var failed *xoauth.Error
	if errors.As(err, &failed) && failed.Temporary() {
		log.Print("try again later: ", err)
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(xoauth.InitialResponse("noreply@contoso.com", token.Access)))
}

func ExampleSecret() {
	s := xoauth.NewSecret("hunter2")
	fmt.Printf("%v %+v %#v\n", s, s, s)
	// Output: [redacted] [redacted] [redacted]
}

func ExampleError_Error() {
	err := &xoauth.Error{
		Op: "token request", Host: "login.microsoftonline.com", ClientID: "11112222-bbbb-3333-cccc-4444dddd5555",
		Status: 401, Code: "invalid_client", AADSTS: 7000229, TraceID: "aaaaaaaa-1111-2222-3333-444444444444",
	}
	fmt.Println(err)
	// Output: token request to login.microsoftonline.com: the application has no enterprise application (service principal) in the tenant (HTTP 401 invalid_client, AADSTS7000229, trace aaaaaaaa-1111-2222-3333-444444444444); az ad sp create --id 11112222-bbbb-3333-cccc-4444dddd5555
}
