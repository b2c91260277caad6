package skerry;

import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.json.JsonProviders;
import com.azure.json.JsonReader;
import com.azure.json.JsonWriter;
import com.azure.security.keyvault.keys.KeyClientBuilder;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** Drives a vault and a managed HSM with the official Java client, unchanged, and prints one line of JSON per case. */
public final class Client {
    private Client() {
    }

    public static void main(String[] arguments) throws IOException {
        Map<?, ?> job;
        try (JsonReader reader = JsonProviders.createReader(
            new String(System.in.readAllBytes(), StandardCharsets.UTF_8))) {
            job = (Map<?, ?>) reader.readUntyped();
        }
        var credential = new DefaultAzureCredentialBuilder().build();
        for (Object each : (List<?>) job.get("services")) {
            Map<?, ?> service = (Map<?, ?>) each;
            String url = (String) service.get("url");
            String name = (String) service.get("service");
            var client = new KeyClientBuilder().vaultUrl(url).credential(credential).buildClient();
            var suite = new Suite(client, credential, url, name.equals("mhsm"),
                (Map<?, ?>) job.get("application"), (Map<?, ?>) job.get("fixture"));
            for (Object one : (List<?>) service.get("cases")) {
                print((String) one, name, attempt(suite, (String) one));
            }
        }
        // The HTTP client's threads are no daemons.
        System.exit(0);
    }

    /** Why the case failed; empty when it did not. */
    private static String attempt(Suite suite, String name) {
        try {
            Suite.CASES.get(name).run(suite);
            return "";
        } catch (Throwable failure) {
            StackTraceElement where = failure.getStackTrace().length > 0 ? failure.getStackTrace()[0] : null;
            return failure + " at " + where + (failure.getCause() == null ? "" : ", because of " + failure.getCause());
        }
    }

    private static void print(String name, String service, String detail) throws IOException {
        var line = new StringWriter();
        try (JsonWriter writer = JsonProviders.createWriter(line)) {
            writer.writeStartObject()
                .writeStringField("case", name)
                .writeStringField("on", service)
                .writeBooleanField("ok", detail.isEmpty())
                .writeStringField("detail", detail)
                .writeEndObject();
        }
        System.out.println(line);
    }
}
