package main

import (
	"bytes"
	"crypto/aes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

func releasable(s suite, name string, policy json.RawMessage) azkeys.KeyBundle {
	return s.create(name, azkeys.CreateKeyParameters{
		Kty: to.Ptr(azkeys.KeyTypeECHSM), Curve: to.Ptr(azkeys.CurveNameP256),
		KeyOps:        to.SliceOfPtrs(azkeys.KeyOperationSign, azkeys.KeyOperationVerify),
		KeyAttributes: &azkeys.KeyAttributes{Exportable: to.Ptr(true)},
		ReleasePolicy: &azkeys.KeyReleasePolicy{EncodedPolicy: policy},
	})
}

func release(s suite) {
	made := releasable(s, "released", s.fixture.Policy)
	answer := must(s.client.Release(ctx, "released", "", azkeys.ReleaseParameters{
		TargetAttestationToken: &s.fixture.Token,
		Algorithm:              to.Ptr(azkeys.KeyEncryptionAlgorithmRSAAESKEYWRAP256),
	}, nil))
	signed := strings.Split(*answer.Value, ".")
	check(len(signed) == 3, "%d parts of a signed answer", len(signed))
	var payload struct {
		Response struct {
			Key struct {
				Key struct {
					HSM string `json:"key_hsm"`
				} `json:"key"`
			} `json:"key"`
		} `json:"response"`
	}
	readJSON(signed[1], &payload)
	var blob struct {
		Ciphertext string `json:"ciphertext"`
	}
	readJSON(payload.Response.Key.Key.HSM, &blob)
	private := unwrap(s.fixture.WrappingKey, unbase64url(blob.Ciphertext))
	x := must(private.PublicKey.ECDH()).Bytes()[1:33]
	check(bytes.Equal(x, made.Key.X), "another key came out")
}

func unwrap(wrappingKey string, wrapped []byte) *ecdsa.PrivateKey {
	block, _ := pem.Decode([]byte(wrappingKey))
	wrapping := must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey)
	size := wrapping.Size()
	key := must(rsa.DecryptOAEP(sha256.New(), nil, wrapping, wrapped[:size], nil))
	private, isECDSA := must(x509.ParsePKCS8PrivateKey(aesUnwrapPadded(key, wrapped[size:]))).(*ecdsa.PrivateKey)
	check(isECDSA, "not an elliptic curve key")
	return private
}

// aesUnwrapPadded is the unwrapping of RFC 5649 for more than one block.
func aesUnwrapPadded(key, wrapped []byte) []byte {
	cipher := must(aes.NewCipher(key))
	blocks := len(wrapped)/8 - 1
	check(len(wrapped)%8 == 0 && blocks > 1, "%d bytes", len(wrapped))
	state := make([]byte, 16)
	copy(state, wrapped[:8])
	plain := bytes.Clone(wrapped[8:])
	for round := 5; round >= 0; round-- {
		for index := blocks; index >= 1; index-- {
			step := binary.BigEndian.Uint64(state) ^ uint64(blocks*round+index)
			binary.BigEndian.PutUint64(state, step)
			copy(state[8:], plain[8*(index-1):8*index])
			cipher.Decrypt(state, state)
			copy(plain[8*(index-1):], state[8:])
		}
	}
	check(binary.BigEndian.Uint32(state) == 0xa65959a6, "unwrapped with another key")
	length := int(binary.BigEndian.Uint32(state[4:8]))
	check(length <= len(plain) && length > len(plain)-8, "a length of %d in %d bytes", length, len(plain))
	return plain[:length]
}

func releaseRefused(s suite) {
	releasable(s, "kept", s.fixture.RefusingPolicy)
	_, err := s.client.Release(ctx, "kept", "", azkeys.ReleaseParameters{TargetAttestationToken: &s.fixture.Token}, nil)
	refused(err, 403)
}

func readJSON(encoded string, into any) {
	err := json.Unmarshal(unbase64url(encoded), into)
	check(err == nil, "%v", err)
}

func unbase64url(text string) []byte {
	return must(base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "=")))
}
