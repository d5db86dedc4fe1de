// Echo on any path; lines on /chat are subscribed to what they send there, and readers of /sse to what
// lines on /publish send. Arguments: --listen HOST:PORT [--deflate] [--tls].
//
// Settings: the library's publish to a topic, which frames and compresses once for all, and sends at the end of
// the loop's turn. The shared compressor keeps no window per line. A reader of events is corked, so that a chunk
// and its length leave in one write.
#include "App.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <unordered_set>

struct Line {};

struct Arguments {
    std::string host;
    int port = 0;
    bool deflate = false;
    bool tls = false;
};

static Arguments parse(int count, char **given) {
    Arguments arguments;
    for (int at = 1; at < count; at += 1) {
        const std::string_view name = given[at];
        if (name == "--deflate") {
            arguments.deflate = true;
        } else if (name == "--tls") {
            arguments.tls = true;
        } else if (name == "--listen" && at + 1 < count) {
            const std::string address = given[at += 1];
            const size_t colon = address.rfind(':');
            arguments.host = address.substr(0, colon);
            arguments.port = std::atoi(address.c_str() + colon + 1);
        } else {
            std::cerr << "peer-uwebsockets: " << name << " is not known; --listen HOST:PORT [--deflate] [--tls]\n";
            std::exit(64);
        }
    }
    return arguments;
}

template <bool SSL>
static void serve(uWS::TemplatedApp<SSL> &&app, const Arguments &arguments) {
    using Socket = uWS::WebSocket<SSL, true, Line>;
    static std::unordered_set<uWS::HttpResponse<SSL> *> readers;
    const bool deflate = arguments.deflate;

    auto settings = [deflate] {
        typename uWS::TemplatedApp<SSL>::template WebSocketBehavior<Line> settings;
        settings.compression = deflate ? uWS::CompressOptions(uWS::SHARED_COMPRESSOR | uWS::SHARED_DECOMPRESSOR) : uWS::DISABLED;
        settings.maxPayloadLength = 16 * 1024 * 1024;
        settings.maxBackpressure = 16 * 1024 * 1024;
        settings.idleTimeout = 120;
        return settings;
    };
    auto echo = settings();
    auto chat = settings();
    auto publish = settings();

    echo.message = [](Socket *line, std::string_view message, uWS::OpCode kind) { line->send(message, kind); };
    chat.open = [](Socket *line) { line->subscribe("chat"); };
    chat.message = [&app, deflate](Socket *, std::string_view message, uWS::OpCode kind) {
        app.publish("chat", message, kind, deflate);
    };
    publish.message = [](Socket *, std::string_view message, uWS::OpCode) {
        std::string event = "data: ";
        event.append(message).append("\n\n");
        for (auto *reader : readers) {
            reader->cork([&] { reader->write(event); });
        }
    };

    app.template ws<Line>("/chat", std::move(chat));
    app.template ws<Line>("/publish", std::move(publish));
    app.get("/sse", [](auto *response, auto *) {
        response->onAborted([response] { readers.erase(response); });
        response->writeHeader("content-type", "text/event-stream");
        response->write(": hello\n\n");
        readers.insert(response);
    });
    app.template ws<Line>("/*", std::move(echo));
    app.listen(arguments.host, arguments.port, [&arguments](auto *socket) {
        if (!socket) {
            std::cerr << "peer-uwebsockets: " << arguments.host << ":" << arguments.port << " cannot be listened on\n";
            std::exit(69);
        }
        std::cout << "listening on " << arguments.host << ":" << arguments.port << std::endl;
    });
    app.run();
}

int main(int count, char **given) {
    const Arguments arguments = parse(count, given);
    if (arguments.tls) {
        uWS::SocketContextOptions files;
        files.cert_file_name = "certificate.pem";
        files.key_file_name = "key.pem";
        serve(uWS::SSLApp(files), arguments);
    } else {
        serve(uWS::App(), arguments);
    }
}
