package skerry;

import com.azure.core.credential.TokenCredential;
import com.azure.core.exception.HttpResponseException;
import com.azure.core.http.rest.PagedResponse;
import com.azure.core.util.Context;
import com.azure.core.util.polling.SyncPoller;
import com.azure.identity.ClientAssertionCredentialBuilder;
import com.azure.identity.ClientCertificateCredentialBuilder;
import com.azure.security.keyvault.keys.KeyClient;
import com.azure.security.keyvault.keys.KeyClientBuilder;
import com.azure.security.keyvault.keys.cryptography.CryptographyClient;
import com.azure.security.keyvault.keys.cryptography.CryptographyClientBuilder;
import com.azure.security.keyvault.keys.models.CreateEcKeyOptions;
import com.azure.security.keyvault.keys.models.CreateRsaKeyOptions;
import com.azure.security.keyvault.keys.models.KeyCurveName;
import com.azure.security.keyvault.keys.models.KeyProperties;
import com.azure.security.keyvault.keys.models.KeyRotationLifetimeAction;
import com.azure.security.keyvault.keys.models.KeyRotationPolicy;
import com.azure.security.keyvault.keys.models.KeyRotationPolicyAction;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/** The life of keys, and what the other cases need. */
record Suite(KeyClient client, TokenCredential credential, String url, boolean hsm, Map<?, ?> application,
    Map<?, ?> fixture) {
    interface Case {
        void run(Suite suite) throws Exception;
    }

    static final Map<String, Case> CASES = new LinkedHashMap<>();

    static {
        CASES.put("create and get", Suite::createAndGet);
        CASES.put("list in two pages", Suite::listInTwoPages);
        CASES.put("versions", Suite::versions);
        CASES.put("update", Suite::update);
        CASES.put("delete, recover and purge", Suite::deleteRecoverAndPurge);
        CASES.put("backup and restore", Suite::backupAndRestore);
        CASES.put("rotate and rotation policy", Suite::rotateAndRotationPolicy);
        CASES.put("refusals", Suite::refusals);
        CASES.put("encrypt and decrypt", Cryptography::encryptAndDecrypt);
        CASES.put("sign and verify", Cryptography::signAndVerify);
        CASES.put("wrap and unwrap", Cryptography::wrapAndUnwrap);
        CASES.put("import", Cryptography::importKey);
        CASES.put("symmetric keys", Cryptography::symmetricKeys);
        CASES.put("random bytes", Cryptography::randomBytes);
        CASES.put("certificate credential", Suite::certificateCredential);
        CASES.put("workload identity", Suite::workloadIdentity);
        CASES.put("release", Release::release);
        CASES.put("release refused", Release::releaseRefused);
    }

    static void check(boolean condition, Object what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    /** Runs what the service has to refuse. */
    static HttpResponseException refused(int status, Runnable action) {
        try {
            action.run();
        } catch (HttpResponseException error) {
            check(error.getResponse().getStatusCode() == status, error.getMessage());
            return error;
        }
        throw new AssertionError("not refused with " + status);
    }

    KeyVaultKey rsa(String name) {
        return client.createRsaKey(new CreateRsaKeyOptions(name).setKeySize(2048));
    }

    KeyVaultKey ec(String name, KeyCurveName curve) {
        return client.createEcKey(new CreateEcKeyOptions(name).setCurveName(curve));
    }

    KeyVaultKey ec(String name) {
        return ec(name, KeyCurveName.P_256);
    }

    CryptographyClient cryptography(KeyVaultKey key) {
        return new CryptographyClientBuilder().keyIdentifier(key.getId()).credential(credential).buildClient();
    }

    private void createAndGet() {
        KeyVaultKey made = client.createRsaKey(
            new CreateRsaKeyOptions("rsa").setKeySize(2048).setTags(Map.of("a", "b")));
        check(made.getId().startsWith(url + "/keys/rsa/"), made.getId());
        check(Arrays.equals(client.getKey("rsa").getKey().getN(), made.getKey().getN()), "another modulus");
        KeyVaultKey read = client.getKey("rsa", made.getProperties().getVersion());
        check("b".equals(read.getProperties().getTags().get("a")), read.getProperties().getTags());
        for (KeyCurveName curve : List.of(KeyCurveName.P_256, KeyCurveName.P_384, KeyCurveName.P_521,
            KeyCurveName.P_256K)) {
            check(ec("ec-" + curve, curve).getKey().getCurveName().equals(curve), curve);
        }
    }

    private void listInTwoPages() {
        Set<String> wanted = new HashSet<>();
        for (int index = 0; index < 26; index++) {
            wanted.add(ec("page-" + index).getName());
        }
        List<Integer> sizes = new ArrayList<>();
        for (PagedResponse<KeyProperties> page : client.listPropertiesOfKeys().iterableByPage()) {
            sizes.add(page.getValue().size());
            page.getValue().forEach(key -> wanted.remove(key.getName()));
        }
        check(sizes.size() == 2 && sizes.get(0) == 25 && wanted.isEmpty(), sizes + " without " + wanted);
    }

    private void versions() {
        Set<String> made = new HashSet<>();
        for (int index = 0; index < 3; index++) {
            made.add(ec("versions").getProperties().getVersion());
        }
        Set<String> listed = new HashSet<>();
        client.listPropertiesOfKeyVersions("versions").forEach(key -> listed.add(key.getVersion()));
        check(made.equals(listed), made + " " + listed);
    }

    private void update() {
        KeyVaultKey made = ec("update");
        OffsetDateTime later = OffsetDateTime.of(2040, 1, 1, 0, 0, 0, 0, ZoneOffset.UTC);
        client.updateKeyProperties(
            made.getProperties().setEnabled(false).setExpiresOn(later).setTags(Map.of("c", "d")));
        KeyProperties read = client.getKey("update", made.getProperties().getVersion()).getProperties();
        check(!read.isEnabled() && read.getExpiresOn().isEqual(later), read.getExpiresOn());
        check("d".equals(read.getTags().get("c")), read.getTags());
    }

    private static <T, U> T soon(SyncPoller<T, U> poller, Consumer<SyncPoller<T, U>> how) {
        poller.setPollInterval(Duration.ofMillis(50));
        how.accept(poller);
        return poller.poll().getValue();
    }

    void gone(String name) {
        soon(client.beginDeleteKey(name), SyncPoller::waitForCompletion);
    }

    private void deleteRecoverAndPurge() {
        ec("gone");
        gone("gone");
        check(client.getDeletedKey("gone").getRecoveryId().equals(url + "/deletedkeys/gone"), "another recovery id");
        refused(404, () -> client.getKey("gone"));
        refused(409, () -> ec("gone"));
        check(client.listDeletedKeys().stream().anyMatch(key -> key.getName().equals("gone")), "not listed");
        soon(client.beginRecoverDeletedKey("gone"), SyncPoller::waitForCompletion);
        client.getKey("gone");
        gone("gone");
        client.purgeDeletedKey("gone");
        refused(404, () -> client.getDeletedKey("gone"));
    }

    private void backupAndRestore() {
        KeyVaultKey made = ec("backup");
        byte[] backup = client.backupKey("backup");
        refused(409, () -> client.restoreKeyBackup(backup));
        gone("backup");
        client.purgeDeletedKey("backup");
        KeyVaultKey restored = client.restoreKeyBackup(backup);
        check(restored.getId().equals(made.getId()), restored.getId());
        check(Arrays.equals(restored.getKey().getX(), made.getKey().getX()), "another key");
        check(restored.getProperties().getCreatedOn().equals(made.getProperties().getCreatedOn()), "another time");
    }

    private void rotateAndRotationPolicy() {
        KeyVaultKey made = rsa("rotate");
        var action = new KeyRotationLifetimeAction(KeyRotationPolicyAction.ROTATE).setTimeAfterCreate("P2M");
        client.updateKeyRotationPolicy("rotate",
            new KeyRotationPolicy().setExpiresIn("P3M").setLifetimeActions(List.of(action)));
        KeyRotationPolicy read = client.getKeyRotationPolicy("rotate");
        check("P3M".equals(read.getExpiresIn()), read.getExpiresIn());
        // A managed HSM writes the action in lower case.
        check(read.getLifetimeActions().stream().anyMatch(one ->
            one.getAction().toString().equalsIgnoreCase("rotate") && "P2M".equals(one.getTimeAfterCreate())),
            "the policy does not rotate");
        KeyVaultKey rotated = client.rotateKey("rotate");
        check(!rotated.getId().equals(made.getId()), "the same version");
        check(!Arrays.equals(rotated.getKey().getN(), made.getKey().getN()), "the same key");
    }

    private void certificateCredential() {
        readsWith(new ClientCertificateCredentialBuilder().tenantId((String) application.get("tenantId"))
            .clientId((String) application.get("clientId"))
            .pemCertificate((String) application.get("certificateFile")).build());
    }

    /**
     * What a workload identity does, by the credential below it: WorkloadIdentityCredential first tries to reach the
     * authority with a connection of the JDK's own, which is told of no proxy that asks for a password.
     */
    private void workloadIdentity() {
        Path file = Path.of((String) application.get("tokenFile"));
        readsWith(new ClientAssertionCredentialBuilder().tenantId((String) application.get("tenantId"))
            .clientId((String) application.get("clientId"))
            .clientAssertion(() -> read(file)).build());
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private void readsWith(TokenCredential other) {
        ec("read-by-another");
        KeyClient reader = new KeyClientBuilder().vaultUrl(url).credential(other).buildClient();
        check(reader.getKey("read-by-another").getName().equals("read-by-another"), "another key");
    }

    private void refusals() {
        HttpResponseException missing = refused(404, () -> client.getKey("nobody-made-this"));
        check(missing.getMessage().contains("KeyNotFound"), missing.getMessage());
        HttpResponseException bad = refused(400, () -> client.createRsaKeyWithResponse(
            new CreateRsaKeyOptions("bad").setKeySize(1000), Context.NONE));
        check(bad.getMessage().contains("BadParameter"), bad.getMessage());
    }
}
