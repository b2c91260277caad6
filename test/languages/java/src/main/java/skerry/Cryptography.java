package skerry;

import static skerry.Suite.check;

import com.azure.core.util.Context;
import com.azure.security.keyvault.keys.cryptography.CryptographyClient;
import com.azure.security.keyvault.keys.cryptography.models.DecryptParameters;
import com.azure.security.keyvault.keys.cryptography.models.EncryptParameters;
import com.azure.security.keyvault.keys.cryptography.models.EncryptResult;
import com.azure.security.keyvault.keys.cryptography.models.EncryptionAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.KeyWrapAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.SignatureAlgorithm;
import com.azure.security.keyvault.keys.models.CreateOctKeyOptions;
import com.azure.security.keyvault.keys.models.ImportKeyOptions;
import com.azure.security.keyvault.keys.models.JsonWebKey;
import com.azure.security.keyvault.keys.models.KeyCurveName;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.crypto.Cipher;

/** What is done with keys. */
final class Cryptography {
    private static final byte[] SECRET = "0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private Cryptography() {
    }

    static void encryptAndDecrypt(Suite suite) {
        CryptographyClient key = suite.cryptography(suite.rsa("encrypt"));
        for (EncryptionAlgorithm algorithm : List.of(EncryptionAlgorithm.RSA_OAEP, EncryptionAlgorithm.RSA_OAEP_256,
            EncryptionAlgorithm.RSA1_5)) {
            byte[] sent = key.encrypt(algorithm, SECRET).getCipherText();
            check(Arrays.equals(key.decrypt(algorithm, sent).getPlainText(), SECRET), algorithm);
        }
    }

    static void wrapAndUnwrap(Suite suite) {
        CryptographyClient key = suite.cryptography(suite.rsa("wrap"));
        for (KeyWrapAlgorithm algorithm : List.of(KeyWrapAlgorithm.RSA_OAEP, KeyWrapAlgorithm.RSA_OAEP_256,
            KeyWrapAlgorithm.RSA1_5)) {
            byte[] wrapped = key.wrapKey(algorithm, SECRET).getEncryptedKey();
            check(Arrays.equals(key.unwrapKey(algorithm, wrapped).getKey(), SECRET), algorithm);
        }
    }

    static void signAndVerify(Suite suite) throws Exception {
        KeyVaultKey rsa = suite.rsa("sign");
        for (String algorithm : List.of("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")) {
            signs(suite, rsa, algorithm, "SHA-" + algorithm.substring(2));
        }
        for (Map.Entry<KeyCurveName, String> use : Map.of(KeyCurveName.P_256, "ES256", KeyCurveName.P_384, "ES384",
            KeyCurveName.P_521, "ES512", KeyCurveName.P_256K, "ES256K").entrySet()) {
            String digest = "SHA-" + use.getValue().substring(2, 5);
            signs(suite, suite.ec("sign-" + use.getValue(), use.getKey()), use.getValue(), digest);
        }
    }

    private static void signs(Suite suite, KeyVaultKey key, String name, String digestName) throws Exception {
        SignatureAlgorithm algorithm = SignatureAlgorithm.fromString(name);
        CryptographyClient client = suite.cryptography(key);
        byte[] digest = MessageDigest.getInstance(digestName).digest(SECRET);
        byte[] signature = client.sign(algorithm, digest).getSignature();
        check(client.verify(algorithm, digest, signature).isValid(), name + " does not verify");
        digest[0] ^= 1;
        check(!client.verify(algorithm, digest, signature).isValid(), name + " verifies all");
    }

    static void importKey(Suite suite) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        KeyPair own = generator.generateKeyPair();
        var options = new ImportKeyOptions("imported", JsonWebKey.fromRsa(own)).setHardwareProtected(suite.hsm());
        CryptographyClient key = suite.cryptography(suite.client().importKey(options));
        Cipher cipher = Cipher.getInstance("RSA/ECB/OAEPWithSHA-1AndMGF1Padding");
        cipher.init(Cipher.ENCRYPT_MODE, own.getPublic());
        byte[] back = key.decrypt(EncryptionAlgorithm.RSA_OAEP, cipher.doFinal(SECRET)).getPlainText();
        check(Arrays.equals(back, SECRET), "not the same key");
    }

    static void symmetricKeys(Suite suite) {
        CryptographyClient key = suite.cryptography(suite.client().createOctKey(
            new CreateOctKeyOptions("oct").setKeySize(256).setHardwareProtected(true)));
        byte[] aad = {1, 2, 3};
        EncryptResult sealed = key.encrypt(EncryptParameters.createA256GcmParameters(SECRET, aad),
            Context.NONE);
        byte[] opened = key.decrypt(DecryptParameters.createA256GcmParameters(sealed.getCipherText(), sealed.getIv(),
            sealed.getAuthenticationTag(), aad), Context.NONE).getPlainText();
        check(Arrays.equals(opened, SECRET), "A256GCM");
        byte[] wrapped = key.wrapKey(KeyWrapAlgorithm.A256KW, SECRET).getEncryptedKey();
        check(Arrays.equals(key.unwrapKey(KeyWrapAlgorithm.A256KW, wrapped).getKey(), SECRET), "A256KW");
    }

    static void randomBytes(Suite suite) {
        byte[] one = suite.client().getRandomBytes(128);
        check(one.length == 128 && !Arrays.equals(one, suite.client().getRandomBytes(128)), one.length);
    }
}
