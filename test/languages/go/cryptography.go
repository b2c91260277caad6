package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

func encryptAndDecrypt(s suite) {
	s.create("encrypt", rsaKey())
	for _, algorithm := range rsaEncryption() {
		sent := must(s.client.Encrypt(ctx, "encrypt", "", operation(algorithm, secret), nil))
		back := must(s.client.Decrypt(ctx, "encrypt", sent.KID.Version(), operation(algorithm, sent.Result), nil))
		check(bytes.Equal(back.Result, secret), "%s", algorithm)
	}
}

func wrapAndUnwrap(s suite) {
	s.create("wrap", rsaKey())
	for _, algorithm := range rsaEncryption() {
		wrapped := must(s.client.WrapKey(ctx, "wrap", "", operation(algorithm, secret), nil))
		back := must(s.client.UnwrapKey(ctx, "wrap", "", operation(algorithm, wrapped.Result), nil))
		check(bytes.Equal(back.Result, secret), "%s", algorithm)
	}
}

func rsaEncryption() []azkeys.EncryptionAlgorithm {
	return []azkeys.EncryptionAlgorithm{
		azkeys.EncryptionAlgorithmRSAOAEP, azkeys.EncryptionAlgorithmRSAOAEP256, azkeys.EncryptionAlgorithmRSA15,
	}
}

func operation(algorithm azkeys.EncryptionAlgorithm, value []byte) azkeys.KeyOperationParameters {
	return azkeys.KeyOperationParameters{Algorithm: to.Ptr(algorithm), Value: value}
}

func signAndVerify(s suite) {
	s.create("sign", rsaKey())
	message := []byte("message")
	of256, of384, of512 := sha256.Sum256(message), sha512.Sum384(message), sha512.Sum512(message)
	for algorithm, digest := range map[azkeys.SignatureAlgorithm][]byte{
		azkeys.SignatureAlgorithmRS256: of256[:], azkeys.SignatureAlgorithmPS256: of256[:],
		azkeys.SignatureAlgorithmRS384: of384[:], azkeys.SignatureAlgorithmPS384: of384[:],
		azkeys.SignatureAlgorithmRS512: of512[:], azkeys.SignatureAlgorithmPS512: of512[:],
	} {
		signs(s, "sign", algorithm, digest)
	}
	for curve, use := range map[azkeys.CurveName]struct {
		algorithm azkeys.SignatureAlgorithm
		digest    []byte
	}{
		azkeys.CurveNameP256: {azkeys.SignatureAlgorithmES256, of256[:]}, azkeys.CurveNameP256K: {azkeys.SignatureAlgorithmES256K, of256[:]},
		azkeys.CurveNameP384: {azkeys.SignatureAlgorithmES384, of384[:]}, azkeys.CurveNameP521: {azkeys.SignatureAlgorithmES512, of512[:]},
	} {
		s.create("sign-"+string(curve), ecKey(curve))
		signs(s, "sign-"+string(curve), use.algorithm, use.digest)
	}
}

func signs(s suite, name string, algorithm azkeys.SignatureAlgorithm, digest []byte) {
	signed := must(s.client.Sign(ctx, name, "", azkeys.SignParameters{Algorithm: &algorithm, Value: digest}, nil))
	parameters := azkeys.VerifyParameters{Algorithm: &algorithm, Digest: digest, Signature: signed.Result}
	check(*must(s.client.Verify(ctx, name, "", parameters, nil)).Value, "%s does not verify", algorithm)
	parameters.Digest = append([]byte{digest[0] ^ 1}, digest[1:]...)
	check(!*must(s.client.Verify(ctx, name, "", parameters, nil)).Value, "%s verifies all", algorithm)
}

func importKey(s suite) {
	own := must(rsa.GenerateKey(rand.Reader, 2048))
	kind := azkeys.KeyTypeRSA
	if s.hsm {
		kind = azkeys.KeyTypeRSAHSM
	}
	made := must(s.client.ImportKey(ctx, "imported", azkeys.ImportKeyParameters{Key: &azkeys.JSONWebKey{
		Kty: &kind, KeyOps: to.SliceOfPtrs(azkeys.KeyOperationEncrypt, azkeys.KeyOperationDecrypt),
		N: own.N.Bytes(), E: []byte{1, 0, 1}, D: own.D.Bytes(), P: own.Primes[0].Bytes(), Q: own.Primes[1].Bytes(),
		DP: own.Precomputed.Dp.Bytes(), DQ: own.Precomputed.Dq.Bytes(), QI: own.Precomputed.Qinv.Bytes(),
	}}, nil))
	check(bytes.Equal(made.Key.N, own.N.Bytes()), "another modulus")
	sent := must(rsa.EncryptOAEP(sha1.New(), rand.Reader, &own.PublicKey, secret, nil))
	back := must(s.client.Decrypt(ctx, "imported", "", operation(azkeys.EncryptionAlgorithmRSAOAEP, sent), nil))
	check(bytes.Equal(back.Result, secret), "not the same key")
}

func symmetricKeys(s suite) {
	s.create("oct", azkeys.CreateKeyParameters{
		Kty: to.Ptr(azkeys.KeyTypeOctHSM), KeySize: to.Ptr(int32(256)),
		KeyOps: to.SliceOfPtrs(azkeys.KeyOperationEncrypt, azkeys.KeyOperationDecrypt, azkeys.KeyOperationWrapKey, azkeys.KeyOperationUnwrapKey),
	})
	gcm := operation(azkeys.EncryptionAlgorithmA256GCM, secret)
	gcm.AdditionalAuthenticatedData = []byte("aad")
	sealed := must(s.client.Encrypt(ctx, "oct", "", gcm, nil))
	gcm.Value, gcm.IV, gcm.AuthenticationTag = sealed.Result, sealed.IV, sealed.AuthenticationTag
	check(bytes.Equal(must(s.client.Decrypt(ctx, "oct", "", gcm, nil)).Result, secret), "A256GCM")
	gcm.AuthenticationTag[0] ^= 1
	_, err := s.client.Decrypt(ctx, "oct", "", gcm, nil)
	refused(err, 400)
	wrapped := must(s.client.WrapKey(ctx, "oct", "", operation(azkeys.EncryptionAlgorithmA256KW, secret), nil))
	back := must(s.client.UnwrapKey(ctx, "oct", "", operation(azkeys.EncryptionAlgorithmA256KW, wrapped.Result), nil))
	check(bytes.Equal(back.Result, secret), "A256KW")
}

func randomBytes(s suite) {
	one := must(s.client.GetRandomBytes(ctx, azkeys.GetRandomBytesParameters{Count: to.Ptr(int32(128))}, nil))
	another := must(s.client.GetRandomBytes(ctx, azkeys.GetRandomBytesParameters{Count: to.Ptr(int32(128))}, nil))
	check(len(one.Value) == 128 && !bytes.Equal(one.Value, another.Value), "%d bytes, or the same", len(one.Value))
}
