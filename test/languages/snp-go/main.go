// Verifies SEV-SNP reports with github.com/google/go-sev-guest: one JSON job a line in, one JSON result a line out.
package main

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/kds"
	spb "github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
)

type job struct {
	Name string `json:"name"`
	// The report, and the certificates in PEM: leaf, intermediate, root.
	Report []byte `json:"report"`
	Chain  string `json:"chain"`
	// Intermediate and root in PEM, as the key distribution service has them, and the product whose roots they are.
	Roots   string `json:"roots"`
	Product string `json:"product"`
	// Of a report that does not say it (version 2): the name with its stepping.
	ProductName string `json:"productName"`
	Now         int64  `json:"now"`
	ReportData  []byte `json:"reportData"`
	HostData    []byte `json:"hostData"`
}

type result struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var one job
		found := result{}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			found.Error = fmt.Sprintf("the job: %v", err)
		} else if err := check(one); err != nil {
			found.Error = err.Error()
		}
		found.Name = one.Name
		if err := out.Encode(found); err != nil {
			panic(err)
		}
	}
}

func check(one job) error {
	report, err := abi.ReportToProto(one.Report)
	if err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	certificates, err := chainOf(one.Chain, report)
	if err != nil {
		return err
	}
	root := trust.AMDRootCertsProduct(one.Product)
	root.ProductCerts = &trust.ProductCerts{}
	if err := root.ProductCerts.FromKDSCertBytes([]byte(one.Roots)); err != nil {
		return fmt.Errorf("the roots: %w", err)
	}
	attestation := &spb.Attestation{Report: report, CertificateChain: certificates}
	options := &verify.Options{
		DisableCertFetching: true,
		Now:                 time.Unix(one.Now, 0),
		TrustedRoots:        map[string][]*trust.AMDRootCerts{one.Product: {root}},
	}
	if one.ProductName != "" {
		if options.Product, err = kds.ParseProductName(one.ProductName, abi.VcekReportSigner); err != nil {
			return err
		}
	}
	if err := verify.SnpAttestation(attestation, options); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	err = validate.SnpAttestation(attestation, &validate.Options{
		GuestPolicy: abi.SnpPolicy{SMT: true, ABIMinor: 31},
		ReportData:  one.ReportData,
		HostData:    one.HostData,
	})
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	return nil
}

func chainOf(text string, report *spb.Report) (*spb.CertificateChain, error) {
	var ders [][]byte
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		ders = append(ders, block.Bytes)
	}
	if len(ders) != 3 {
		return nil, fmt.Errorf("the chain has %d certificates", len(ders))
	}
	signer, err := abi.ParseSignerInfo(report.GetSignerInfo())
	if err != nil {
		return nil, err
	}
	chain := &spb.CertificateChain{AskCert: ders[1], ArkCert: ders[2]}
	if signer.SigningKey == abi.VlekReportSigner {
		chain.VlekCert = ders[0]
	} else {
		chain.VcekCert = ders[0]
	}
	return chain, nil
}
