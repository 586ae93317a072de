import java.nio.charset.StandardCharsets;
import java.security.Provider;
import java.security.Security;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.security.auth.Subject;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.spi.LoginModule;
import javax.security.sasl.SaslException;
import javax.security.sasl.SaslServer;
import javax.security.sasl.SaslServerFactory;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/**
 * What a broker needs to take both of MSK's logins with IAM: it looks at what is signed and by whom, not at the
 * signature, which only Amazon can check.
 */
public class IamBroker {
    private static void check(String asked) throws SaslException {
        for (String part : List.of("kafka-cluster:Connect", "testing", "ignature")) {
            if (!asked.contains(part)) {
                throw new SaslException("no " + part + " in " + asked);
            }
        }
    }

    /** Tokens of librdkafka: a signed URL in base 64. */
    public static class Tokens implements AuthenticateCallbackHandler {
        @Override
        public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

        @Override
        public void close() {}

        @Override
        public void handle(Callback[] callbacks) {
            for (Callback each : callbacks) {
                if (!(each instanceof OAuthBearerValidatorCallback asked)) {
                    // Asks about extensions of the login, and there are none.
                    continue;
                }
                String value = asked.tokenValue();
                try {
                    String url = new String(Base64.getUrlDecoder().decode(value), StandardCharsets.UTF_8);
                    check(java.net.URLDecoder.decode(url, StandardCharsets.UTF_8));
                    asked.token(new Token(value));
                } catch (SaslException | IllegalArgumentException error) {
                    asked.error("invalid_token", null, null);
                }
            }
        }
    }

    private record Token(String value) implements OAuthBearerToken {
        @Override
        public Set<String> scope() {
            return Set.of();
        }

        @Override
        public long lifetimeMs() {
            return System.currentTimeMillis() + 900_000;
        }

        @Override
        public String principalName() {
            return "me";
        }

        @Override
        public Long startTimeMs() {
            return null;
        }
    }

    /** Amazon's own mechanism, which Java's client speaks. */
    public static class Module implements LoginModule {
        static {
            Security.addProvider(new Mechanism());
        }

        @Override
        public void initialize(Subject subject, CallbackHandler handler, Map<String, ?> shared, Map<String, ?> options) {}

        @Override
        public boolean login() {
            return true;
        }

        @Override
        public boolean commit() {
            return true;
        }

        @Override
        public boolean abort() {
            return false;
        }

        @Override
        public boolean logout() {
            return true;
        }
    }

    private static class Mechanism extends Provider {
        Mechanism() {
            super("IamBroker", "1", "AWS_MSK_IAM, the broker's side");
            put("SaslServerFactory.AWS_MSK_IAM", Factory.class.getName());
        }
    }

    /** Made by name. */
    public static class Factory implements SaslServerFactory {
        @Override
        public SaslServer createSaslServer(
                String mechanism, String protocol, String server, Map<String, ?> properties, CallbackHandler handler) {
            return new Server();
        }

        @Override
        public String[] getMechanismNames(Map<String, ?> properties) {
            return new String[] {"AWS_MSK_IAM"};
        }
    }

    private static class Server implements SaslServer {
        private boolean done;

        @Override
        public byte[] evaluateResponse(byte[] response) throws SaslException {
            check(new String(response, StandardCharsets.UTF_8));
            done = true;
            return "{\"version\": \"2020_10_22\", \"request-id\": \"1\"}".getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public String getMechanismName() {
            return "AWS_MSK_IAM";
        }

        @Override
        public boolean isComplete() {
            return done;
        }

        @Override
        public String getAuthorizationID() {
            return "me";
        }

        @Override
        public byte[] unwrap(byte[] incoming, int offset, int length) {
            return java.util.Arrays.copyOfRange(incoming, offset, offset + length);
        }

        @Override
        public byte[] wrap(byte[] outgoing, int offset, int length) {
            return java.util.Arrays.copyOfRange(outgoing, offset, offset + length);
        }

        @Override
        public Object getNegotiatedProperty(String name) {
            return null;
        }

        @Override
        public void dispose() {}
    }
}
