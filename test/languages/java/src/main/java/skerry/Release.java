package skerry;

import static skerry.Suite.check;

import com.azure.core.util.BinaryData;
import com.azure.core.util.Context;
import com.azure.json.JsonProviders;
import com.azure.json.JsonReader;
import com.azure.json.JsonWriter;
import com.azure.security.keyvault.keys.models.CreateEcKeyOptions;
import com.azure.security.keyvault.keys.models.KeyCurveName;
import com.azure.security.keyvault.keys.models.KeyExportEncryptionAlgorithm;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyReleasePolicy;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import com.azure.security.keyvault.keys.models.ReleaseKeyOptions;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.ECPrivateKey;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import javax.crypto.spec.SecretKeySpec;

/** Release to an attested guest, and the refusal. */
final class Release {
    private Release() {
    }

    private static KeyVaultKey releasable(Suite suite, String name, Object policy) throws IOException {
        var text = new StringWriter();
        try (JsonWriter writer = JsonProviders.createWriter(text)) {
            writer.writeUntyped(policy);
        }
        return suite.client().createEcKey(new CreateEcKeyOptions(name).setCurveName(KeyCurveName.P_256)
            .setHardwareProtected(true).setExportable(true)
            .setKeyOperations(KeyOperation.SIGN, KeyOperation.VERIFY)
            .setReleasePolicy(new KeyReleasePolicy(BinaryData.fromString(text.toString()))));
    }

    static void release(Suite suite) throws Exception {
        KeyVaultKey made = releasable(suite, "released", suite.fixture().get("policy"));
        String answer = suite.client().releaseKeyWithResponse("released", "",
            (String) suite.fixture().get("token"),
            new ReleaseKeyOptions().setAlgorithm(KeyExportEncryptionAlgorithm.RSA_AES_KEY_WRAP_256),
            Context.NONE).getValue().getValue();
        Map<?, ?> response = (Map<?, ?>) json(answer.split("\\.")[1]).get("response");
        Map<?, ?> key = (Map<?, ?>) ((Map<?, ?>) response.get("key")).get("key");
        byte[] wrapped = unbase64url((String) json((String) key.get("key_hsm")).get("ciphertext"));
        ECPrivateKey released = unwrap((String) suite.fixture().get("wrappingKey"), wrapped);
        check(signsFor(made.getKey().toEc(false).getPublic(), released), "another key came out");
    }

    private static boolean signsFor(PublicKey publicKey, ECPrivateKey privateKey) throws Exception {
        byte[] message = {1, 2, 3};
        Signature signer = Signature.getInstance("SHA256withECDSA");
        signer.initSign(privateKey);
        signer.update(message);
        byte[] signature = signer.sign();
        signer.initVerify(publicKey);
        signer.update(message);
        return signer.verify(signature);
    }

    private static ECPrivateKey unwrap(String pem, byte[] wrapped) throws Exception {
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[^-]+-----", ""));
        Key wrapping = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
        Cipher oaep = Cipher.getInstance("RSA/ECB/OAEPPadding");
        oaep.init(Cipher.DECRYPT_MODE, wrapping,
            new OAEPParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, PSource.PSpecified.DEFAULT));
        byte[] aes = oaep.doFinal(Arrays.copyOf(wrapped, 256));
        Cipher unwrapping = Cipher.getInstance("AES/KWP/NoPadding");
        unwrapping.init(Cipher.UNWRAP_MODE, new SecretKeySpec(aes, "AES"));
        return (ECPrivateKey) unwrapping.unwrap(Arrays.copyOfRange(wrapped, 256, wrapped.length), "EC",
            Cipher.PRIVATE_KEY);
    }

    static void releaseRefused(Suite suite) throws IOException {
        releasable(suite, "kept", suite.fixture().get("refusingPolicy"));
        Suite.refused(403, () -> suite.client().releaseKey("kept", (String) suite.fixture().get("token")));
    }

    private static Map<?, ?> json(String encoded) throws IOException {
        try (JsonReader reader = JsonProviders.createReader(
            new String(unbase64url(encoded), StandardCharsets.UTF_8))) {
            return (Map<?, ?>) reader.readUntyped();
        }
    }

    private static byte[] unbase64url(String text) {
        return Base64.getUrlDecoder().decode(text);
    }
}
