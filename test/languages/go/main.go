// Drives a vault and a managed HSM with the official Go client, unchanged, and prints one line of JSON per case.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

type job struct {
	Services []struct {
		Service string   `json:"service"`
		URL     string   `json:"url"`
		Cases   []string `json:"cases"`
	} `json:"services"`
	Application application `json:"application"`
	Fixture     fixture     `json:"fixture"`
}

type application struct {
	TenantID        string `json:"tenantId"`
	ClientID        string `json:"clientId"`
	CertificateFile string `json:"certificateFile"`
	TokenFile       string `json:"tokenFile"`
}

type fixture struct {
	Token          string          `json:"token"`
	WrappingKey    string          `json:"wrappingKey"`
	Policy         json.RawMessage `json:"policy"`
	RefusingPolicy json.RawMessage `json:"refusingPolicy"`
}

type result struct {
	Case   string `json:"case"`
	On     string `json:"on"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// suite has what the cases need. A case ends at its first failure with a panic, which becomes its line's detail.
type suite struct {
	client      *azkeys.Client
	url         string
	hsm         bool
	application application
	fixture     fixture
}

var cases = map[string]func(suite){
	"create and get":             createAndGet,
	"list in two pages":          listInTwoPages,
	"versions":                   versions,
	"update":                     update,
	"delete, recover and purge":  deleteRecoverAndPurge,
	"encrypt and decrypt":        encryptAndDecrypt,
	"sign and verify":            signAndVerify,
	"wrap and unwrap":            wrapAndUnwrap,
	"import":                     importKey,
	"backup and restore":         backupAndRestore,
	"rotate and rotation policy": rotateAndRotationPolicy,
	"refusals":                   refusals,
	"certificate credential":     certificateCredential,
	"workload identity":          workloadIdentity,
	"release":                    release,
	"release refused":            releaseRefused,
	"symmetric keys":             symmetricKeys,
	"random bytes":               randomBytes,
}

func main() {
	var todo job
	if err := json.NewDecoder(os.Stdin).Decode(&todo); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	for _, service := range todo.Services {
		credential := must(azidentity.NewDefaultAzureCredential(nil))
		client := must(azkeys.NewClient(service.URL, credential, nil))
		for _, name := range service.Cases {
			line := result{Case: name, On: service.Service, OK: true}
			with := suite{client, service.URL, service.Service == "mhsm", todo.Application, todo.Fixture}
			if err := attempt(cases[name], with); err != nil {
				line.OK, line.Detail = false, err.Error()
			}
			_ = out.Encode(line)
		}
	}
}

func attempt(run func(suite), with suite) (err error) {
	defer func() {
		if failure := recover(); failure != nil {
			err = fmt.Errorf("%v", failure)
		}
	}()
	run(with)
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(condition bool, format string, values ...any) {
	if !condition {
		panic(fmt.Sprintf(format, values...))
	}
}
