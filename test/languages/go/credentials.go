package main

import (
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

func certificateCredential(s suite) {
	certificates, key, err := azidentity.ParseCertificates(must(os.ReadFile(s.application.CertificateFile)), nil)
	check(err == nil, "%v", err)
	who := s.application
	readsWith(s, must(azidentity.NewClientCertificateCredential(who.TenantID, who.ClientID, certificates, key, nil)))
}

func workloadIdentity(s suite) {
	readsWith(s, must(azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		TenantID: s.application.TenantID, ClientID: s.application.ClientID, TokenFilePath: s.application.TokenFile,
	})))
}

func readsWith(s suite, credential azcore.TokenCredential) {
	s.create("read-by-another", ecKey(azkeys.CurveNameP256))
	other := must(azkeys.NewClient(s.url, credential, nil))
	check(must(other.GetKey(ctx, "read-by-another", "", nil)).Key.KID.Name() == "read-by-another", "another key")
}
