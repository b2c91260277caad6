// Encrypts a layer of an image and decrypts it again with the key provider of the sidecar, as skopeo and containerd do
// by this library. Argument: the path of the wrapping key. OCICRYPT_KEYPROVIDER_CONFIG names the key provider's address.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"os"

	"github.com/containers/ocicrypt"
	"github.com/containers/ocicrypt/helpers"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const provider = "attestation-agent"

func main() {
	layer := bytes.Repeat([]byte("what only the guest may see\n"), 5000)
	descriptor := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Size: int64(len(layer))}

	wrap, err := helpers.CreateCryptoConfig([]string{"provider:" + provider + ":skr:" + os.Args[1]}, nil)
	check(err)
	encrypting, finish, err := ocicrypt.EncryptLayer(wrap.EncryptConfig, bytes.NewReader(layer), descriptor)
	check(err)
	encrypted, err := io.ReadAll(encrypting)
	check(err)
	descriptor.Annotations, err = finish()
	check(err)

	unwrap, err := helpers.CreateDecryptCryptoConfig([]string{"provider:" + provider + ":skr"}, nil)
	check(err)
	decrypting, _, err := ocicrypt.DecryptLayer(unwrap.DecryptConfig, bytes.NewReader(encrypted), descriptor, false)
	check(err)
	decrypted, err := io.ReadAll(decrypting)
	check(err)

	annotation := descriptor.Annotations["org.opencontainers.image.enc.keys.provider."+provider]
	packet, err := base64.StdEncoding.DecodeString(annotation)
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"encrypted": !bytes.Contains(encrypted, layer[:28]),
		"same":      bytes.Equal(decrypted, layer),
		"packet":    json.RawMessage(packet),
	}))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
