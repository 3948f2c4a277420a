import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.Map;
import org.apache.iceberg.Files;
import org.apache.iceberg.io.FileIO;
import org.apache.iceberg.io.InputFile;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.io.PositionOutputStream;
import org.apache.iceberg.io.SeekableInputStream;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;

/**
 * Iceberg's own REST catalog, the one its clients are tested with, over a SQL catalog.
 *
 * <p>Arguments: port, JDBC address and name of the SQL catalog, warehouse, token. It listens on the loopback, and
 * answers whoever brings the token or comes to fetch one.
 */
public final class RestCatalog {

    public static void main(String[] arguments) throws Exception {
        JdbcCatalog catalog =
                new JdbcCatalog(properties -> new LocalFiles(), null, true);
        catalog.initialize(
                arguments[2],
                Map.of(
                        "uri", arguments[1],
                        "warehouse", arguments[3],
                        "jdbc.schema-version", "V1"));
        ServletContextHandler context = new ServletContextHandler();
        context.addServlet(new ServletHolder(new Guarded(catalog, "Bearer " + arguments[4])), "/*");
        Server server =
                new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
        server.setHandler(context);
        server.start();
        server.join();
    }

    /** Files of this machine, without Hadoop; each keeps the name it was asked for by. */
    private static final class LocalFiles implements FileIO {

        @Override
        public InputFile newInputFile(String location) {
            return new Input(location, Files.localInput(file(location)));
        }

        @Override
        public OutputFile newOutputFile(String location) {
            return new Output(location, Files.localOutput(file(location)));
        }

        @Override
        public void deleteFile(String location) {
            file(location).delete();
        }

        private static File file(String location) {
            return new File(
                    location.startsWith("file:") ? URI.create(location).getPath() : location);
        }
    }

    private record Input(String location, InputFile file) implements InputFile {

        @Override
        public long getLength() {
            return file.getLength();
        }

        @Override
        public SeekableInputStream newStream() {
            return file.newStream();
        }

        @Override
        public boolean exists() {
            return file.exists();
        }
    }

    private record Output(String location, OutputFile file) implements OutputFile {

        @Override
        public PositionOutputStream create() {
            return file.create();
        }

        @Override
        public PositionOutputStream createOrOverwrite() {
            return file.createOrOverwrite();
        }

        @Override
        public InputFile toInputFile() {
            return new Input(location, file.toInputFile());
        }
    }

    private static final class Guarded extends RESTCatalogServlet {

        private final String allowed;

        private Guarded(JdbcCatalog catalog, String allowed) {
            super(new RESTCatalogAdapter(catalog));
            this.allowed = allowed;
        }

        @Override
        protected void service(HttpServletRequest request, HttpServletResponse response)
                throws ServletException, IOException {
            String given = request.getHeader("Authorization");
            // What the adapter answers to a credential, whose secret it does not look at.
            boolean isFetched = given != null && given.startsWith("Bearer client-credentials-token:");
            if (request.getRequestURI().endsWith("/oauth/tokens")
                    || isFetched
                    || allowed.equals(given)) {
                super.service(request, response);
            } else {
                response.setStatus(HttpServletResponse.SC_UNAUTHORIZED);
                response.getWriter()
                        .write(
                                "{\"error\": {\"message\": \"who are you?\", "
                                        + "\"type\": \"NotAuthorizedException\", \"code\": 401}}");
            }
        }
    }
}
